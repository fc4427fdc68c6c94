"""The paper: its numbers come from records, a missing one is named, and the table of numbers is whole."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.table import Table

from radiosynth import datasets, simulation
from radiosynth.reproduction import configs, figures, presets, protocol, published, runs
from radiosynth.reproduction.published import Reproduced
from radiosynth.sample import Sample
from radiosynth.taxonomy import CLASS_NAMES

SCALE = "laptop"
BRIEF = "On held-out sources, adding GAN images lowers the balanced accuracy."


def simulated_survey(*, size: int = 150) -> Sample:
    sample = simulation.simulate(50, 48, rng=np.random.default_rng(1))
    sample.table["sky_group"] = np.full(len(sample), -1)
    return sample


def record_run(root: Path, config: configs.ClassifierConfig, right: float) -> runs.Run:
    """Record a run that nobody trained: as many sources classified rightly as asked for."""
    folder = root / config.name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config.to_json())
    labels = np.repeat(np.arange(4), 80)
    hit = np.arange(320) // 2 % 40 < 40 * right
    np.savez(
        folder / "predictions.npz",
        labels=labels,
        plain=np.arange(320) % 2 == 0,
        probabilities=np.eye(4)[np.where(hit, labels, (labels + 1) % 4)],
        names=[f"source {i // 2}" for i in range(320)],
    )
    epochs = np.arange(config.settings.epochs)
    ends = {"accuracy": 0.95, "val_accuracy": float(right)}
    history = {name: np.where(epochs == 0, 0.5, end) for name, end in ends.items()}
    Table({"epoch": epochs + 1, **history}).write(folder / "history.csv")
    made = {"training_images": {"FRI": 1200, "FRII": 1300}, "seconds_training": 90, "device": "cpu:0"}
    made |= dict.fromkeys(("versions", "seed", "data", "finished", "collapsed")) | {"diversity": []}
    (folder / "provenance.json").write_text(json.dumps(made))
    return runs.Run(folder, config, loaded=True)


def compared(name: str) -> Table:
    """Return a table of the comparison as its script saves it: real images alone, and a loss."""
    if name == "verdict2_parts":
        parts = [("residual", "test"), ("residual", "external"), ("left-out-catalogue", "test")]
        same = {"real": 0.8, "value": 0.01, "low": -0.02, "high": 0.04, "p": 0.4}
        found = ["no effect detected", "loss", "no effect detected"]
        rows = zip(parts, found, strict=True)
        return Table([{"part": part, "test": test, "found": each} | same for (part, test), each in rows])
    rates = ("balanced_accuracy", "accuracy", *(f"recall {name}" for name in CLASS_NAMES))
    rates += ("FR I or II", "bent or not", "calibration_error")
    table = Table({"condition": ["real", "gan"]} | {key: [0.91, 0.87] for key in rates}, masked=True)
    for column, value in {"value": -0.034, "low": -0.05, "high": -0.02, "detectable": 0.025}.items():
        table[column] = np.ma.masked_array([0, value], [True, False])
    table["adjusted_p"] = np.ma.masked_array([0, 0.003], [True, False])
    table["found"] = np.ma.masked_array(["", "loss"], [True, False])
    return table


@pytest.fixture(scope="module")
def whole(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a tree with everything that the paper is made of; its figures are blank."""
    if not (project / "paper" / "records.py").exists():
        pytest.skip("not in a source tree")
    root = tmp_path_factory.mktemp("tree")
    (root / "radiosynth" / "data").mkdir(parents=True)
    shutil.copy(project / "radiosynth" / "data" / "references.bib", root / "radiosynth" / "data")
    for name in ("radiosynth.typ", "records.py", "compose.py"):
        (root / "paper").mkdir(exist_ok=True)
        shutil.copy(project / "paper" / name, root / "paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_report_sample", simulated_survey)
        patch.setenv("RADIOSYNTH_PAPER", str(root / "paper"))
        patch.setenv("RADIOSYNTH_SCALE", SCALE)
        patch.delenv("RADIOSYNTH_RUNS", raising=False)
        patch.syspath_prepend(str(project / "paper"))
        import records

        made = [presets.classifier_config(name) for name in configs.TRAINING_SETS]
        runs = [
            record_run(root / "paper" / "runs", config, right)
            for config, right in zip(made, (0.9, 0.9, 0.95), strict=True)
        ]
        fake = record_run(root / "paper" / "runs", presets.gan_config("all"), 0)
        for name in records.FIGURES:
            kept = {"brief": BRIEF, "design": protocol.protocol()}
            kept["outside"] = {
                kind: {"FRI": 7, "bent": 3} for kind in ("all", "rejected", "other catalogues")
            }
            kept = kept if name == "verdict2_comparison" else {}
            figures.save_figure(plt.figure(figsize=(1, 1)), name, runs=[*runs, fake], **kept)
            plt.close()
        columns = {"table1_surveys": 6, "table2_selection": 7, "table3_split": 9}
        for name in records.TABLES:
            table = Table(rows=[["FRI", *[1] * (columns.get(name, 4) - 1)]])
            if name == "gan4_realism":
                rows = [
                    [kind, "FRI", "kernel distance", 9.0, 8.0, 10.0, 1.5] for kind in ("geometric", "GAN")
                ]
                table = Table(rows=rows)
            elif name == "published_reproduced":
                table = published.compare(runs)
            elif name == "verdict1_convergence":
                rises = {"change / points": [0.1, 0.2], "standard error / points": [0.3, 0.3]}
                table = Table({"training set": ["real", "real + GAN"]} | rises)
            elif name.startswith(("verdict3", "verdict4")):
                changed = "fraction" if name.startswith("verdict3") else "ratio"
                keys = itertools.product(("test", "external"), ("real", "observed"), (0.05, 0.25))
                named = dict(zip(("test", "condition", changed), zip(*keys, strict=True), strict=True))
                numbers = dict.fromkeys(("value", "low", "high", "balanced_accuracy", "adjusted_p"), 0.01)
                table = Table(named | {name: [number] * 8 for name, number in numbers.items()})
                table["found"] = "gain"
            elif name.startswith("verdict2"):
                table = compared(name)
            figures.save_table(table, name, runs=runs)
        yield root


@pytest.fixture
def tree(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of that tree, to break."""
    monkeypatch.delenv("RADIOSYNTH_RUNS", raising=False)
    return shutil.copytree(whole, tmp_path / "tree")


@pytest.fixture
def records(project: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(project / "paper"))
    import records

    return records


# The table of published and reproduced numbers --------------------------------------------------------


def test_every_published_number_has_a_verdict(whole: Path) -> None:
    table = Table.read(whole / "paper" / "tables" / "published_reproduced.csv", format="ascii.csv")
    stated = published.published_numbers()
    assert len(table) == len(stated) > 200
    assert set(table["verdict"]) == {"agrees", "differs", "cannot be reproduced"}
    impossible = table["verdict"] == "cannot be reproduced"
    reasons = np.ma.filled(table["remark"], "")
    assert all(reasons[impossible])
    assert not np.ma.getmaskarray(table["reproduced"])[~impossible].any()
    assert all(np.ma.filled(table["source"], "")[~impossible])
    of = {(row["section"], row["number"]): row for row in table}
    for exact in (("table 2", "FRII.final"), ("tables A1, A2, B1", "generator"), ("classifier", "epochs")):
        assert of[exact]["verdict"] == "agrees"
    assert of["table 3", "FRI.original"]["verdict"] == "differs"
    assert of["simulation", "bending angle, bent.greatest"]["low"] < 180
    # A setting that agrees is no result: only what a training decides counts as measured.
    kinds = {key: row["kind"] for key, row in of.items()}
    for key in (("classifier", "epochs"), ("simulation", "c1.least"), ("table 2", "FRII.final")):
        assert kinds[key] == "by construction"
    for key in (
        ("results", "real.validation"),
        ("figure 13", "real.FRI.FRI"),
        ("classifier", "gain of real+gan"),
    ):
        assert kinds[key] == "measured"
    assert (np.ma.filled(table["kind"], "")[impossible] == "").all()
    gain = of["classifier", "gain of real+gan"]
    assert gain["reproduced"] == pytest.approx(0.05)
    assert gain["low"] < 0.05 < gain["high"]


def test_a_number_without_reason_or_counterpart_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_report_sample", simulated_survey)
    monkeypatch.setattr(published, "REASONS", {})
    with pytest.raises(KeyError, match=r"surveys\.NVSS.year: neither reproduced nor a reason"):
        published.compare()


@pytest.mark.parametrize(
    ("value", "low", "high", "error", "published", "agrees"),
    [
        (6000.0, np.nan, np.nan, 0.0, 6000.0, True),
        (5999.0, np.nan, np.nan, 0.0, 6000.0, False),
        (0.90, 0.88, 0.92, 0.0, 0.92, True),
        (0.90, 0.88, 0.91, 0.0, 0.92, False),
        (0.90, 0.88, 0.91, 0.02, 0.92, True),
        (0.90, 0.89, 0.95, 0.0, 0.88, False),  # the side of the interval that matters
        (0.86, 0.855, 0.865, 0.0, Decimal("0.900"), False),  # three decimals are stated
        (0.86, 0.855, 0.865, 0.0, Decimal("0.9"), True),  # one is
        (0.40, 0.390, 0.410, 0.0, 1e-5, False),
    ],
)
def test_verdicts(
    value: float,
    low: float,
    high: float,
    error: float,
    published: float | Decimal,
    agrees: bool,
) -> None:
    assert Reproduced(value, low, high, published_error=error).agrees(published) is agrees


def test_every_class_and_set_of_the_published_numbers_is_read() -> None:
    stated = published.published_numbers()
    assert stated["confusion.real+gan.bent.FRII"] == Decimal("0.044")
    assert stated["selection.total.final"] == 1094
    assert {f"split.{name}.augmented" for name in CLASS_NAMES} < stated.keys()


# Records ----------------------------------------------------------------------------------------------


def test_numbers_name_their_run(tree: Path, records: ModuleType) -> None:
    found = records.collect(tree)
    assert found["scale"] == SCALE
    number = found["numbers"]["results: real+gan.validation"]
    assert number["value"] == pytest.approx(0.95)
    assert number["published"] == 0.92
    assert number["source"].startswith("laptop-classifier-real-gan-")
    assert found["numbers"]["run real: minutes"]["value"] == 1.5
    assert sum(found["verdicts"].values()) == len(published.published_numbers())
    assert sum(found["measured"].values()) == 5 + 32 + 1  # accuracies, two matrices and the gain


@pytest.mark.parametrize(
    "lost",
    ["figures/fig06_gan_loop.pdf", "figures/figC1_side_by_side.json", "tables/published_reproduced.csv"],
)
def test_a_missing_record_fails_by_name(tree: Path, records: ModuleType, lost: str) -> None:
    (tree / "paper" / lost).unlink()
    with pytest.raises(records.MissingRecordError, match=re.escape(Path(lost).name) + " is missing"):
        records.collect(tree)


def test_a_missing_run_fails_by_name(tree: Path, records: ModuleType) -> None:
    (run,) = (tree / "paper" / "runs").glob("laptop-classifier-real-gan-*")
    shutil.rmtree(run)
    with pytest.raises(records.MissingRecordError, match=f"run {run.name}: FileNotFoundError"):
        records.collect(tree)


def test_figures_of_two_scales_are_refused(tree: Path, records: ModuleType) -> None:
    path = tree / "paper" / "figures" / "fig12_training_curves.json"
    path.write_text(path.read_text().replace('"scale": "laptop"', '"scale": "smoke"'))
    with pytest.raises(records.MissingRecordError, match="most are laptop, but not fig12_training_curves"):
        records.collect(tree)


# The text ---------------------------------------------------------------------------------------------


@pytest.fixture
def compose(records: ModuleType) -> ModuleType:
    pytest.importorskip("typst")
    import compose

    return compose


def test_the_paper_is_built_as_pdf_and_as_page(tree: Path, compose: ModuleType) -> None:
    assert compose.main(tree) == 0
    pdf = (tree / "paper" / "radiosynth.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert len(pdf) > 50_000
    page = compose.page(tree)
    assert "95.0\u202f% (" in page
    assert "</math>" in page
    assert 'src="_images/paper/fig06_gan_loop.png"' in page
    for name in sys.modules["records"].FIGURES:
        assert (f"/plot_{name}.html" in page) != name.startswith("study")
    assert page.count(BRIEF) == 2  # in the abstract, and with the result
    assert "−3.4 (−5.0 to −2.0)" in page
    first = (tree / "paper" / "radiosynth.pdf").read_bytes()
    compose.main(tree)
    assert (tree / "paper" / "radiosynth.pdf").read_bytes() == first


def test_the_page_of_the_site_has_figures_of_its_own(tree: Path, compose: ModuleType) -> None:
    made = tree / "docs" / "_made" / "paper"
    made.mkdir(parents=True)
    for name in ("figures", "tables"):
        (tree / "paper" / name).rename(made / name)
    before = {path: path.read_bytes() for path in (tree / "paper").glob("*") if path.is_file()}
    assert "95.0\u202f% (" in compose.page(tree, made)
    assert {path: path.read_bytes() for path in (tree / "paper").glob("*") if path.is_file()} == before


def test_the_gallery_draws_in_a_folder_of_the_site(project: Path) -> None:
    for package in ("sphinx", "sphinx_gallery", "pypandoc", "ziamath"):
        pytest.importorskip(package)
    code = "import os, runpy; runpy.run_path('conf.py'); print(os.environ['RADIOSYNTH_PAPER'])"
    told = {**os.environ, "RADIOSYNTH_PAPER": "drawn-by-a-user", "PYTHONPATH": str(project)}
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project / "docs",
        env=told,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(printed.strip()) == project / "docs" / "_made" / "paper"


def test_a_failed_build_says_what_is_missing_and_writes_nothing(
    tree: Path, compose: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tree / "paper" / "tables" / "published_reproduced.csv"
    kept = [line for line in table.read_text().splitlines() if "gain of real+gan" not in line]
    table.write_text("\n".join(kept) + "\n")
    assert compose.main(tree) == 1
    assert "no record has the number “classifier: gain of real+gan”" in capsys.readouterr().err
    (tree / "paper" / "figures" / "fig07_preprocessing.png").unlink()
    assert compose.main(tree) == 1
    assert "figure fig07_preprocessing" in capsys.readouterr().err
    assert not (tree / "paper" / "radiosynth.pdf").exists()


def test_a_study_is_in_the_text_where_it_is_saved(tree: Path, compose: ModuleType) -> None:
    folder = tree / "paper" / "runs" / "laptop-study-published-code"
    folder.mkdir()
    key = "change: FRI generator used for FRII"
    numbers = {key: {"value": 0.02, "low": 0.01, "high": 0.03}}
    numbers |= {f"balanced {key}": {"value": 0.015, "low": -0.01, "high": 0.04}}
    (folder / "summary.json").write_text(json.dumps({"name": "published-code", "numbers": numbers}))
    page = compose.page(tree)
    assert "An effect on the result is established for: FRI generator used for FRII" in page
    assert "gallery/studies/plot_study2_published_code.html" in page
