"""What is written: whole or not at all, in place of nothing else, and wherever standard output leads."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from radiosynth import Sample, _io, read_positions, review_page
from radiosynth._io import (
    decoded,
    refuse_to_replace,
    table_format,
    write_atomically,
    write_table,
)
from radiosynth.cli import main
from radiosynth.reproduction import presets
from radiosynth.selection.decisions import read_decisions

TABLE = Table({"file": ["Müller.fits"], "x": [1.5]})


def program(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    code = "import sys; from radiosynth.cli import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", code, *arguments], check=False, **options)  # type: ignore[call-overload]


def test_a_link_is_kept_and_its_target_replaced_with_its_mode(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    target, link = tmp_path / "deep" / "real.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_table(link, TABLE)
    assert link.is_symlink()
    assert target.read_text("utf-8") == "file,x\nMüller.fits,1.5\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert len(list(tmp_path.rglob("*.csv"))) == 2


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="null is a folder or a device"):
        Sample(np.zeros((1, 8, 8)), [0]).save("/dev/null")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ValueError, match=r"pipe\.csv is a folder or a device"):
        write_table(tmp_path / "pipe.csv", TABLE)


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "old.fits"
    TABLE["x",].write(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"old\.fits: a table in FITS holds ASCII only, not 'Müller\.fits'"):
        write_table(path, TABLE)  # FITS has no umlauts
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match=r"use \.ecsv, \.csv, \.fits, \.vot"):
        write_table(tmp_path / "a.hdf5", TABLE)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    except OSError:
        done = False
    if not done:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named_with_advice(small_disk: Path) -> None:
    rng = np.random.default_rng(0)
    path = small_disk / "sample.npz"
    Sample(rng.random((1, 8, 8)), [0]).save(path)
    big = Sample(rng.random((9, 99, 99)), [0] * 9)
    with pytest.raises(OSError, match=r"No space left on device: free some space.*sample\.npz") as told:
        big.save(path)
    assert told.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match=r"free some space.*table\.csv"):
        write_table(small_disk / "table.csv", Table({"x": rng.random(9999)}))
    with pytest.raises(OSError, match=r"free some space.*page\.html"):
        review_page(big, small_disk / "page.html")
    assert len(Sample.load(path)) == 1
    assert list(small_disk.iterdir()) == [path]


def test_a_limit_of_the_size_of_files_is_named(tmp_path: Path) -> None:
    code = (
        "import resource, signal, numpy as np; from radiosynth import Sample;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999));"
        "Sample(np.random.default_rng(0).random((9, 99, 99)), [0] * 9).save('a.npz')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "File too large: free some space, or write to another disk: 'a.npz'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named_by_the_file(tmp_path: Path) -> None:
    def refused(partial: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(partial))

    with pytest.raises(PermissionError, match=r"Permission denied: '.*/out\.csv'$"):
        write_atomically(tmp_path / "out.csv", refused)


def test_another_kind_of_file_an_input_and_a_folder_are_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    refuse_to_replace(path, b"file,class,")
    for content in ("", "file,class,FRI\n"):
        path.write_text(content)
        refuse_to_replace(path, b"file,class,")
    with pytest.raises(ValueError, match="is one of the files to be read"):
        refuse_to_replace(path, b"file,class,", [tmp_path / "none", tmp_path / "." / "a.csv"])
    path.write_text("id,RA,Dec\n")
    with pytest.raises(ValueError, match="exists, and is not what would be written there"):
        refuse_to_replace(path, b"file,class,")
    with pytest.raises(ValueError, match="is a folder"):
        refuse_to_replace(tmp_path, b"")
    sample = Sample(np.random.default_rng(0).random((1, 8, 8)), [0])
    for write in (sample.save, lambda at: review_page(sample, at)):
        with pytest.raises(ValueError, match="exists, and is not what"):
            write(path)
    assert path.read_text() == "id,RA,Dec\n"
    np.savez(tmp_path / "mine.npz", weights=np.ones(3))
    with pytest.raises(ValueError, match="exists, and is not what"):
        sample.save(tmp_path / "mine.npz")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0", b"a\0b", b"\xff\xfea", b"SIMPLE\0\x01"])
def test_what_is_no_text(data: bytes) -> None:
    with pytest.raises(ValueError, match="it is no text"):
        decoded(data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_decisions_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_text("name,decision\nMüller,keep\n", encoding)
    assert read_decisions(tmp_path / "a.csv")["name"].tolist() == ["Müller"]


# The command line -----------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.chdir(tmp_path)
    paths = [Path(f"{name}.fits") for name in ("a", "b")]
    for path in paths:
        fits.writeto(path, np.random.default_rng(0).normal(size=(160, 160)).astype("f4"))
    return paths


def test_the_files_to_be_classified_are_not_replaced(
    files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = files[0].read_bytes()
    assert main(["classify", "--csv", *map(str, files)]) == 1  # as --csv *.fits is expanded
    assert "a.fits exists, and is not what would be written there" in capsys.readouterr().err
    assert main(["classify", "b.fits", "--csv", "b.fits"]) == 1
    assert "b.fits is one of the files to be read" in capsys.readouterr().err
    assert files[0].read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["select", "here", "--second", "b.csv"], "--second has no effect without --decisions"),
        (["select", "here", "--undecided", "keep"], "--undecided has no effect without --decisions"),
        (
            ["select", "here", "--decisions", "a", "--second", "b", "--out", "c", "--crop", "9"],
            "--out and --crop has no effect with --second",
        ),
        (
            ["select", "here", "--decisions", "a", "--pixel-scale", "2"],
            "--pixel-scale has no effect with --d",
        ),
        (["select", "a.npz", "--crop", "9"], "--crop has no effect for a saved sample"),
        (
            ["select", "a.npz", "--decisions", "d.csv", "--out", "a.npz"],
            "a.npz is one of the files to be read",
        ),
        (["select", "a.npz", "--out", "a.fits"], "a.fits exists, and is not what would be written"),
        (["catalogue", "FRICAT", "--classes", "a=FRI"], "--classes has no effect on catalogues"),
        (["catalogue", "friicat2"], "friicat2 is neither a file nor a known catalogue: CoNFIG, FRICAT"),
    ],
)
@pytest.mark.usefixtures("files")
def test_options_without_effect_and_outputs_over_inputs(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Sample(np.random.default_rng(0).random((1, 8, 8)), [0]).save("a.npz")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["cutouts", "l", "f", "--width", "nan"],
        ["classify", "f", "--pixel-scale", "-1"],
        ["classify", "f", "--crop", "0"],
        ["run", "--seed", "-1"],
        ["run", "--time-limit", "nan"],
        ["gan", "--split-seed", "1.5"],
        ["tune", "--family", "report", "--trials", "0"],
    ],
)
def test_numbers_out_of_range(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path / "runs"))
    with pytest.raises(SystemExit):
        main(arguments)
    assert f"argument {arguments[-2]}: '{arguments[-1]}' is not a " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_output_that_nobody_can_take(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text('name,ra,dec,class\n"a",1,2,FRI\n"b",3,4,bent\n')
    (tmp_path / "Müller.csv").write_bytes((tmp_path / "l.csv").read_bytes())
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    told = program("catalogue", "Müller.csv", env=ascii_only, cwd=tmp_path, capture_output=True)
    assert (told.returncode, told.stderr) == (0, b"")
    assert told.stdout.isascii()
    shell = f"{sys.executable} -c 'from radiosynth.cli import main; main()' catalogue l.csv >&-"
    told = subprocess.run(["sh", "-c", shell], cwd=tmp_path, capture_output=True, check=False)
    assert (told.returncode, told.stderr) == (0, b"")
    read, write = os.pipe()
    os.close(read)
    told = program("catalogue", "l.csv", cwd=tmp_path, stdout=write, stderr=subprocess.PIPE)
    assert (told.returncode, told.stderr) == (1, b"")
    os.close(write)
    if Path("/dev/full").exists():
        with Path("/dev/full").open("wb") as full:
            told = program("catalogue", "l.csv", cwd=tmp_path, stdout=full, stderr=subprocess.PIPE)
        assert told.returncode == 1
        assert told.stderr.startswith(b"radiosynth: [Errno 28] No space")
        assert told.stderr.count(b"\n") == 1


def test_a_name_with_a_line_break_is_written_as_it_is(tmp_path: Path) -> None:
    table = Table({"file": ["a\nb\tc", "é"], "class": ["FRI", "bent"], "p": [1.0, 0.5]})
    write_table(tmp_path / "a.csv", table)
    assert Table.read(tmp_path / "a.csv", format="ascii.csv")["file"].tolist() == table["file"].tolist()


def test_catalogues_are_known_in_any_capitalisation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from radiosynth.catalogues import vizier

    asked = []

    def load(name: str) -> None:
        asked.append(name)
        msg = "asked"
        raise OSError(msg)

    monkeypatch.setattr(vizier, "_from_vizier", load)
    monkeypatch.setenv("RADIOSYNTH_DATA", "/nowhere")
    assert main(["catalogue", "fricat"]) == 1
    assert asked == ["FRICAT"]
    assert "asked" in capsys.readouterr().err


def test_hash_signs_are_no_comments_in_what_is_written(tmp_path: Path) -> None:
    table = Table({"name": ["#1", "# ra dec", "a"], "ra": [1.0, 2, 3], "dec": [4.0, 5, 6]})
    for suffix in (".csv", ".ecsv"):
        write_table(tmp_path / f"a{suffix}", table)
        assert read_positions(tmp_path / f"a{suffix}")["name"].tolist() == table["name"].tolist()


TABLE_OF_CLASSES = Table(
    {"file": ["a.fits", "é.fits"], "class": ["FRI", "bent"], "FRI": np.float32([0.5, 0.25])},
    meta={"comments": ["model: mine", "left out c.fits: σ"]},
)
TABLE_OF_CLASSES["width"] = [1.0, 2.0] * units.arcsec


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot", ".parquet"])
def test_units_and_comments_come_back_from_any_table(tmp_path: Path, suffix: str) -> None:
    path, table = tmp_path / f"classes{suffix}", TABLE_OF_CLASSES.copy()
    if suffix == ".fits":
        table["file"] = ["a.fits", "e.fits"]
    if suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
    kind, like = table_format(path, (b"file", b"class"))
    write_table(path, table, kind)
    refuse_to_replace(path, like)  # not so: it is its own
    if suffix == ".parquet":  # astropy reads it with pandas
        stored = parquet.read_table(path)
        assert stored.column("file").to_pylist() == table["file"].tolist()
        said = stored.schema.metadata[b"table_meta_yaml"].decode()
        assert "model: mine" in said
        assert "unit: arcsec" in said
        return
    again = Table.read(path, format=kind)
    for name in table.colnames:
        assert again[name].astype(table[name].dtype).tolist() == table[name].tolist()
    assert again["width"].unit == "arcsec"
    assert again["FRI"].dtype.itemsize == 4
    said = again.meta.get("comments") or again.meta["description"].split("; ")
    expected = table.meta["comments"]
    assert said == [
        line.encode("ascii", "backslashreplace").decode() if suffix == ".fits" else line for line in expected
    ]


def test_parts_of_a_parquet_file_keep_missing_cells_and_units(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = Table({"name": ["a", "bc"], "x": MaskedColumn([1.5, 2], mask=[False, True], unit="arcsec")})
    write_table(tmp_path / "a.parquet", [table, table[:1]])
    stored = parquet.read_table(tmp_path / "a.parquet")
    assert stored.to_pydict() == {"name": ["a", "bc", "a"], "x": [1.5, None, 1.5]}
    assert b"unit: arcsec" in stored.schema.metadata[b"table_meta_yaml"]


def test_parquet_without_pyarrow_and_unknown_suffixes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_io, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"Parquet needs pyarrow: pip install 'radiosynth\[export\]'"):
        table_format(Path("a.parquet"))
    with pytest.raises(ValueError, match=r"no suffix of a table: use .ecsv, .csv, .fits, .vot, .parquet"):
        table_format(Path("a.txt"))


@pytest.mark.parametrize("option", ["--out", "--page"])
def test_what_is_classified_or_of_another_kind_is_not_replaced(
    files: list[Path], capsys: pytest.CaptureFixture[str], option: str
) -> None:
    Path("list.csv").write_text("name,ra,dec\na,1,2\n")
    Path("drawing.vot").write_text("<?xml version='1.0'?><svg/>")
    Path("mine.html").write_text("<!doctype html><p>notes")
    others = [files[0], "list.csv", "drawing.vot"] if option == "--out" else [files[0], "mine.html"]
    for other in others:  # an image is no table, though both are FITS
        before = Path(other).read_bytes()
        assert main(["classify", "b.fits", option, str(other)]) == 1
        assert f"{other} exists, and is not what would be written there" in capsys.readouterr().err
        assert Path(other).read_bytes() == before


@pytest.mark.parametrize("field", ["seed", "split_seed"])
def test_seeds_are_checked_before_anything_is_made(field: str) -> None:
    for make in (presets.classifier_config, presets.gan_config):
        first = "real" if make is presets.classifier_config else "all"
        with pytest.raises(ValueError, match=rf"{field} is -1; give a whole number from 0"):
            make(first, "smoke", **{field: -1})


def test_a_backend_that_is_not_there(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(150))
    env = {**os.environ, "KERAS_BACKEND": "theano"}
    told = program("classify", "a.npy", env=env, cwd=tmp_path, capture_output=True)
    assert told.returncode == 1
    assert b"Keras cannot be loaded" in told.stderr
    assert b"KERAS_BACKEND and ~/.keras/keras.json" in told.stderr
    assert told.stderr.count(b"\n") == 1


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".fits", ".vot", ".parquet"])
@pytest.mark.parametrize("columns", [("name", "z"), ("source", "class"), ("class", "name"), ("s", "name")])
def test_a_catalogue_of_another_kind_is_not_replaced(
    tmp_path: Path, suffix: str, columns: tuple[str, str]
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow.parquet")
    path = tmp_path / f"mine{suffix}"
    kind, like = table_format(path, (b"name", b"class"))
    write_table(path, Table({columns[0]: ["a"], columns[1]: ["b"], "name_class": ["c"]}), kind)
    with pytest.raises(ValueError, match="is not what would be written there"):
        refuse_to_replace(path, like)
    path.unlink()
    part = Table({"name": ["a"], "class": ["b"], "FRI": [0.5]})
    comments = [f"skipped {number}.fits: {'-' * 100}" for number in range(300)]
    write_table(path, [Table(part, meta={"comments": comments}), *[part] * 39], kind)
    refuse_to_replace(path, like)
