"""The command line, run as its user does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from samples import TINY
from skyserver import SkyServer, key_of

from radiosynth import (
    cutouts as cutout_module,
    datasets,
    load_classifier,
    read_cutouts,
    records,
    sample_generators,
    simulation,
)
from radiosynth.classification import classifier
from radiosynth.cli import main
from radiosynth.reproduction import configs, presets, recipes, runs
from radiosynth.sample import Sample


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runs.Run[configs.ClassifierConfig]:
    def survey(*, size: int = 150) -> Sample:
        return simulation.simulate(20, 48, rng=np.random.default_rng(1))

    monkeypatch.setattr(datasets, "load_report_sample", survey)
    monkeypatch.setattr(records, "PACKAGED_RUNS", tmp_path / "none")
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path / "runs"))
    run = recipes.run(presets.classifier_config("real", "smoke", **TINY))
    monkeypatch.setattr(classifier, "DEFAULT", run.folder)
    return run


@pytest.fixture
def cutouts(tmp_path: Path) -> list[str]:
    fake = simulation.simulate(
        {"FRI": 1, "FRII": 1, "bent": 1, "compact": 0}, 200, rng=np.random.default_rng(2)
    )
    raw = fake.images + np.random.default_rng(3).normal(0, 0.01, fake.images.shape)
    fits.writeto(tmp_path / "one.fits", raw[0].astype("f4"))
    np.save(tmp_path / "two.npy", raw[1].astype("f4"))
    import imageio.v3

    imageio.v3.imwrite(tmp_path / "three.png", ((fake.images[2] + 1) * 127.5).astype("u1"))
    return [str(tmp_path / name) for name in ("one.fits", "two.npy", "three.png")]


def test_classify_prints_probabilities_of_each_file(
    recorded: runs.Run[configs.ClassifierConfig],
    cutouts: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["classify", *cutouts]) == 0
    out, err = capsys.readouterr()
    lines = out.strip().splitlines()
    assert lines[0].split() == ["file", "class", "FRI", "FRII", "bent", "compact"]
    for line, file in zip(lines[2:], cutouts, strict=True):
        assert line.split()[0] == file
        assert sum(float(number) for number in line.split()[2:]) == pytest.approx(1, abs=0.003)
    assert recorded.folder.name in err


@pytest.mark.parametrize("suffix", [".fits", ".vot"])
def test_classes_as_a_table_for_topcat_and_a_page(
    recorded: runs.Run[configs.ClassifierConfig],
    cutouts: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    suffix: str,
) -> None:
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).uniform(0, 1, (200, 200)).astype("f4"))
    table, page = tmp_path / f"classes{suffix}", tmp_path / "classes.html"
    command = ["classify", *cutouts, str(tmp_path / "noise.npy"), "--out", str(table), "--page", str(page)]
    for _ in range(2):  # its own are replaced
        assert main(command) == 0
    assert not capsys.readouterr().out
    found = Table.read(table)
    assert found.colnames == ["file", "class", "FRI", "FRII", "bent", "compact"]
    assert found["file"].astype(str).tolist() == cutouts
    assert recorded.folder.name in str(found.meta)
    assert "noise.npy" in str(found.meta).replace("', '", "")  # FITS breaks lines after 72 letters
    text = page.read_text("utf-8")
    assert "three.png" in text
    assert "noise.npy" in text


@pytest.mark.usefixtures("recorded")
def test_a_file_with_nothing_to_see_is_named_and_left_out(
    tmp_path: Path, cutouts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).uniform(0, 1, (200, 200)).astype("f4"))
    assert main(["classify", str(tmp_path / "noise.npy"), *cutouts]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.strip().splitlines()[2:]] == cutouts
    assert f"left out {tmp_path / 'noise.npy'}: " in err
    first, second = np.load(cutouts[1]), np.load(tmp_path / "noise.npy")
    np.save(tmp_path / "stack.npy", np.stack([first, second, first]))
    assert main(["classify", str(tmp_path / "stack.npy")]) == 0
    out, err = capsys.readouterr()
    rows = [line.split()[0] for line in out.strip().splitlines()[2:]]
    assert rows == [f"{tmp_path / 'stack.npy'}[{i}]" for i in (0, 2)]
    assert f"left out {tmp_path / 'stack.npy'}[1]: " in err


@pytest.mark.usefixtures("recorded")
def test_the_class_depends_on_neither_unit_nor_offset_nor_a_survey_edge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(5)
    image = 0.01 * simulation.simulate({"FRII": 1}, 150, rng=rng).images[0] + rng.normal(
        0, 1.5e-4, (150, 150)
    )
    changed = {"raw": image, "si": image * 1e-26, "sky": image + 0.01, "micro": 1e6 * image}
    for gap in (np.nan, 0):
        changed[f"edge{gap}"], changed[f"source{gap}"] = image.copy(), image.copy()
        changed[f"edge{gap}"][:, :15] = gap
        changed[f"source{gap}"][60:80, 60:80] = gap
    for name, pixels in changed.items():
        np.save(tmp_path / f"{name}.npy", pixels)
    files = [str(tmp_path / f"{name}.npy") for name in changed]
    assert main(["classify", *files, "--csv", str(tmp_path / "out.csv")]) == 0
    table, err = Table.read(tmp_path / "out.csv"), capsys.readouterr().err
    rows = {Path(row["file"]).stem: np.array(list(row.values())[2:]) for row in table}
    assert set(rows) == {"raw", "si", "sky", "micro", "edgenan", "edge0"}
    for name, probabilities in rows.items():
        np.testing.assert_allclose(probabilities, rows["raw"], atol=0.02 if "edge" in name else 1e-3)
    for name in ("sourcenan", "source0"):
        assert f"left out {tmp_path / name}.npy: missing data (NaN or zeros) that touch the source" in err


def test_pixels_of_another_width_are_named_and_resampled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    double = simulation.simulate({"FRII": 1}, 300, rng=np.random.default_rng(2)).images[0]
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 30.0})
    header.update({"CRPIX1": 150.5, "CRPIX2": 150.5, "CDELT1": -0.9 / 3600, "CDELT2": 0.9 / 3600})
    path = tmp_path / "fine.fits"
    fits.writeto(path, double, header)

    def probabilities(*options: str) -> tuple[list[float], str]:
        assert main(["classify", str(path), "--csv", str(tmp_path / "out.csv"), *options]) == 0
        (row,) = Table.read(tmp_path / "out.csv")
        return list(row.values())[2:6], capsys.readouterr().err

    native, said = probabilities("--crop", "192")
    assert f"{path} has pixels of 0.90 arcsec" in said
    resampled, said = probabilities("--pixel-scale", "1.8")
    assert "arcsec" not in said
    assert resampled != native
    coarse = read_cutouts([path], size=150, pixel_scale=1.8)
    expected = load_classifier()
    wanted = expected.predict(expected.prepare(coarse).images)[0]
    np.testing.assert_allclose(resampled, wanted, atol=1e-5)


def test_what_is_no_classifier_classifies_nothing(
    tmp_path: Path,
    cutouts: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    recorded: runs.Run[configs.ClassifierConfig],
) -> None:
    monkeypatch.undo()
    gan = next(name for name in runs.saved_runs() if name.startswith("laptop-gan-all-"))
    assert main(["classify", "--model", gan, *cutouts]) == 1
    assert f"{gan} classifies nothing" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match="holds no generator"):
        sample_generators([recorded.folder], 2, rng=np.random.default_rng(0))


@pytest.mark.usefixtures("recorded")
def test_classify_to_csv_leaving_out_what_cannot_be_read(
    cutouts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "page.fits"
    bad.write_text("<!DOCTYPE html><html>server error</html>")
    assert main(["classify", *cutouts, str(bad), "--csv", str(tmp_path / "out.csv")]) == 1
    assert "page.fits" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
    assert main(["classify", *cutouts, str(bad), "--skip", "--csv", str(tmp_path / "out.csv")]) == 0
    assert "skipped" in capsys.readouterr().err
    table = Table.read(tmp_path / "out.csv", format="ascii.csv")
    assert len(table) == 3
    total = sum(np.asarray(table[name]) for name in ("FRI", "FRII", "bent", "compact"))
    np.testing.assert_allclose(total, 1, atol=1e-5)


def test_runs_are_listed(
    recorded: runs.Run[configs.ClassifierConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.strip() == recorded.folder.name


def test_cite_prints_bibtex(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cite", "first"]) == 0
    out = capsys.readouterr().out
    assert "@" in out
    assert "Becker" in out


def test_an_unknown_choice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--training-set", "imaginary"])
    assert stopped.value.code == 2
    assert "real+geometric" in capsys.readouterr().err


LIST = "name,ra,dec,class\nA,10.0,20.0,FR1\nB,10.005,20.0,double\nC,50,-5,WAT\n"


def test_a_pair_with_one_unknown_class_is_none_of_two_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,ra,dec,class\na,10,0,FRII\nb,10.001,0,\nc,20,0,FRI\nd,20.001,0,bent\n")
    assert main(["catalogue", str(path)]) == 0
    assert "2 pairs within 60 arcsec, 1 of different classes" in capsys.readouterr().out
    assert main(["catalogue", "--classes", "double=FRII", str(path)]) == 1
    assert "give LABEL=CLASS, and lists before this option" in capsys.readouterr().err


def test_catalogue_counts_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.csv").write_text(LIST)
    arguments = ["catalogue", str(tmp_path / "mine.csv"), "--classes", "double=FRII"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()[2:5]] == [
        ["mine", c, "1"] for c in ("FRI", "FRII", "bent")
    ]
    assert "3 sources; 1 pairs within 60 arcsec, 1 of different classes" in out
    assert main(arguments[:2]) == 1
    assert "unknown class 'double'" in capsys.readouterr().err


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_cutouts_of_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from astroquery.image_cutouts.first import FirstClass

    (tmp_path / "mine.csv").write_text(LIST)
    sky = SkyServer(np.random.default_rng(1).random((3, 150, 150)))
    sky.faults[key_of(50, -5)] = ["outside"]
    arguments = ["cutouts", str(tmp_path / "mine.csv"), str(tmp_path / "out"), "--classes", "double="]
    with sky.running() as url:
        monkeypatch.setattr(FirstClass, "URL", f"{url}/cgi-bin/firstcutout")
        assert main([*arguments, "--survey", "first"]) == 0
    out, err = capsys.readouterr()
    assert "2 of 3 cutouts in" in out
    assert "C: outside survey (Sorry" in err
    assert sorted(path.name for path in (tmp_path / "out").glob("*.fits")) == ["A.fits", "B.fits"]

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cutout_module, "download_cutouts", stopped)
    assert main(arguments) == 75
    assert "run the same command again to resume" in capsys.readouterr().err


def test_run_prints_both_accuracies_on_the_unaugmented_sources(
    recorded: runs.Run[configs.ClassifierConfig],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(recipes, "run", lambda *_, **__: recorded)
    assert main(["run", "--scale", "smoke"]) == 0
    stored = recorded.predictions
    labels, answers = (x[stored["plain"]] for x in (stored["labels"], stored["probabilities"].argmax(axis=1)))
    recalls = [(answers == code)[labels == code].mean() for code in range(4)]
    out = capsys.readouterr().out
    assert f"on {len(labels)} validation sources" in out
    assert f"\naccuracy {(answers == labels).mean():.3f} (" in out
    assert f"\nbalanced accuracy {np.mean(recalls):.3f} (" in out
