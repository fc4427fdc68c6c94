"""Cuts, decisions and agreement."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling.models import Gaussian2D
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray
from samples import SHARED
from sklearn.metrics import cohen_kappa_score

from radiosynth import datasets, selection, simulation, taxonomy
from radiosynth.cli import main
from radiosynth.cutouts.files import CutoutError
from radiosynth.cutouts.read import read_cutouts
from radiosynth.preprocessing import noise_threshold
from radiosynth.sample import Sample

SIZE = 150
SIGMA = 5.4 / 2.3548 / 1.8  # of the beam in pixels
Y, X = np.mgrid[:SIZE, :SIZE]


def spot(x: float, y: float, peak: float, width: float = SIGMA) -> NDArray:
    """Return a source x arcsec west and y arcsec north of the middle."""
    middle = (SIZE - 1) / 2
    return Gaussian2D(peak, middle + x / 1.8, middle + y / 1.8, width, width)(X, Y)


def sky(seed: int = 0) -> NDArray:
    return np.random.default_rng(seed).normal(0, 1, (SIZE, SIZE))


def flags(*images: NDArray, **columns: list) -> dict[str, list[bool]]:
    table = Table({"name": [f"s{i}" for i in range(len(images))], **columns})
    found = selection.automatic_cuts(Sample(np.stack(images), [0] * len(images), table))
    return {name: found[name].tolist() for name in selection.CUTS}


def raised(image: NDArray, **columns: list) -> set[str]:
    return {name for name, (flag,) in flags(image, **columns).items() if flag}


# The cuts ----------------------------------------------------------------------------------------------


def test_good_sources_pass_all_cuts() -> None:
    single = sky() + spot(0, 0, 100)
    double = sky(1) + spot(30, 20, 80) + spot(-30, -20, 90)
    triple = sky(2) + spot(50, 0, 80) + spot(-50, 0, 80) + spot(0, 0, 40)
    assert all(not any(values) for values in flags(single, double, triple).values())


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (sky() + spot(70, 0, 100), {"off_centre"}),
        (sky() + spot(0, 0, 100) + spot(90, 60, 80), {"several"}),
        (sky() + sum(spot(0, y, 30, 4) for y in range(-110, 111, 10)), {"large"}),
        (sky() + spot(0, 0, 7), {"faint"}),
        (sky() + spot(0, 0, 200) - spot(20, 0, 40, 4), {"artefact"}),
    ],
)
def test_each_cut_flags_what_it_is_for(image: NDArray, expected: set[str]) -> None:
    assert raised(image) == expected


def test_a_source_that_reaches_the_rim_is_larger_than_the_cutout() -> None:
    assert "large" in raised(sky() + sum(spot(x, 0, 30, 3) for x in range(0, 140, 8)))


def test_specks_are_artefacts() -> None:
    image = sky() + spot(0, 0, 100)
    image[np.random.default_rng(3).integers(0, SIZE, 30), np.random.default_rng(4).integers(0, SIZE, 30)] = 15
    assert raised(image) == {"artefact"}


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_pixels_without_data_are_outside_the_survey(value: float) -> None:
    image = sky() + spot(0, 0, 100)
    image[:, -10:] = value
    found = selection.automatic_cuts(Sample([image], [0]))
    assert found["missing"][0] == pytest.approx(10 / SIZE, abs=1e-4)
    assert raised(image) == {"outside"}


@pytest.mark.parametrize(("peak", "expected"), [(8, "faint"), (30, None), (1000, None)])
def test_the_noise_of_a_thresholded_image_is_that_of_the_peaks_it_left(
    peak: float, expected: str | None
) -> None:
    noisy = sky() + spot(0, 0, peak)
    clipped, _ = noise_threshold([noisy])
    eight_bits = np.floor((clipped - clipped.min()) / np.ptp(clipped) * 255)  # as the published images are
    assert raised(eight_bits[0]) == ({expected} if expected else set())
    found, raw = selection.automatic_cuts(Sample([*eight_bits, noisy], [0, 0]))["peak_snr"]
    assert raw == pytest.approx(peak, rel=0.3)
    # Grey levels coarser than the noise leave a lower limit.
    assert raw / 2 < found < 2 * raw if peak < 35 else 10 < found < raw


@pytest.mark.parametrize(
    "image", [np.full((SIZE, SIZE), np.nan), np.zeros((SIZE, SIZE)), np.full((9, 9), 7.0)]
)
def test_blank_images_are_faint_and_break_nothing(image: NDArray) -> None:
    assert "faint" in raised(image)
    assert raised(image) <= {"faint", "outside"}


def test_duplicates_by_position_and_by_pixels() -> None:
    images = [sky(i) + spot(0, 0, 100) for i in range(4)]
    places = {"ra": [10.0, 10.0, 10.0, 50.0], "dec": [80.0, 80.0 + 19 / 3600, 80.0 + 60 / 3600, 0.0]}
    assert flags(*images, **places)["duplicate"] == [False, True, False, False]
    # 100 arcsec of right ascension are 17 on the sky at this declination.
    east = {"ra": [10.0, 10.0 + 100 / 3600], "dec": [80.0, 80.0]}
    assert flags(*images[:2], **east)["duplicate"] == [False, True]
    assert flags(images[0], images[1], images[0])["duplicate"] == [False, False, True]
    unknown = {"ra": [np.nan, np.nan], "dec": [np.nan, np.nan]}
    assert flags(*images[:2], **unknown)["duplicate"] == [False, False]


def test_the_first_of_three_is_the_one_that_stays() -> None:
    sample = Sample(
        np.stack([sky(i) for i in range(3)]),
        [0] * 3,
        Table({"name": ["a", "b", "c"], "ra": [0.0, 5 / 3600, 359.999], "dec": [0.0, 0.0, 0.0]}),
    )
    assert selection.automatic_cuts(sample)["duplicate_of"].tolist() == ["", "a", "a"]


def test_thresholds_and_pixel_scale_are_used() -> None:
    sample = Sample([sky() + spot(36, 0, 100)], [0])
    offset = selection.automatic_cuts(sample)["offset"]
    assert offset[0] == pytest.approx(36, abs=0.5)
    assert str(offset.unit) == "arcsec"
    assert selection.automatic_cuts(sample, selection.Cuts(off_centre=30))["off_centre"].tolist() == [True]
    wider = selection.automatic_cuts(sample, selection.Cuts(pixel_scale=3.6, beam=10.8))
    assert wider["offset"][0] == pytest.approx(2 * offset[0])


def test_flags_do_not_depend_on_the_unit() -> None:
    images = np.stack([sky() + spot(70, 0, 100), sky() + spot(0, 0, 100) + spot(90, 60, 80)])
    one, other = (selection.automatic_cuts(Sample(images * unit, [0, 0])) for unit in (1, 1e-4))
    for name in selection.CUTS:
        assert one[name].tolist() == other[name].tolist()


def test_most_simulated_sources_pass() -> None:
    fake = simulation.simulate(25, SIZE, rng=np.random.default_rng(6))
    noisy = (fake.images + 1) * 50 + np.random.default_rng(7).normal(0, 1, fake.images.shape)
    found = selection.automatic_cuts(Sample(noisy, fake.labels))
    assert np.mean(np.any([found[name] for name in selection.CUTS], axis=0)) < 0.25


def test_an_empty_sample_gives_an_empty_table() -> None:
    found = selection.automatic_cuts(Sample(np.zeros((0, 8, 8)), []))
    assert len(found) == 0
    assert set(selection.CUTS) <= set(found.colnames)


@pytest.mark.shared
def test_the_real_cutout_whose_position_is_wrong_is_off_centre() -> None:
    folder = SHARED / "data" / "first_fits"
    if not folder.is_dir():
        pytest.skip("no copy of the FITS cutouts")
    sample = selection.read_folder(folder, size=SIZE)
    found = selection.automatic_cuts(sample)
    assert found["name"][found["off_centre"]].tolist() == ["100_209.593+018.300_0.1616_0048.72.fits"]
    assert found["offset"].max() == pytest.approx(90, abs=2)
    wide = selection.automatic_cuts(selection.read_folder(folder))
    # As the README there says, four have NaN, none in the middle half; one has only a corner of it.
    assert (wide["missing"] > 0).sum() == 4
    assert wide["outside"].sum() == 3
    assert not found["outside"].any()


# Folders ------------------------------------------------------------------------------------------------


def write_folder(folder: Path, n: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    for i in range(n):
        fits.writeto(folder / f"s{i}.fits", (sky(i) + spot(0, 0, 100)).astype("f4"))
    return folder


def test_a_folder_of_files(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    (folder / "notes.txt").write_text("not an image")
    (folder / "bad.fits").write_text("<html>error</html>")
    (folder / ".s3.1-1.part.fits").write_text("SIMPLE")  # what a killed download left: not even named
    sample = selection.read_folder(folder, size=100)
    assert sample.table["name"].tolist() == ["s0.fits", "s1.fits", "s2.fits"]
    assert sample.images.shape == (3, 100, 100)
    assert [Path(name).name for name, _ in sample.table.meta["skipped"]] == ["bad.fits"]


def test_a_folder_with_a_manifest(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    (folder / "s1.fits").write_bytes(b"SIMPLE  =                    T")
    Table(
        {
            "name": ["A", "B", "C", "D"],
            "ra": [1.0, 2.0, 3.0, 4.0],
            "dec": [0.0] * 4,
            "class": ["FRI", "", "bent", "FRII"],
            "catalogue": ["X"] * 4,
            "file": ["s0.fits", "s1.fits", "s2.fits", ""],
            "status": ["ok", "ok", "ok", "outside"],
            "message": ["", "", "", "the survey ends at -10"],
            "bending_angle": MaskedColumn([1.0, 2.0, 3.0, 4.0], mask=[True, False, False, True]),
        }
    ).write(folder / "manifest.ecsv", format="ascii.ecsv")
    sample = selection.read_folder(folder)
    assert sample.table["name"].tolist() == ["A", "C"]
    assert sample.labels.tolist() == [0, 2]
    skipped = dict(sample.table.meta["skipped"])
    assert skipped["D"] == "outside: the survey ends at -10"
    assert "cannot be read" in skipped["B"]


def test_images_at_the_edge_of_the_survey_are_shown(tmp_path: Path) -> None:
    image = sky() + spot(0, 0, 100)
    image[:, :20] = np.nan
    fits.writeto(tmp_path / "edge.fits", image)
    Table({"name": ["E"], "file": ["edge.fits"], "status": ["nan edge"]}).write(tmp_path / "manifest.ecsv")
    sample = selection.read_folder(tmp_path)
    assert sample.table["name"].tolist() == ["E"]
    assert np.isnan(sample.images).mean() == pytest.approx(20 / SIZE)
    assert selection.automatic_cuts(sample)["outside"].tolist() == [True]
    assert selection.automatic_cuts(selection.read_folder(tmp_path, size=100))["outside"].tolist() == [False]
    with pytest.raises(CutoutError, match="are NaN, infinite or transparent; give a smaller size"):
        read_cutouts(tmp_path / "edge.fits")
    with pytest.raises(ValueError, match="choose from refuse, keep"):
        read_cutouts(tmp_path / "edge.fits", nan="drop")  # type: ignore[arg-type]
    fits.writeto(tmp_path / "nothing.fits", np.where(np.isnan(image), np.inf, np.nan))
    with pytest.raises(CutoutError, match="all pixels are NaN"):
        read_cutouts(tmp_path / "nothing.fits", nan="keep")


@pytest.mark.parametrize("wrong", [{"pixel_scale": 0}, {"pixel_scale": np.nan}, {"beam": -1}])
def test_a_width_of_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="give a number above 0"):
        selection.Cuts(**wrong)


def test_the_pixel_scale_of_the_files_is_used() -> None:
    images = [sky() + spot(36, 0, 100)] * 2
    sample = Sample(images, [0, 0], Table({"name": ["a", "b"], "pixel_scale": [0.9, 0.9]}))
    assert selection.automatic_cuts(sample)["offset"][0] == pytest.approx(18, abs=0.3)


def test_a_saved_sample_and_what_is_no_folder(tmp_path: Path) -> None:
    Sample(np.stack([sky()]), [1]).save(tmp_path / "s.npz")
    assert selection.read_folder(tmp_path / "s.npz").labels.tolist() == [1]
    with pytest.raises(ValueError, match="is no folder"):
        selection.read_folder(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="neither a manifest"):
        selection.read_folder(tmp_path / "empty")
    Table({"name": ["a"]}).write(tmp_path / "empty" / "manifest.ecsv", format="ascii.ecsv")
    with pytest.raises(ValueError, match="no column file"):
        selection.read_folder(tmp_path / "empty")


# Decisions ----------------------------------------------------------------------------------------------


@pytest.fixture
def sample() -> Sample:
    images = np.stack([sky(i) for i in range(4)])[:, :20, :20]
    return Sample(images, [0, 1, 2, -1], Table({"name": ["a", "b", "c", "1e5"]}))


def decided(*rows: str) -> Table:
    header = "name,decision,reason,class,reader,time"
    return Table(rows=list(csv.DictReader([header, *rows])), names=header.split(","))


def test_decisions_are_applied(sample: Sample) -> None:
    table = decided("a,keep,,FRI,,", "b,drop,large,FRII,,", "c,relabel,,compact,,", "1e5,relabel,,wat,,")
    kept = selection.apply_decisions(sample, table)
    assert kept.table["name"].tolist() == ["a", "c", "1e5"]
    assert kept.labels.tolist() == [0, 3, 2]
    np.testing.assert_array_equal(kept.images, sample.images[[0, 2, 3]])
    assert kept.history[-1] == "selected by hand: 3 of 4 kept, 2 relabelled"
    assert sample.labels.tolist() == [0, 1, 2, -1]


@pytest.mark.parametrize(("undecided", "names"), [("keep", ["a", "c", "1e5"]), ("drop", ["a"])])
def test_sources_without_a_decision(sample: Sample, undecided: str, names: list[str]) -> None:
    table = decided("a,keep,,,,", "b,drop,,,,")
    kept = selection.apply_decisions(sample, table, undecided=undecided)  # type: ignore[arg-type]
    assert kept.table["name"].tolist() == names
    with pytest.raises(ValueError, match="2 of 4 sources have no decision, such as c, 1e5"):
        selection.apply_decisions(sample, table)
    with pytest.raises(ValueError, match="choose from raise, keep, drop"):
        selection.apply_decisions(sample, table, undecided="perhaps")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["z,keep,,,,"], "such as z"),
        (["a,retain,,,,"], "decision 'retain'; allowed are keep, drop, relabel"),
        (["a,relabel,,,,"], "without a class"),
        (["a,relabel,,spiral,,"], "unknown class 'spiral'"),
        (["a,keep,,FRI,,", "a,drop,faint,FRI,,"], "a: rows contradict each other"),
        (["a,keep,,FRII,,"], "a: kept with another class"),
        (["1e5,keep,,FRII,,"], "1e5: kept with another class"),
    ],
)
def test_decisions_that_cannot_be_applied(sample: Sample, rows: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        selection.apply_decisions(sample, decided(*rows), undecided="keep")


def test_a_row_that_stands_twice_counts_once(sample: Sample) -> None:
    kept = selection.apply_decisions(sample, decided("a,drop,,,x,", "a,drop,,,y,"), undecided="keep")
    assert len(kept) == 3


def test_names_have_to_differ(sample: Sample) -> None:
    sample.table["name"] = ["a", "a", "b", "c"]
    with pytest.raises(ValueError, match=r"not unique \(a\)"):
        selection.apply_decisions(sample, decided("a,keep,,,,"), undecided="keep")


def test_decisions_are_read(tmp_path: Path) -> None:
    table = decided('"1e5, twice",keep,,FRI,me,2026-01-01T00:00:00Z', "007,drop,faint,,me,")
    path = tmp_path / "decisions.csv"
    table.write(path, format="ascii.csv")
    found = selection.read_decisions(path)
    assert [tuple(row) for row in found] == [tuple(row) for row in table]


def test_a_spreadsheet_may_have_marked_the_file(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(b"\xef\xbb\xbfdecision,name\r\nkeep,a\r\n")
    assert selection.read_decisions(path)["name", "decision", "class"].as_array().tolist() == [
        ("a", "keep", "")
    ]


@pytest.mark.parametrize("text", ["", "[1, 2", "name\na\n", "name,decision\na,maybe\n", "\0\1"])
def test_what_is_no_decisions_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"d\.csv"):
        selection.read_decisions(path)


def test_the_authors_own_decisions_give_the_counts_of_table_2() -> None:
    candidates = datasets.load_report_candidates()
    candidates["name"] = [f"{i} {name}" for i, name in enumerate(candidates["name"])]  # one is there twice
    codes = [taxonomy.class_code(name) for name in candidates["class"]]
    report = Sample(np.zeros((len(candidates), 1, 1)), codes, candidates)
    kept = selection.apply_decisions(report, candidates)
    assert kept.counts() == {"FRI": 220, "FRII": 405, "bent": 226, "compact": 243}


# Agreement ----------------------------------------------------------------------------------------------


def readers(n: int, share: float) -> tuple[Table, Table, list[str], list[str]]:
    rng = np.random.default_rng(8)
    first = rng.choice(["keep", "drop", "FRI"], n)
    second = np.where(rng.random(n) < share, first, rng.choice(["keep", "drop", "FRI"], n))
    tables = [
        decided(*(f"s{i},{'relabel,,FRI' if o == 'FRI' else o + ',,'},," for i, o in enumerate(outcome)))
        for outcome in (first, second)
    ]
    return tables[0], tables[1], first.tolist(), second.tolist()


def test_kappa_is_that_of_the_outcomes() -> None:
    first, second, one, other = readers(200, 0.7)
    found = selection.agreement(first, second[::-1])
    assert found.kappa == pytest.approx(cohen_kappa_score(one, other))
    assert found.low < found.kappa < found.high
    # The large-sample standard error of Cohen (1960).
    agreed, chance = found.proportion, sum((one.count(c) / 200) * (other.count(c) / 200) for c in set(one))
    error = np.sqrt(agreed * (1 - agreed) / 200) / (1 - chance)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert len(found.disagreements) == sum(a != b for a, b in zip(one, other, strict=True))


def test_agreement_lists_what_differs_and_ignores_reasons() -> None:
    first = decided("a,keep,,,,", "b,drop,faint,,,", "c,drop,large,,,", "d,keep,,,,")
    second = decided("a,relabel,,bent,,", "b,drop,large,,,", "c,keep,,,,", "e,keep,,,,")
    found = selection.agreement(first, second)
    assert found.number == 3
    assert found.proportion == pytest.approx(1 / 3)
    assert found.disagreements.as_array().tolist() == [("a", "keep", "bent"), ("c", "drop", "keep")]


def test_agreement_of_readers_who_never_differ_or_never_meet() -> None:
    same = selection.agreement(decided("a,keep,,,,", "b,keep,,,,"), decided("a,keep,,,,", "b,keep,,,,"))
    assert same.proportion == 1
    assert np.isnan([same.kappa, same.low, same.high]).all()
    perfect = selection.agreement(decided("a,keep,,,,", "b,drop,,,,"), decided("a,keep,,,,", "b,drop,,,,"))
    assert perfect.kappa == 1
    with pytest.raises(ValueError, match="decided by both"):
        selection.agreement(decided("a,keep,,,,"), decided("b,keep,,,,"))


# The command --------------------------------------------------------------------------------------------


def test_the_command_from_folder_to_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "cutouts")
    (folder / "bad.fits").write_text("")
    assert main(["select", str(folder)]) == 0
    told = capsys.readouterr()
    assert "3 sources" in told.out
    assert "bad.fits: the file is empty (0 bytes)" in told.err
    assert (folder / "review.html").stat().st_size < 200_000
    mine, hers = tmp_path / "mine.csv", tmp_path / "hers.csv"
    mine.write_text("name,decision,reason,class\ns0.fits,relabel,,bent\ns1.fits,drop,faint,\n")
    hers.write_text("name,decision,reason,class\ns0.fits,relabel,,bent\ns1.fits,keep,,\n")
    assert main(["select", str(folder), "--decisions", str(mine)]) == 1
    assert "1 of 3 sources have no decision" in capsys.readouterr().err
    out = tmp_path / "kept.npz"
    assert (
        main(["select", str(folder), "--decisions", str(mine), "--undecided", "keep", "--out", str(out)]) == 0
    )
    assert "2 of 3 kept, 1 relabelled" in capsys.readouterr().out
    assert Sample.load(out).labels.tolist() == [2, -1]
    assert main(["select", str(folder), "--decisions", str(mine), "--second", str(hers)]) == 0
    told = capsys.readouterr()
    assert "Cohen's kappa 0.333" in told.out
    assert "drop" in told.out
