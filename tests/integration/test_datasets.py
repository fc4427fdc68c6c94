"""Public data: the packaged tables, every way to the archive, and what may happen to the cache."""

from __future__ import annotations

import errno
import hashlib
import importlib
import io
import logging
import re
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from radiosynth import _io, datasets
from radiosynth.citing import citations
from radiosynth.datasets import load_first_dataset, load_report_candidates, load_report_sample
from radiosynth.sample import DataUnavailableError
from radiosynth.taxonomy import CLASS_NAMES

WHEEL = "firstgalaxydata-0.2.1-py3-none-any.whl"
CHILD = """
import sys
from pathlib import Path
from radiosynth import datasets
datasets.ARCHIVE_SHA256 = sys.argv[1]
"""


def make_archive(n=5):
    """Return an archive in the published layout, its images random in the central 60×60 pixels."""
    rng = np.random.default_rng(0)
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for i in range(n):
            image = np.zeros((300, 300), np.uint8)
            image[120:180, 120:180] = rng.integers(0, 256, (60, 60))
            group = file.create_group(f"data_{i}")
            group["Img"] = image
            group["Img"].attrs.update({"RA": 10.0 * i, "DEC": -float(i), "Source": "MiraBest"})
            group["Label_literature"] = float(i % 4)
            group["Split_literature"] = ["train", "valid", "test"][i % 3]
    return zipped("galaxy_data_h5.h5", content.getvalue())


def zipped(name, content):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
    return archive.getvalue()


@pytest.fixture(scope="session")
def archive():
    return make_archive()


@pytest.fixture
def folder(tmp_path, monkeypatch, archive):
    """An empty cache, with the fake archive as the pinned one and no way to it."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("RADIOSYNTH_DATA", str(cache))
    monkeypatch.setattr(datasets, "ARCHIVE_SHA256", hashlib.sha256(archive).hexdigest())

    def unreachable(*_):
        msg = "Name or service not known"
        raise OSError(msg)

    for way in ("_from_installed", "_from_doi", "_from_index"):
        monkeypatch.setattr(datasets, way, unreachable)
    return cache


@pytest.fixture
def cached(folder, monkeypatch, archive):
    """A cache that holds the converted fake archive."""
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "_from_doi", lambda: archive)
        load_first_dataset()
    return folder / "first_galaxies.npz"


def visible(folder):
    """Return what lies in the cache, but for the lock."""
    return sorted(path.name for path in folder.glob("*") if path.suffix != ".lock")


# The packaged tables


@pytest.mark.parametrize(
    ("name", "considered", "image", "morphology", "kept"),
    [
        ("FRI", 269, 14, 35, 220),
        ("FRII", 513, 18, 90, 405),
        ("bent", 412, 65, 121, 226),
        ("compact", 284, 0, 41, 243),
    ],
)
def test_candidates_are_table_2_of_the_report(name, considered, image, morphology, kept):
    table = load_report_candidates()
    rows = table[table["class"] == name]
    assert Counter(rows["cut"]) == +Counter({"image": image, "morphology": morphology, "": kept})
    assert (len(rows), (rows["decision"] == "keep").sum()) == (considered, kept)


def test_candidates_are_complete():
    table = load_report_candidates()
    assert len(table) == 1478
    assert not table.has_masked_values
    assert (table["ra"].unit, table["dec"].unit, table["griese_sep"].unit) == ("deg", "deg", "arcsec")
    assert ((table["reason"] == "") == (table["decision"] == "keep")).all()
    assert (np.isnan(table["griese_sep"]) == (table["griese_key"] == "")).all()
    close = table[(table["decision"] == "keep") & (table["griese_match"] == "close")]
    assert Counter(close["class"]) == {"FRI": 209, "FRII": 384, "bent": 178, "compact": 242}
    assert close["griese_sep"].max() <= 20
    assert len(set(close["name"])) == 1013
    # An image that stands for two sources must not end up on both sides of a split.
    shared = [key for key, n in Counter(close["griese_key"]).items() if n > 1]
    for key in shared:
        groups = close["sky_group"][close["griese_key"] == key]
        assert len(set(groups)) == 1
        assert groups[0] >= 0


def test_folds_are_the_published_scheme():
    table = datasets._packaged_table("griese_folds.csv")
    assert Counter(table["fold"]) == {-1: 400, 0: 353, 1: 353, 2: 353, 3: 353, 4: 346}
    assert len(set(table["griese_key"])) == 2158


# From the archive to the sample


def test_sample_from_an_archive(folder, archive):
    folder.mkdir()
    (folder / "galaxy_data_h5.zip").write_bytes(archive)
    sample = load_first_dataset()
    assert sample.size == 300
    assert [CLASS_NAMES[code] for code in sample.labels] == ["FRI", "FRII", "compact", "bent", "FRI"]
    assert sample.table["griese_class"].tolist() == ["FRI", "FRII", "compact", "bent", "FRI"]
    assert sample.table["name"].tolist() == [f"data_{i}" for i in range(5)]
    assert sample.table["griese_split"].tolist() == ["train", "valid", "test", "train", "valid"]
    assert sample.table["ra"].tolist() == [0, 10, 20, 30, 40]
    assert sample.table["ra"].unit == "deg"
    with zipfile.ZipFile(io.BytesIO(archive)) as outer, h5py.File(outer.open("galaxy_data_h5.h5")) as file:
        np.testing.assert_array_equal(sample.images[3], file["data_3/Img"][()])
    assert visible(folder) == ["first_galaxies.npz", "galaxy_data_h5.zip"]


@pytest.mark.parametrize("size", [1, 149, 150, 151, 299, 300])
def test_central_crop(cached, size):
    whole = load_first_dataset().images
    start = (300 - size) // 2
    sample = load_first_dataset(size=size)
    np.testing.assert_array_equal(sample.images, whole[:, start : start + size, start : start + size])
    assert len(sample.history) == (1 if size == 300 else 2)


@pytest.mark.parametrize("size", [0, 301, -5])
def test_size_out_of_range(size):
    with pytest.raises(ValueError, match=f"size is {size}; .* give 1 to 300"):
        load_first_dataset(size=size)


# The ways to the archive


def test_wheel_in_the_folder(folder, archive):
    folder.mkdir()
    (folder / WHEEL).write_bytes(zipped("firstgalaxydata/galaxy_data_h5.zip", archive))
    assert len(load_first_dataset()) == 5


def test_installed_package_is_read_without_import(folder, monkeypatch, tmp_path, archive):
    monkeypatch.undo()
    monkeypatch.setenv("RADIOSYNTH_DATA", str(folder))
    monkeypatch.setattr(datasets, "ARCHIVE_SHA256", hashlib.sha256(archive).hexdigest())
    package = tmp_path / "site" / "firstgalaxydata"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('no torch here')")
    (package / "galaxy_data_h5.zip").write_bytes(archive)
    information = tmp_path / "site" / "firstgalaxydata-0.2.1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: firstgalaxydata\nVersion: 0.2.1\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    importlib.invalidate_caches()
    assert len(load_first_dataset()) == 5
    assert "firstgalaxydata" not in sys.modules


def test_doi_comes_before_the_index(folder, monkeypatch, archive, caplog):
    monkeypatch.setattr(datasets, "_from_doi", lambda: archive)
    with caplog.at_level(logging.INFO, "radiosynth"):
        load_first_dataset()
    assert "galaxy_data_h5.zip read from https://doi.org/10.5281/zenodo.7689127" in caplog.text
    caplog.clear()
    load_first_dataset()
    assert not caplog.records


def test_doi_download_keeps_to_the_pinned_record(monkeypatch):
    import pooch

    def download(self, url, output, _):
        assert url == "doi:10.5281/zenodo.7689127/galaxy_data_h5.zip"
        output.write(b"content")

    monkeypatch.setattr(pooch.DOIDownloader, "__call__", download)
    assert datasets._from_doi() == b"content"


def test_index_download(folder, monkeypatch, archive):
    monkeypatch.undo()
    commands = []

    def download(command, **_):
        commands.append(command)
        (Path(command[command.index("--dest") + 1]) / WHEEL).write_bytes(
            zipped("firstgalaxydata/galaxy_data_h5.zip", archive)
        )
        return subprocess.CompletedProcess(command, 0, None, "")

    monkeypatch.setattr(subprocess, "run", download)
    assert datasets._from_index() == archive
    assert commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "firstgalaxydata==0.2.1"} < set(commands[0])
    assert not folder.exists()


def test_index_failure_gives_the_last_line_of_pip(folder, monkeypatch):
    monkeypatch.undo()
    failed = subprocess.CompletedProcess(
        [], 1, None, "WARNING: Retrying\nERROR: No matching distribution\n\n"
    )
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(OSError, match=r"pip download failed: .*ERROR: No matching distribution"):
        datasets._from_index()


def test_corrupted_download_is_refused_and_the_next_way_tried(folder, monkeypatch, archive):
    monkeypatch.setattr(datasets, "_from_doi", lambda: archive[:-100] + bytes(100))
    with pytest.raises(DataUnavailableError, match=r"doi.org/.*: the sha256 is .* damaged"):
        load_first_dataset()
    assert visible(folder) == []
    monkeypatch.setattr(datasets, "_from_index", lambda: archive)
    assert len(load_first_dataset()) == 5


def test_wrong_archive_of_the_user_is_refused_but_kept(folder):
    folder.mkdir()
    (folder / "galaxy_data_h5.zip").write_bytes(make_archive(4))
    with pytest.raises(DataUnavailableError, match=f"the folder {re.escape(str(folder))}: .*the sha256 is"):
        load_first_dataset()
    assert visible(folder) == ["galaxy_data_h5.zip"]


def test_no_network_and_no_cache_is_one_error(folder, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("RADIOSYNTH_DATA", str(folder))
    # Sockets are blocked in tests for this process; pip runs in another and is given a dead index.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    start = time.monotonic()
    with pytest.raises(DataUnavailableError) as caught:
        load_report_sample()
    assert time.monotonic() - start < 20
    text = str(caught.value)
    assert isinstance(caught.value, OSError)
    for part in (
        "galaxy_data_h5.zip",
        "https://doi.org/10.5281/zenodo.7689127",
        "firstgalaxydata==0.2.1",
        "RADIOSYNTH_DATA",
        f"the folder {folder}: FileNotFoundError: holds neither",
        "the installed package firstgalaxydata: PackageNotFoundError",
        "the package index (firstgalaxydata 0.2.1): OSError: pip download failed",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) < 300
    assert visible(folder) == []


# What may happen to the cache


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"not a zip file",
        lambda content: content.replace(b"centre.npy", b"centra.npy"),
        lambda content: content.replace(
            content[(at := content.index(b"centre.npy") + 500) : at + 9], bytes(9)
        ),
    ],
    ids=["empty", "truncated", "other", "array missing", "bytes changed"],
)
def test_damaged_cache_is_made_again(cached, monkeypatch, archive, caplog, damage):
    good = load_first_dataset(size=150)
    cached.write_bytes(damage(cached.read_bytes()))
    with pytest.raises(DataUnavailableError):
        load_first_dataset(size=150)
    monkeypatch.setattr(datasets, "_from_doi", lambda: archive)
    caplog.clear()
    np.testing.assert_array_equal(load_first_dataset(size=150).images, good.images)
    assert [r.message for r in caplog.records if "cannot be used" in r.message and r.levelname == "WARNING"]
    caplog.clear()
    load_first_dataset(size=150)
    assert not caplog.records


def test_cache_of_another_archive_is_not_used(cached, monkeypatch, caplog):
    monkeypatch.setattr(datasets, "ARCHIVE_SHA256", "0" * 64)
    with pytest.raises(DataUnavailableError):
        load_first_dataset()
    assert "was made from another archive" in caplog.text


def test_cache_with_objects_is_refused(cached):
    np.savez(cached, centre=np.array([{}], dtype=object), archive_sha256=datasets.ARCHIVE_SHA256)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        datasets._read(cached, "centre")


def test_full_disk_is_one_error_and_leaves_nothing(folder, monkeypatch, archive):
    monkeypatch.setattr(datasets, "_from_doi", lambda: archive)

    def write(stream, **_):
        stream.write(bytes(1000))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", write)
        with pytest.raises(
            DataUnavailableError, match=r"No space left on device.*free 30 MB.*RADIOSYNTH_DATA"
        ):
            load_first_dataset()
    assert visible(folder) == []
    assert len(load_first_dataset()) == 5


def test_cache_that_is_a_file(folder, monkeypatch, archive):
    monkeypatch.setattr(datasets, "_from_doi", lambda: archive)
    folder.write_text("")
    with pytest.raises(DataUnavailableError, match="set RADIOSYNTH_DATA to a folder"):
        load_first_dataset()


def test_read_only_cache_is_used(cached, monkeypatch):
    def refuse(*_, **__):
        pytest.fail("the cache holds the images, so nothing is to be written")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert len(load_first_dataset()) == 5


def test_killed_conversion_does_not_break_the_next(folder, archive):
    folder.mkdir()
    (folder / "galaxy_data_h5.zip").write_bytes(archive)
    # Killed while the file is written but has not got its name.
    code = CHILD + "import os\nPath.replace = lambda *_: os._exit(9)\ndatasets.load_first_dataset()"
    killed = subprocess.run([sys.executable, "-c", code, datasets.ARCHIVE_SHA256], check=False)
    assert killed.returncode == 9
    assert not (folder / "first_galaxies.npz").exists()
    assert len(load_first_dataset()) == 5


def test_two_processes_convert_once(folder, archive):
    folder.mkdir()
    (folder / "galaxy_data_h5.zip").write_bytes(archive)
    code = CHILD + (
        "import time\n"
        "convert = datasets._convert\n"
        "def slow(*arguments):\n"
        "    print('converts', flush=True)\n"
        "    time.sleep(1.5)\n"
        "    convert(*arguments)\n"
        "datasets._convert = slow\n"
        "print(len(datasets.load_first_dataset()))\n"
    )
    command = [sys.executable, "-c", code, datasets.ARCHIVE_SHA256]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(printed, key=len) == [["5"], ["converts", "5"]]


# Citations


def test_citations_of_everything_match_the_bibliography():
    text = citations()
    keys = re.findall(r"^@\w+\{(\w+),", text, re.MULTILINE)
    packaged = Path(datasets.__file__).with_name("data").joinpath("references.bib").read_text("utf-8")
    assert set(keys) < set(re.findall(r"^@\w+\{(\w+),", packaged, re.MULTILINE))
    assert len(keys) == len(set(keys)) == 16
    assert text.count("{") == text.count("}")
    for part in ("10.5281/zenodo.7689127", "10.1086/176166", "non-commercial", "University of Birmingham"):
        assert part in text


def test_citations_of_some():
    text = citations("first", "griese2023", "first")
    assert re.findall(r"^@\w+\{(\w+),", text, re.MULTILINE) == ["becker1995", "griese2023", "griese2023data"]
    assert text.startswith("The FIRST survey")
    with pytest.raises(ValueError, match="nothing to cite under nvss: choose from software, report"):
        citations("first", "nvss")


# The real images, where the cache holds them


@pytest.fixture(scope="module")
def real():
    if not (_io.cache_folder() / "first_galaxies.npz").is_file():
        pytest.skip("the FIRST images are not in the cache")
    return load_first_dataset(size=150)


def test_real_dataset(real):
    assert real.counts() == {"FRI": 495, "FRII": 924, "bent": 348, "compact": 391}
    assert Counter(real.table["griese_split"]) == {"train": 1758, "valid": 200, "test": 200}
    test = real[real.table["fold"] == -1]
    assert set(test.counts().values()) == {100}
    assert (real.images.min(), real.images.max()) == (0, 255)
    blank = real.images.max(axis=(1, 2)) == real.images.min(axis=(1, 2))
    assert real.table["name"][blank].tolist() == ["data_1910"]


def test_real_report_sample(real):
    start = time.monotonic()
    sample = load_report_sample()
    assert time.monotonic() - start < 3
    assert sample.counts() == {"FRI": 209, "FRII": 384, "bent": 178, "compact": 242}
    assert sample.size == 150
    row = {name: i for i, name in enumerate(real.table["name"])}
    rows = [row[key] for key in sample.table["griese_key"]]
    np.testing.assert_array_equal(sample.images, real.images[rows])
    assert (sample.table["griese_class"] == real.table["griese_class"][rows]).all()
    assert (sample.table["griese_split"] == real.table["griese_split"][rows]).all()
    centres, sources = (
        SkyCoord(t["ra"].quantity, t["dec"].quantity) for t in (real.table[rows], sample.table)
    )
    assert centres.separation(sources).max() < 1 * u.arcmin
