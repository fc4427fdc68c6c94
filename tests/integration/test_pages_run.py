"""The code of the pages is run as it stands there, from top to bottom, with small samples.

A block that is not run says why in a comment before it: ``.. not run: REASON``, or ``.. run by: FILE`` where
another test runs it. What a page calls the reader's own is in `GIVEN`; where its numbers would take long,
`SHORTER` has smaller ones.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import shlex
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from samples import ROOT, TINY

import radiosynth
from radiosynth import classification, cli, datasets, generators, simulation
from radiosynth.classification import learning
from radiosynth.sample import Sample

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += sorted(
    path
    for path in (ROOT / "docs").rglob("*.rst")
    if not {"_build", "_made", "gallery", "generated"} & {*path.parts}
)
NAMES = {path: str(path.relative_to(ROOT).with_suffix("")).removeprefix("docs/") for path in PAGES}
ELSEWHERE = {
    "python -m pip": "installs packages",
    "python -m venv": "makes an environment",
    "pip install": "installs packages",
    "python -m build": "is a part of .ci/run",
    "pre-commit install": "changes the repository",
    "tox -e": "is a part of .ci/run",
}
"""Programs that pages call and this does not, with the reason."""


# Pages and their blocks ------------------------------------------------------------------------------


class Block(NamedTuple):
    """Code on a page, and why it is not run if it is not."""

    language: str
    code: str
    note: str


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page from top to bottom."""
    text = page.read_text("utf-8") + "\n"
    if page.suffix == ".md":
        return [Block(*found, "") for found in re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S)]
    found = re.findall(
        r"(?:^ *\.\. ((?:not run|run by): .*)\n\n)?"
        r"^( *)\.\. code-block:: (\w+)\n((?:\2 +:.*\n)*)((?:\s*\n|\2 +.*\n)+)",
        text,
        re.M,
    )
    return [
        Block(language, textwrap.dedent(code).strip() + "\n", note) for note, _, language, _, code in found
    ]


def commands_of(block: Block) -> list[str]:
    """Return the commands of a block, with the lines that continue them."""
    code = block.code.replace("\\\n", " ")
    prompt = "$ " if re.search(r"^\$ ", code, re.M) else ""
    lines = [line.removeprefix(prompt) for line in code.splitlines() if line.startswith(prompt)]
    return [line for line in lines if line.strip() and not line.startswith("#")]


WITH_CODE = [page for page in PAGES if blocks_of(page)]


# What pages call the reader's own --------------------------------------------------------------------


def noisy(per_class: int, size: int, pixel_scale: float = 1.8) -> Sample:
    """Return simulated sources as raw images are: noise of a hundredth of the peak, and places on the sky."""
    images = simulated(per_class, size)
    noise = np.random.default_rng(3).normal(0, 0.01, images.shape)
    raw = Sample(images + noise, np.repeat(range(4), per_class))
    raw.table["name"] = [f"s{row:03d}" for row in range(len(raw))]
    raw.table["ra"], raw.table["dec"] = np.arange(len(raw)) * 1.5, np.full(len(raw), 30.0)
    raw.table["pixel_scale"] = pixel_scale
    return raw


@functools.cache
def simulated(per_class: int, size: int) -> NDArray[np.float32]:
    """Return the pixels of simulated sources, from 0 to 1."""
    return (simulation.simulate(per_class, size, rng=np.random.default_rng(2)).images + 1) / 2


def published(per_class: int = 45, size: int = 150) -> Sample:
    """Return simulated sources in place of the published ones."""
    sample = Sample(np.round(255 * simulated(per_class, size)), np.repeat(range(4), per_class))
    sample.table["name"] = [f"data_{row}" for row in range(len(sample))]
    sample.table["sky_group"] = np.full(len(sample), -1)
    sample.table["bending_angle"] = np.linspace(0, 90, len(sample))
    return sample


def cutouts(patch: pytest.MonkeyPatch, pixel_scale: float = 1.8, size: int = 150) -> None:
    """Write a folder of FITS files, and some under the names that pages use."""
    radiosynth.write_cutouts(noisy(2, size, pixel_scale), "cutouts")
    for name in ("my-source", "another", "a", "b"):
        shutil.copy("cutouts/s000.fits", f"{name}.fits")


def inputs_of_cluster(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    cutouts(patch)
    np.save("stack.npy", noisy(2, 150).images)
    Path("list.csv").write_text("path\ncutouts/s001.fits\ncutouts/s002.fits\n")
    return {}


def inputs_of_select(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    cutouts(patch, 1.5, 192)
    for reader, last in (("decisions-Ann-1f3a9c02", "keep"), ("ann", "keep"), ("bob", "drop")):
        decisions = ["keep"] * 7 + [last]
        rows = "".join(f"s{row:03d},{decision}\n" for row, decision in enumerate(decisions))
        Path(f"{reader}.csv").write_text(f"name,decision\n{rows}")
    return {}


def inputs_of_methods(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the page of methods promises."""
    ready = radiosynth.preprocess(published(), size=56)
    train, validation = radiosynth.split(ready, test_per_class=10, rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    return {
        "np": np,
        "radiosynth": radiosynth,
        "rng": rng,
        "sample": published(),
        "train": train,
        "validation": validation,
    }


def inputs_of_own_data(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    cutouts(patch)
    raw = noisy(8, 150)
    return {"images": raw.images, "labels": raw.labels}


def inputs_of_another_survey(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    cutouts(patch, 1.5, 180)
    return {"files": sorted(Path("cutouts").glob("*.fits"))}


def inputs_of_export(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    pytest.importorskip("onnxruntime")
    radiosynth.write_cutouts(noisy(1, 192), "cutouts")
    network = radiosynth.build_foveated_classifier(64, width_multiplier=0.125, seed=0)
    usual = simulation.simulate(9, 64, rng=np.random.default_rng(4))
    oddness = classification.Oddness.fitted(network, usual.images, usual.labels, usual.images)
    card = {"networks": [{"architecture": "foveated", "width_multiplier": 0.125}], "pixel_scale": 1.8}
    small = classification.Classifier(network, card, oddness=oddness)
    patch.setattr(radiosynth, "load_classifier", lambda: small, raising=False)
    return {}


def inputs_of_another_generator(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"my_generator": lambda number: np.random.default_rng(1).random((number, 56, 56))}


def inputs_of_own_population(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"angles": [1, 2, 3]}


GIVEN: dict[str, Callable[[pytest.MonkeyPatch], dict[str, Any] | None]] = {
    "README": cutouts,
    "index": cutouts,
    "interactive/classify": cutouts,
    "interactive/generator": lambda patch: patch.setenv("RADIOSYNTH_RUNS", str(ROOT / "paper" / "runs")),
    "howto/another_generator": inputs_of_another_generator,
    "howto/another_survey": inputs_of_another_survey,
    "howto/cluster": inputs_of_cluster,
    "howto/export": inputs_of_export,
    "howto/own_data": inputs_of_own_data,
    "howto/own_population": inputs_of_own_population,
    "howto/select": inputs_of_select,
}
SHORTER = {
    "README": {"per_class=6000": "per_class=60"},
    "index": {"per_class=6000": "per_class=60"},
    "howto/another_generator": {"my_generator(4000)": "my_generator(80)", "3], 1000)": "3], 20)"},
    "howto/another_survey": {"simulate(2000": "simulate(20", "test_per_class=200": "test_per_class=5"},
    "howto/cluster": {'"report", ': '"smoke", **TINY, ', "jobs=2": "jobs=1"},
    "howto/own_data": {
        "test_per_class=40": "test_per_class=3",
        "epochs=20, width_multiplier=0.5": "epochs=2, width_multiplier=0.05",
        "per_class=2000": "per_class=20",
    },
    "howto/own_population": {
        "simulate(1000": "simulate(10",
        '{"FRII": 1000}': '{"FRII": 10}',
        "per_class=400": "per_class=45",
        "number = 2000": "number = 40",
        "epochs=14": "epochs=2",
        "draw_parameters(5000": "draw_parameters(5",
    },
    "methods/populations": {"simulate(1000": "simulate(10"},
    "methods/preprocessing": {"per_class=6000": "per_class=60"},
    "methods/runs_and_scales": {'"laptop", ': '"smoke", **TINY, '},
    "methods/simulation": {"per_class=6000": "per_class=60", "1000": "10"},
    "methods/vae": {
        "per_class=1500": "per_class=50",
        "width_multiplier=0.125, epochs=8": "width_multiplier=0.02, epochs=1",
    },
}


# What comes out of them ------------------------------------------------------------------------------


def check_another_generator(names: dict[str, Any]) -> None:
    run, drawn, sources = names["run"], names["drawn"], names["sources"]
    assert drawn.counts() == {"FRI": 0, "FRII": 100, "bent": 0, "compact": 0}
    assert drawn.table["name"][-1] == "energy_99"
    assert not run.collapsed
    assert run.history["apart"][-1] < 0.8 * run.history["apart"][0]
    # The mean image is that of the sources, and much nearer to it than where the training began.
    mean = sources.images.mean(axis=0)
    start, end = (np.abs(images / 127.5 - 1 - mean).mean() for images in run.frames[[0, -1]].mean(axis=1))
    assert end < 0.3 * start


def check_own_population(names: dict[str, Any]) -> None:
    assert Path("my-fig12.png").stat().st_size > 5000
    assert [len(axes.lines) for axes in names["axes"].flat] == [2] * 4
    drawn = names["training_set"].draw(names["sources"], rng=np.random.default_rng(2))
    assert drawn.counts() == dict.fromkeys(radiosynth.CLASS_NAMES, 80)
    bent = np.asarray(drawn.table["bending_angle"])[160:][drawn.labels[160:] == 2]
    assert 40 <= bent.min() <= bent.max() <= 120


def check_export(names: dict[str, Any]) -> None:
    expected = names["classifier"].predict(names["images"][..., 0])
    for said in (names["by_keras"], names["by_onnx"]):
        np.testing.assert_allclose(said, expected, atol=1e-5)
    assert "Proportion of 4 images" in Path("mine.md").read_text("utf-8")


def check_cluster(names: dict[str, Any]) -> None:
    for name in ("classes.csv", "classes.ecsv", "classes.parquet"):
        assert Path(name).stat().st_size > 100


def check_select(names: dict[str, Any]) -> None:
    assert Path("cutouts/review.html").exists()
    assert len(Sample.load("selected.npz")) == 8
    assert names["both"].disagreements["name"].tolist() == ["s007"]


def check_own_data(names: dict[str, Any]) -> None:
    again = radiosynth.load_classifier("my-classifier").predict(names["ready"].images)
    np.testing.assert_allclose(again, names["classifier"].predict(names["ready"].images), atol=1e-3)
    assert Path("shapes.vot").stat().st_size > 100
    assert Path("shapes.html").stat().st_size > 1000


CHECKS = {
    "howto/own_data": check_own_data,
    "howto/another_generator": check_another_generator,
    "howto/cluster": check_cluster,
    "howto/export": check_export,
    "howto/own_population": check_own_population,
    "howto/select": check_select,
}


# The tests -------------------------------------------------------------------------------------------


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to an empty folder, where samples are small and simulated and trainings take a second."""

    @functools.wraps(learning.train_classifier)
    def train_classifier(train: Sample, validation: Sample, settings: Any = None, **options: Any) -> Any:
        settings = settings or learning.ClassifierSettings()
        epochs = min(2, settings.epochs)
        short = dataclasses.replace(settings, epochs=epochs, batch_size=16, width_multiplier=0.05)
        few = slice(None, None, max(1, len(train) // 80))
        held_out = validation[:: max(1, len(validation) // 40)]
        return learning.train_classifier(train[few], held_out, short, **options)

    def fit_population(train: Sample, **options: Any) -> Any:
        return simulation.fit_population(train, **{"per_class": 20, "rounds": 1, **options})

    for name, made in (
        ("load_report_sample", lambda **_: published()),
        ("load_first_dataset", lambda **_: published(2, 300)),
        ("load_bending_sample", lambda **_: published(2)),
    ):
        monkeypatch.setattr(datasets, name, made)
        monkeypatch.setattr(radiosynth, name, made, raising=False)
    monkeypatch.setattr(radiosynth, "train_classifier", train_classifier, raising=False)
    monkeypatch.setattr(radiosynth, "fit_population", fit_population, raising=False)
    monkeypatch.setitem(generators.GENERATORS, "energy", generators.GANSettings)  # gone again afterwards
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "tensorflow"))
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.syspath_prepend(ROOT / "docs" / "howto")
    monkeypatch.chdir(tmp_path)


def run_command(line: str, *, parse: bool) -> None:
    """Run a command of this project, or parse it alone; check that another one is known here."""
    words = shlex.split(line, comments=True)
    if words[0] == "radiosynth":
        given = [
            str(path) for word in words[1:] for path in (sorted(Path().glob(word)) if "*" in word else [word])
        ]
        if parse and "${" not in line:
            cli._parser(given).parse_args(given)
        elif not parse:
            assert cli.main(given) == 0, line
    elif not parse:
        assert any(line.startswith(known) for known in ELSEWHERE), f"say why this is not run: {line}"


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("page", WITH_CODE, ids=NAMES.get)
def test_the_code_of_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = NAMES[page]
    given = inputs_of_methods if name.startswith("methods/") else GIVEN.get(name, lambda _: {})
    names = given(monkeypatch) or {}
    names["TINY"] = {key: TINY[key] for key in ("per_class", "epochs", "width", "size")}
    shorter = dict(SHORTER.get(name, {}))
    for block in blocks_of(page):
        kind, _, said = block.note.partition(": ")
        if kind == "run by":
            test = (ROOT / said).read_text("utf-8")  # which reads the page, or has the same lines
            assert page.name in test or all(line in test for line in block.code.split("\n"))
        assert all((ROOT / file).exists() for file in re.findall(r"tests/[\w/]+\.py", said))
        skipped = bool(block.note)
        if block.language == "python":
            code = re.sub(r"(?m)^%", "# %", block.code)
            for long in [long for long in SHORTER.get(name, {}) if long in code]:
                code = code.replace(long, shorter.pop(long, SHORTER[name][long]))
            compiled = compile(code, page.name, "exec")
            if not skipped:
                exec(compiled, names)
        elif block.language in ("console", "bash"):
            for line in commands_of(block):
                run_command(line, parse=skipped)
        elif block.language == "yaml":
            assert yaml.safe_load(block.code)
        else:
            assert block.language == "text", f"a block of {block.language} is not known here"
    assert not shorter, "what is to be shortened is no longer on the page"
    CHECKS.get(name, lambda _: None)(names)


def test_a_block_that_fails_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.rst"
    shown = ".. code-block:: console\n\n   $ make\n"
    page.write_text(f"{shown}\n.. not run: REASON\n\n.. code-block:: python\n\n   1 / 0\n")
    command, python = blocks_of(page)
    assert python == Block("python", "1 / 0\n", "not run: REASON")
    with pytest.raises(AssertionError, match="say why this is not run: make"):
        run_command(*commands_of(command), parse=False)
