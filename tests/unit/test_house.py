"""The house: what holds for the project as a whole."""

from __future__ import annotations

import ast
import inspect
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from samples import ROOT

import radiosynth
from radiosynth.reproduction import analysis, configs, presets, runs

PACKAGE = ROOT / "radiosynth"
ORDER = [
    *("_io", "_kernels", "records", "citing", "stopping", "parallel", "taxonomy", "surveys", "sample"),
    *("networks", "metrics", "plotting", "training", "preprocessing", "measurements", "splitting"),
    *("augmentation", "catalogues", "cutouts", "selection", "datasets", "simulation", "generators"),
    *("training_sets", "classification", "bending", "realism", "reproduction", "cli"),
]
EXAMPLES = sorted((ROOT / "examples").glob("*/plot_*.py"))
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
SOURCES = [
    path
    for path in sorted((ROOT / "docs").rglob("*.rst"))
    if not {"_build", "gallery", "generated"} & {*path.parts}
]


def public_names() -> list[str]:
    """Return the names that ``__init__.pyi`` re-exports from the rooms."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text("utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    return [alias.name for node in imports for alias in node.names]


def repository_files() -> list[Path]:
    """Return the files that are under version control: what else lies about is not the project's."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not in a git repository")
    command = [git, "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


# Citation and versions -------------------------------------------------------------------------------

TEXT = {"type": "string", "minLength": 1}
PERSON = {
    "type": "object",
    "properties": dict.fromkeys(
        ("family-names", "given-names", "name-particle", "orcid", "affiliation"), TEXT
    ),
    "required": ["family-names"],
    "additionalProperties": False,
}
ENTITY = {
    "type": "object",
    "properties": dict.fromkeys(("name", "website", "city", "country"), TEXT),
    "required": ["name"],
    "additionalProperties": False,
}
AUTHORS = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"anyOf": [PERSON, ENTITY]}}
DOI = {"type": "string", "pattern": r"^10\.\d{4,9}(\.\d+)?/[A-Za-z0-9:/_;\-.()\[\]\\]+$"}
YEAR = {"type": "integer", "minimum": 1900, "maximum": 2100}
REFERENCE = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("title", "journal", "start", "end", "url", "abstract", "notes"), TEXT),
        "type": {"enum": ["article", "data", "report", "software", "thesis", "website"]},
        "authors": AUTHORS,
        "doi": DOI,
        "institution": ENTITY,
        "publisher": ENTITY,
        "year": YEAR,
        "month": {"type": "integer", "minimum": 1, "maximum": 12},
        "volume": {"type": ["integer", "string"]},
    },
    "required": ["authors", "title", "type"],
    "additionalProperties": False,
}
# The part of the Citation File Format 1.2.0 that we use.
CITATION = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("title", "message", "abstract", "repository-code", "url"), TEXT),
        "cff-version": {"const": "1.2.0"},
        "type": {"enum": ["software", "dataset"]},
        "version": {"type": ["string", "number"]},
        "date-released": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "license": TEXT,
        "doi": DOI,
        "authors": AUTHORS,
        "keywords": {"type": "array", "minItems": 1, "uniqueItems": True, "items": TEXT},
        "references": {"type": "array", "items": REFERENCE},
        "preferred-citation": REFERENCE,
    },
    "required": ["authors", "cff-version", "message", "title"],
    "additionalProperties": False,
}


class Plain(yaml.SafeLoader):
    """Read dates as text, as the schema has them."""


Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def citation() -> dict[str, Any]:
    return yaml.load((ROOT / "CITATION.cff").read_text("utf-8"), Loader=Plain)


def test_the_citation_file_is_valid() -> None:
    jsonschema.validate(citation(), CITATION)


@pytest.mark.parametrize("missing", ["authors", "message", "cff-version"])
def test_the_check_of_the_citation_file_can_fail(missing: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({key: value for key, value in citation().items() if key != missing}, CITATION)


def test_the_citation_file_names_data_and_report() -> None:
    references = citation()["references"]
    assert "10.5281/zenodo.7689127" in [reference.get("doi") for reference in references]
    assert "report" in [reference["type"] for reference in references]


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    changes = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert {radiosynth.__version__, str(citation()["version"]), changes[0]} == {version}


def test_the_package_is_described_as_in_the_citation_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    cited = citation()
    assert project["license"] == cited["license"]
    assert [each["name"] for each in project["authors"]] == [each["name"] for each in cited["authors"]]
    assert project["keywords"] == cited["keywords"]
    # The address is not known before the first release.
    assert project.get("urls", {}).get("Repository") == cited.get("repository-code")


def test_the_classifiers_name_the_versions_of_python_that_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    start = "Programming Language :: Python :: 3."
    named = [f"3.{each.removeprefix(start)}" for each in project["classifiers"] if each.startswith(start)]
    assert project["requires-python"] == f">={named[0]}"
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))["jobs"]
    assert [job["strategy"]["matrix"]["python"] for job in jobs.values() if "strategy" in job] == [named]


def test_the_list_for_a_release_names_all_that_a_release_changes() -> None:
    steps = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Release")[2]
    files = {"pyproject.toml", "CITATION.cff", "CHANGELOG.md", ".zenodo.json", "codemeta.json"}
    wanted = {
        *files,
        "docs/_ext/colab.py",
        "docs/cite.py",
        "project.urls",
        "tox -e package",
        "tag",
        "DOI",
        "site",
    }
    assert {each for each in wanted if each not in steps} == set()
    assert all((ROOT / each).exists() for each in files)


def test_the_oldest_releases_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    minima = {r.name: next(iter(r.specifier)).version for r in map(Requirement, needed)}
    lines = (ROOT / "tests" / "oldest.txt").read_text("utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pinned.keys() == minima.keys()
    # A minimum such as 4.12 stands for the first release of that number, such as 4.12.0.88.
    assert {
        name: f"{pinned[name]}.".startswith(f"{minimum}.") for name, minimum in minima.items()
    } == dict.fromkeys(minima, True)


# The package -----------------------------------------------------------------------------------------


def test_importing_is_quick_and_leaves_heavy_packages_alone() -> None:
    code = (
        "import sys, time; begun = time.process_time(); import radiosynth; "
        "print(time.process_time() - begun, *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    seconds, loaded = [], set()
    for _ in range(3):
        printed = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        taken, *names = printed.split()
        seconds.append(float(taken))
        loaded |= set(names)
    assert min(seconds) < 0.5
    heavy = {
        "h5py",
        "jax",
        "keras",
        "matplotlib",
        "optuna",
        "pooch",
        "skimage",
        "sklearn",
        "tensorflow",
        "torch",
    }
    assert not loaded & heavy


@pytest.mark.parametrize("given", [None, "0"])
def test_importing_switches_onednn_on_unless_told_otherwise(given: str | None) -> None:
    name = "TF_ENABLE_ONEDNN_OPTS"
    variables = {key: value for key, value in os.environ.items() if key != name}
    code = f"import os, radiosynth; print(os.environ['{name}'])"
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=variables | ({name: given} if given else {}),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.strip() == (given or "1")


@pytest.mark.parametrize("command", [["cite"], ["cite", "first"], ["runs"], ["--help"]], ids=" ".join)
def test_small_commands_load_little(command: list[str]) -> None:
    code = (
        "import sys, contextlib\nfrom radiosynth.cli import main\n"
        "with contextlib.redirect_stdout(None), contextlib.suppress(SystemExit): main(sys.argv[1:])\n"
        "print(*{name.split('.')[0] for name in sys.modules}, 'scipy.stats' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"keras", "tensorflow", "jax", "numba", "optuna", "matplotlib", "sklearn", "skimage", "pooch"}
    assert not heavy & set(printed)
    assert printed[-1] == "False"


def test_data_simulation_and_saved_runs_need_no_keras() -> None:
    code = (
        "import sys, numpy, radiosynth as r; "
        "fake = r.simulate(2, 24, rng=numpy.random.default_rng(0)); r.augment(fake, 4); "
        "r.preprocess(fake, 16, fill='threshold'); r.load_report_candidates(); "
        "r.load_report_sample, r.confusion_matrix; "
        "from radiosynth.reproduction import presets, recipes, samples, search, studies; "
        "presets.vae_config(); "
        "run = r.find_run('laptop-classifier-real-41035f4105d0'); run.history; run.predictions; "
        "sys.exit('keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def imported_rooms(path: Path) -> set[str]:
    """Return the modules of the package that a module imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("radiosynth."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "radiosynth":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.split(".")[1] for alias in node.names if alias.name.startswith("radiosynth.")
            }
    return found


MODULES = sorted(
    path for path in PACKAGE.glob("**/*.py") if path.parent != PACKAGE or path.stem != "__init__"
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_import_only_what_comes_before_them(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert own in ORDER, f"give {own} a place in the order"
    later = {room for room in imported_rooms(path) - {own} if ORDER.index(room) >= ORDER.index(own)}
    assert not later


def test_the_library_does_not_know_the_reproduction() -> None:
    library = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] not in ("reproduction", "cli")]
    assert not [path for path in library if "reproduction" in imported_rooms(path)]


def test_every_room_is_reached_by_its_name() -> None:
    rooms = [room for room in ORDER if not room.startswith("_")]
    code = f"import radiosynth; [getattr(radiosynth, room) for room in {rooms}]; radiosynth.scale([[[0, 1]]])"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("name", public_names())
def test_public_names_are_documented(name: str) -> None:
    reference = (ROOT / "docs" / "api" / "index.rst").read_text("utf-8")
    assert re.search(rf"^   (\w+\.)?{name}$", reference, re.MULTILINE), (
        f"{name} is missing in docs/api/index.rst"
    )
    thing = getattr(radiosynth, name)
    if not callable(thing):
        return
    text = inspect.getdoc(thing) or ""
    assert text.splitlines()[0].rstrip().endswith((".", ":")) or text.splitlines()[1], (
        f"{name} has no summary"
    )
    # Those of a section stand at the margin: "rng : ...", "n_sigma, fill", "**changes".
    documented = {
        part.strip(" *")
        for line in re.findall(r"^([\w*, ]+?)(?: :.*)?$", text, re.MULTILINE)
        for part in line.split(",")
    }
    parameters = [parameter for parameter in inspect.signature(thing).parameters if parameter != "self"]
    if parameters:
        assert "\nParameters\n----------\n" in text
        assert not set(parameters) - documented
    if inspect.isfunction(thing) and inspect.signature(thing).return_annotation not in ("None", None):
        assert re.search(r"\n(Returns|Yields)\n-{6,7}\n", text)


# The files -------------------------------------------------------------------------------------------


def test_the_reference_lists_every_command() -> None:
    from radiosynth.cli import _parser

    (commands,) = (action.choices for action in _parser([])._actions if action.metavar == "command")
    text = (ROOT / "docs" / "api" / "index.rst").read_text("utf-8")
    listed = re.findall(r"^   radiosynth (\w+)", text.partition("Command line\n")[2], re.MULTILINE)
    assert sorted(set(listed)) == sorted(commands)


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    hosts = ["pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "deb." + "debian"]
    forbidden = re.compile(
        "|".join([*map(re.escape, hosts), r"(?<![\w.>*)/-])/(work|root|home|Users|opt|tmp)/\w"])
    )
    found = []
    for path in repository_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in forbidden.finditer(text)]
    assert not found


def test_no_file_is_large() -> None:
    large = [path.name for path in repository_files() if path.stat().st_size > 16e6]
    assert not large


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short_and_say_what_they_show(path: Path) -> None:
    text = path.read_text("utf-8")
    _, *statements = ast.parse(text).body
    code = [node for node in statements if not isinstance(node, (ast.Import, ast.ImportFrom))]
    lines = [line for node in code for line in ast.get_source_segment(text, node).splitlines()]
    assert len([line for line in lines if line.strip() and line.strip()[0] != "#"]) <= 60
    title, underline, *rest = (ast.get_docstring(ast.parse(text)) or "\n").splitlines()
    assert len(title) > 10
    assert underline == "=" * len(title)
    assert len(" ".join(rest)) > 80, "say what the figure shows and what to look for"
    name = path.stem.removeprefix("plot_")
    assert f'"{name}"' in text, f"the figure is to be saved as {name}"


def blocks_of_code(path: Path) -> list[str]:
    """Return the code that a page shows as such, without the margin of the block."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        return ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    if path.suffix == ".py":  # a script of the gallery: its docstring and the comments after "# %%" are prose
        return re.split(r'\A""".*?\n"""\n|^# %%.*\n(?:#.*\n)*', text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"^( *)\.\. code-block::.*\n((?:\s*\n|\1 +.*\n)+)", text + "\n", re.MULTILINE)
    shown = re.findall(r"^ *\.\. literalinclude:: (\S+)", text, re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found] + [(path.parent / n).read_text() for n in shown]


@pytest.mark.parametrize("path", [*EXAMPLES, *SOURCES, *NOTEBOOKS], ids=lambda path: path.stem)
def test_code_is_as_wide_as_a_page(path: Path) -> None:
    # At 1280 pixels a page shows 88 columns, those of a notebook 86; wider code has to be scrolled.
    lines = [line for block in blocks_of_code(path) for line in block.splitlines()]
    assert [line for line in lines if len(line) > (86 if path.suffix == ".ipynb" else 88)] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_figure_is_begun_and_saved_in_one_cell(path: Path) -> None:
    # The gallery takes the picture, and closes the figure, at the end of the cell that begins it.
    begun: dict[str, int] = {}
    for number, cell in enumerate(re.split(r"^# %%.*\n", path.read_text("utf-8"), flags=re.M)):
        for name in re.findall(r"^(\w+)(?:, .*?)? = (?:plt\.subplots|plotting\.)", cell, flags=re.M):
            begun[name] = number
        for name in re.findall(r"save_figure\((\w+),", cell):
            assert begun.get(name, number) == number, f"{name} is begun in an earlier cell"


def test_the_readme_states_what_the_saved_runs_hold() -> None:
    text = " ".join((ROOT / "README.md").read_text("utf-8").split())
    for training_set in configs.TRAINING_SETS:
        name = presets.classifier_config(training_set, "report").name
        run = runs.find_run(ROOT / "paper" / "runs" / name)
        last = run.history["val_accuracy"][-len(run.history) // 5 :]
        assert f"{100 * last.mean():.1f} %" in text
    said = analysis.verdict(ROOT / "paper" / "runs" / "verdict", brief=True)
    assert " ".join(said.split()) in text


def _names_used(code: str) -> set[str]:
    """Return the full names that an example takes from radiosynth."""
    tree, known, used = ast.parse(code), {"radiosynth": "radiosynth"}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("radiosynth"):
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    used |= set(known.values())
    for node in ast.walk(tree):
        chain = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        first, _, rest = chain.partition(".")
        if first in known and rest.replace(".", "").isidentifier():
            used.add(f"{known[first]}.{rest}")
    return used


@pytest.mark.parametrize("page", [*SOURCES, *NOTEBOOKS], ids=lambda page: page.stem)
def test_examples_in_the_documentation_use_names_that_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        blocks = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    else:
        blocks = re.findall(r"code-block:: python\n((?:[ ]{3}:.*\n)*(?:\n|[ ]{3}.*\n)+)", text + "\n")
    # Options of the directive are no Python, nor are commands of notebooks.
    codes = [
        re.sub(r"(?m)^( *)%.*$", r"\1pass", textwrap.dedent(re.sub(r"(?m)^   :.*$", "", block)))
        for block in blocks
    ]
    names = set(re.findall(r"``(radiosynth(?:\.\w+)+)", text)) | _names_used("\n".join(codes))
    for name in sorted(names):
        try:
            pkgutil.resolve_name(name)
        except AttributeError as error:
            if "type object" not in str(error):  # fields of a dataclass are no attributes of it
                pytest.fail(name)
