"""More images than memory holds: classified in chunks, killed, resumed, and on many machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from radiosynth import build_classifier, classification, load_classifier, simulate
from radiosynth._io import write_table
from radiosynth.classification import Classifier, ClassifierSettings, chunks as chunk_module
from radiosynth.classification.chunks import classify_in_chunks, count_images, in_chunks, join_chunks
from radiosynth.cli import main
from radiosynth.cutouts.manifest import files_of_list


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a saved classifier that learned nothing."""
    model = build_classifier(24, width_multiplier=0.1, seed=0)
    folder = tmp_path_factory.mktemp("tiny")
    settings = ClassifierSettings(width_multiplier=0.1)
    Classifier.trained(model, settings, name="tiny", crop=40).save(folder)
    return folder


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    sources = simulate(5, 40, rng=np.random.default_rng(3)).images
    return (sources + np.random.default_rng(4).normal(0, 0.01, sources.shape)).astype("f4")


@pytest.fixture
def cutouts(tmp_path: Path, images: np.ndarray) -> Path:
    """A folder of 20 files, of which one is bad, two chunks of two show nothing or cannot be read."""
    folder = tmp_path / "cutouts"
    folder.mkdir()
    for number, image in enumerate(images):
        fits.writeto(folder / f"{number:02d}.fits", image)
    (folder / "03.fits").write_text("<!DOCTYPE html><html>server error</html>")
    for number in (6, 7):
        (folder / f"{number:02d}.fits").write_bytes(b"")
    for number in (8, 9):
        noise = np.random.default_rng(number).uniform(0, 1, (40, 40)).astype("f4")
        fits.writeto(folder / f"{number:02d}.fits", noise, overwrite=True)
    return folder


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_module, "CHUNK", 2)
    monkeypatch.setattr(chunk_module.in_chunks, "__defaults__", (2,))
    monkeypatch.setattr(classification, "AT_ONCE", 1)


def names(pairs: list[tuple[str, str]]) -> list[str]:
    return [Path(name).name for name, _ in pairs]


def test_chunks_give_what_all_at_once_gives(tiny: Path, cutouts: Path, tmp_path: Path) -> None:
    classifier = load_classifier(tiny)
    whole = classifier.classify(sorted(cutouts.iterdir()))
    chunks = in_chunks(cutouts, 2)
    assert [len(chunk) for chunk in chunks] == [2] * 10
    tables = list(classify_in_chunks(classifier, chunks, tmp_path / "parts", jobs=2))
    for about in ("skipped", "left_out", "notes"):
        found = sorted(name for table in tables for name in names(table.meta[about]))
        assert found == names(whole.meta[about]), about
    again = list(classify_in_chunks(classifier, chunks, tmp_path / "parts"))  # read from the parts
    assert [pair for table in again for pair in table.meta["skipped"]] == whole.meta["skipped"]
    for table in filter(len, again):
        (fresh,) = (each for each in tables if each["name"].tolist() == table["name"].tolist())
        assert table.as_array().tolist() == fresh.as_array().tolist()
        assert table.dtype == fresh.dtype
    assert names(whole.meta["skipped"]) == ["03.fits", "06.fits", "07.fits"]
    assert names(whole.meta["left_out"]) == ["08.fits", "09.fits"]
    join_chunks(tmp_path / "parts", tmp_path / "out.ecsv", comments=["by tiny"])
    joined = Table.read(tmp_path / "out.ecsv")
    assert joined.meta["comments"] == ["by tiny"]
    assert joined["file"].tolist() == whole["name"].tolist()
    assert joined["class"].tolist() == whole["class"].tolist()
    for name in classifier.card["classes"]:
        np.testing.assert_allclose(joined[name], whole[name], atol=1e-6)
    assert not (tmp_path / "parts").exists()


@pytest.fixture(scope="module")
def odd() -> Classifier:
    """The default classifier, which knows what is odd."""
    return load_classifier()


def test_the_faster_network_of_chunks_gives_the_same(odd: Classifier, cutouts: Path, tmp_path: Path) -> None:
    whole = odd.classify(cutouts, crop=40)
    (table,) = classify_in_chunks(odd, in_chunks(cutouts), tmp_path / "parts", crop=40)
    assert table["class"].tolist() == whole["class"].tolist()
    for name in [*odd.card["classes"], "oddness"]:
        np.testing.assert_allclose(table[name], whole[name], atol=1e-5)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_chunks_without_a_usable_image_have_the_same_columns(
    odd: Classifier, cutouts: Path, tmp_path: Path, suffix: str
) -> None:
    whole = odd.classify(sorted(cutouts.iterdir()), crop=40)
    tables = list(classify_in_chunks(odd, in_chunks(cutouts, 2)[4:2:-1], tmp_path / "parts", crop=40))
    assert {tuple(table.colnames) for table in tables} == {tuple(whole.colnames)}
    for about in ("skipped", "left_out"):
        assert sorted(pair for table in tables for pair in table.meta[about]) == whole.meta[about][-2:]
    out = tmp_path / f"out.{suffix}"
    join_chunks(tmp_path / "parts", out)
    if suffix == "csv":
        assert Table.read(out).colnames == ["file", *whole.colnames[1:]]
    other = whole.copy()
    other.remove_column("oddness")
    with pytest.raises(ValueError, match="table 1 has the columns"):
        write_table(out, [whole, other])


def test_another_oddness_is_another_model(odd: Classifier, cutouts: Path, tmp_path: Path) -> None:
    chunks = in_chunks(cutouts, 2)
    next(classify_in_chunks(odd, chunks, tmp_path / "parts", crop=40))
    other = replace(odd, oddness=replace(odd.oddness, limit=0.6))  # type: ignore[type-var]
    with pytest.raises(ValueError, match="begun with another model"):
        next(classify_in_chunks(other, chunks, tmp_path / "parts", crop=40))


def test_wrong_arguments_are_no_wrong_files(tiny: Path, cutouts: Path, tmp_path: Path) -> None:
    classifier, chunks = load_classifier(tiny), in_chunks(cutouts, 2)
    parts = tmp_path / "parts"
    with pytest.raises(ValueError, match="pixel_scale is 1000"):
        list(classify_in_chunks(classifier, chunks, parts, pixel_scale=1000))
    assert len(next(classify_in_chunks(classifier, chunks[:1], parts, crop=np.int64(40)))) == 2  # type: ignore[arg-type]


def test_parts_are_taken_for_what_they_are(
    tiny: Path, cutouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, chunks, parts = load_classifier(tiny), in_chunks(cutouts, 2), tmp_path / "parts"
    next(classify_in_chunks(classifier, chunks, parts))
    with pytest.raises(ValueError, match="begun with another model, files or options"):
        next(classify_in_chunks(classifier, chunks, parts, crop=30))
    monkeypatch.chdir(cutouts)
    relative = [[Path(file).name for file in chunk] for chunk in chunks]
    next(classify_in_chunks(classifier, relative, parts))
    with pytest.raises(ValueError, match="lacks 9 of 10 chunks"):
        join_chunks(parts, tmp_path / "out.csv")
    list(classify_in_chunks(classifier, chunks, parts))
    about = (parts / "about.json").read_bytes()
    (parts / "about.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"about\.json is missing: give the folder"):
        join_chunks(parts, tmp_path / "out.csv")
    with pytest.raises(ValueError, match="is not empty, and has no about"):
        next(classify_in_chunks(classifier, chunks, parts))
    (parts / "about.json").write_bytes(about)
    (parts / "notes.ecsv").write_text("mine")
    with pytest.raises(ValueError, match="would be in the folder of the parts"):
        join_chunks(parts, parts / "out.csv")
    join_chunks(parts, tmp_path / "out.csv")
    assert [path.name for path in parts.iterdir()] == ["notes.ecsv"]


def test_sources_without_an_image_are_told(
    tiny: Path, cutouts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Table(
        {"name": ["a", "b"], "file": ["00.fits", ""], "status": ["ok", "failed"], "message": ["", "gone"]}
    ).write(cutouts / "manifest.ecsv")
    # The manifest of cutouts from a mosaic names that in its column path.
    manifest = Table.read(cutouts / "manifest.ecsv")
    manifest["path"] = "mosaic.fits"
    manifest.write(cutouts / "manifest.ecsv", overwrite=True)
    out = tmp_path / "out.ecsv"
    for jobs in ([], ["--jobs", "1"]):
        for given in (cutouts, cutouts / "manifest.ecsv"):
            assert main(command(tiny, given, out, *jobs)) == 0
            assert "skipped b: failed: gone" in capsys.readouterr().err
            assert "skipped b: failed: gone" in Table.read(out).meta["comments"]
            assert Table.read(out)["file"].tolist() == [str(cutouts / "00.fits")]
    assert main(command(tiny, cutouts, cutouts / "manifest.ecsv")) == 1
    assert "is one of the files to be read" in capsys.readouterr().err
    (cutouts / "list.csv").write_text("name,path\na,00.fits\nb,\n")
    assert main(command(tiny, cutouts / "list.csv", out)) == 0
    assert "skipped b: no file: the list names none" in capsys.readouterr().err


def test_a_manifest_without_images(
    cutouts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    failed = Table({"name": ["b"], "file": [""], "status": ["failed"], "message": ["gone"]})
    failed.write(cutouts / "manifest.ecsv")
    assert main(["classify", str(cutouts), "--out", str(tmp_path / "out.csv")]) == 1
    assert "no files to read" in capsys.readouterr().err
    assert "1 sources have no image, such as b: failed: gone" in caplog.text


def test_a_killed_removal_is_resumed(
    tiny: Path, cutouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = load_classifier(tiny), in_chunks(cutouts, 4), tmp_path / "parts"
    list(classify_in_chunks(*given))
    removed, unlink = [], Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        if len(removed) == 2 and path.parent == given[2]:
            raise KeyboardInterrupt
        removed.extend([path] * (path.parent == given[2]))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        join_chunks(given[2], tmp_path / "out.csv")
    monkeypatch.undo()
    chunk_module._loaded.cache_clear()
    assert len(list(classify_in_chunks(*given))) == 5
    join_chunks(given[2], tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "out.csv").read_text()
    assert not given[2].exists()


def test_lists_of_files(tmp_path: Path) -> None:
    Table({"file": np.ma.array([1, 2], mask=[0, 1])}).write(tmp_path / "list.ecsv")
    missing = [(f"row 2 of {tmp_path / 'list.ecsv'}", "no file: the list names none")]
    assert files_of_list(tmp_path / "list.ecsv") == ([str(tmp_path / "1")], missing)
    for encoding in ("utf-8-sig", "utf-16", "latin-1"):  # as Excel writes them
        text = 'path,z\r\n001,1\r\n,2\r\n"é, 1.fits",3\r\n'
        (tmp_path / "list.csv").write_bytes(text.encode(encoding))
        files, _ = files_of_list(tmp_path / "list.csv")
        assert files == [str(tmp_path / "001"), str(tmp_path / "é, 1.fits")]


@pytest.mark.usefixtures("_small")
def test_the_command_with_part_of_a_stack_and_outputs_that_cannot_be(
    tiny: Path, images: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack, out = tmp_path / "stack.npy", tmp_path / "out.csv"
    np.save(stack, images)
    assert main(command(tiny, Path(f"{stack}[3:5]"), out)) == 0
    assert [Path(name).name for name in Table.read(out)["file"]] == ["stack.npy[3]", "stack.npy[4]"]
    assert count_images(in_chunks([stack, f"{stack}[3:5]"], 30)) == 3  # what is small is not opened
    capsys.readouterr()
    stack.rename(tmp_path / "étoiles.npy")
    assert main(command(tiny, tmp_path / "étoiles.npy", tmp_path / "out.fits", "--jobs", "1")) == 1
    assert "holds ASCII only" in capsys.readouterr().err
    assert not (tmp_path / "out.fits.parts").exists()


@pytest.mark.parametrize("suffix", ["npy", "fits"])
def test_a_large_stack_is_read_piece_by_piece(
    tiny: Path, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"stack.{suffix}"
    np.save(path, images) if suffix == "npy" else fits.writeto(path, images)
    whole = load_classifier(tiny).classify([path])
    monkeypatch.setattr(chunk_module, "_LARGE", 1000)
    chunks = in_chunks(path, 8)
    assert chunks == [[f"{path}[0:8]"], [f"{path}[8:16]"], [f"{path}[16:20]"]]
    assert count_images(chunks) == 20
    assert in_chunks(f"{path}[6:16]", 8) == [[f"{path}[6:14]"], [f"{path}[14:16]"]]
    list(classify_in_chunks(load_classifier(tiny), chunks, tmp_path / "parts"))
    join_chunks(tmp_path / "parts", tmp_path / "out.csv")
    joined = Table.read(tmp_path / "out.csv")
    assert joined["file"].tolist() == whole["name"].tolist()
    np.testing.assert_allclose(joined["FRI"], whole["FRI"], atol=1e-6)


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "vot", "parquet"])
def test_names_that_are_no_text_are_escaped(tmp_path: Path, suffix: str) -> None:
    if suffix == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / f"out.{suffix}"
    write_table(out, Table({"file": ["source\udce9.fits", "b"], "x": [1.0, 2.0]}))
    found = parquet.read_table(out).to_pydict() if suffix == "parquet" else Table.read(out)
    assert list(found["file"]) == ["source\\udce9.fits", "b"]


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits", "vot", "parquet"])
def test_the_command_writes_every_format_from_a_list_of_files(
    tiny: Path, cutouts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    if suffix == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
    Table({"path": [f"cutouts/{i:02d}.fits" for i in range(8)]}).write(tmp_path / "list.csv")
    out = tmp_path / f"out.{suffix}"
    arguments = command(tiny, tmp_path / "list.csv", out)
    arguments.remove("--skip")
    assert main(arguments) == 1
    assert "03.fits: holds a web page (HTML)" in capsys.readouterr().err
    assert not out.exists()
    assert main([*arguments, "--skip"]) == 0
    said = capsys.readouterr().err
    assert all(f"skipped {cutouts}/{name}.fits" in said for name in ("03", "06", "07"))
    found = parquet.read_table(out).to_pydict() if suffix == "parquet" else Table.read(out)
    assert [Path(str(file)).stem for file in found["file"]] == ["00", "01", "02", "04", "05"]
    assert list(tmp_path.glob("*.parts")) == []
    assert main([*arguments[:4]]) == 1
    assert "images are classified in chunks: give --out, the file to write" in capsys.readouterr().err


def test_few_hundred_images_are_printed_and_shown_on_a_page(
    tiny: Path, images: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(200):
        fits.writeto(tmp_path / f"{number:03d}.fits", images[number % 20])
    files = [str(path) for path in sorted(tmp_path.glob("*.fits"))]
    assert main(["classify", *files, "--model", str(tiny), "--page", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_text("utf-8").count("199.fits")
    capsys.readouterr()
    assert main(["classify", *files, "--model", str(tiny)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == files


@pytest.mark.parametrize("options", [[], ["--jobs", "1"]], ids=["at once", "in chunks"])
def test_the_command_uses_as_many_pixels_as_the_model_knows(
    tiny: Path, images: np.ndarray, tmp_path: Path, options: list[str]
) -> None:
    files = [tmp_path / f"{number}.fits" for number in range(3)]
    for file, image in zip(files, images, strict=False):
        fits.writeto(file, np.pad(image, 60, mode="wrap"))
    whole, out = load_classifier(tiny).classify(files), tmp_path / "out.csv"
    assert main(["classify", *map(str, files), "--model", str(tiny), "--csv", str(out), *options]) == 0
    np.testing.assert_allclose(Table.read(out)["FRI"], whole["FRI"], atol=1e-6)
    assert main(["classify", *map(str, files), "--model", str(tiny), "--csv", str(out), "--crop", "150"]) == 0
    assert not np.allclose(Table.read(out)["FRI"], whole["FRI"], atol=1e-4)


def command(tiny: Path, cutouts: Path, out: Path, *options: str) -> list[str]:
    return [
        "classify",
        str(cutouts),
        "--model",
        str(tiny),
        "--skip",
        "--out",
        str(out),
        "--crop",
        "40",
        *options,
    ]


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the command with chunks of two images, each of which takes half a second more."""
    program = (
        "import sys, time; from radiosynth.classification import chunks; from radiosynth.cli import main\n"
        "chunks.in_chunks.__defaults__ = (2,); classes = chunks._classes\n"
        "def slow(*given): time.sleep(0.5); return classes(*given)\n"
        "chunks._classes = slow; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE, text=True)


def wait_for(parts: Path, number: int) -> list[Path]:
    """Return the parts when so many are written."""
    end = time.time() + 400
    while len(found := sorted(parts.glob("[0-9]*.json"))) < number:
        assert time.time() < end, "no parts"
        time.sleep(0.02)
    return found


@pytest.mark.usefixtures("_small")
def test_killed_and_resumed(
    tiny: Path,
    cutouts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, parts = tmp_path / "out.csv", tmp_path / "out.csv.parts"
    arguments = command(tiny, cutouts, out)
    process = start(*arguments)
    wait_for(parts, 3)
    process.kill()
    process.communicate()
    done = {part: part.read_bytes() for part in parts.glob("[0-9]*.json")}
    assert 3 <= len(done) < 10
    assert not out.exists()
    new, first = cutouts / "99.fits", cutouts / "00.fits"
    new.write_bytes(first.read_bytes())
    assert main(arguments) == 1
    assert "by another version: repeat that command, or remove the folder" in capsys.readouterr().err
    new.unlink()
    dates = first.stat().st_atime_ns, first.stat().st_mtime_ns
    os.utime(first, ns=(dates[0], 0))
    assert main([*arguments, "--pixel-scale", "1.8"]) == 1
    assert "begun with another model, files or options" in capsys.readouterr().err
    os.utime(first, ns=dates)
    other = load_classifier(tiny)
    other.model.set_weights([2 * weights for weights in other.model.get_weights()])
    with pytest.raises(ValueError, match="begun with another model"):
        next(classify_in_chunks(other, in_chunks(cutouts), parts, crop=40))
    assert {part: part.read_bytes() for part in parts.glob("[0-9]*.json")} == done

    classified = []
    classes = chunk_module._classes
    monkeypatch.setattr(
        chunk_module, "_classes", lambda *given: classified.append(given[1]) or classes(*given)
    )
    assert main(arguments) == 0
    assert len(classified) >= 10 - len(done)
    again = [str(file) for files in classified for file in files]
    expected = in_chunks(cutouts)
    assert not set(again) & {file for part in done for file in expected[int(part.stem)]}
    found, whole = Table.read(out), load_classifier(tiny).classify(sorted(cutouts.iterdir()), crop=40)
    assert found["file"].tolist() == whole["name"].tolist()
    np.testing.assert_allclose(found["FRI"], whole["FRI"], atol=1e-6)


@pytest.fixture
def scheduler(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a Dask scheduler and workers, four of them."""
    pytest.importorskip("distributed", reason="pip install radiosynth[cluster]")
    where = tmp_path / "scheduler.json"
    running = []

    def run(what: str, *options: str) -> None:
        common = ["--scheduler-file", str(where), "--no-dashboard", "--host", "127.0.0.1"]
        module = f"distributed.cli.dask_{what}"
        with (tmp_path / "cluster.log").open("ab") as log:
            running.append(
                subprocess.Popen([sys.executable, "-m", module, *common, *options], stdout=log, stderr=log)
            )

    try:
        run("scheduler", "--port", "0")
        for _ in range(getattr(request, "param", 4)):
            run("worker", "--no-nanny", "--nthreads", "1")
        end = time.time() + 60
        while not where.exists():
            assert time.time() < end, (tmp_path / "cluster.log").read_text()
            time.sleep(0.1)
        yield json.loads(where.read_text())["address"], running[1:]
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()


@pytest.mark.parametrize("scheduler", [1], indirect=True)
def test_one_worker_of_a_cluster_does_the_work(scheduler: tuple[str, list[subprocess.Popen[bytes]]]) -> None:
    address, (worker,) = scheduler
    program = (
        "import os, sys; from radiosynth.parallel import each, on_cluster\n"
        "with on_cluster(sys.argv[1], 1) as jobs: print(*each(lambda _: os.getpid(), range(3), jobs))"
    )
    command = [sys.executable, "-c", program, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    assert done.stdout.split() == 3 * [str(worker.pid)]


def test_on_dask_with_a_worker_killed_in_the_middle(
    tiny: Path, cutouts: Path, tmp_path: Path, scheduler: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    out = tmp_path / "out.csv"
    address, workers = scheduler
    process = start(*command(tiny, cutouts, out, "--cluster", address, "--jobs", "4"))
    wait_for(tmp_path / "out.csv.parts", 1)
    workers[0].kill()
    assert not out.exists()
    assert process.communicate(timeout=400)[1].count("skipped") == 3
    assert process.returncode == 0
    found, whole = Table.read(out), load_classifier(tiny).classify(sorted(cutouts.iterdir()), crop=40)
    assert found["file"].tolist() == whole["name"].tolist()
    np.testing.assert_allclose(found["FRI"], whole["FRI"], atol=1e-6)
