from __future__ import annotations

import base64
import errno
import io
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings, strategies as st
from PIL import Image

from radiosynth import Sample, concatenate
from radiosynth.sample import check_count, check_rng


def make(n: int = 5, size: int = 6, seed: int = 0) -> Sample:
    images = np.random.default_rng(seed).normal(size=(n, size, size))
    table = Table({"name": [f"s{i}" for i in range(n)], "ra": np.arange(n) * 1.5 * units.deg})
    table.meta["history"] = ["read"]
    return Sample(images, np.arange(n) % 4, table)


def test_types_and_counts() -> None:
    sample = make()
    assert sample.images.dtype == np.float32
    assert sample.labels.dtype == np.int64
    assert (len(sample), sample.size) == (5, 6)
    assert sample.counts() == {"FRI": 2, "FRII": 1, "bent": 1, "compact": 1}
    assert repr(sample) == "Sample(5 images of 6×6: FRI 2, FRII 1, bent 1, compact 1)"


def test_a_notebook_shows_a_few_images_with_names_and_classes() -> None:
    images = np.zeros((40, 300, 300))
    images[:, 250, 40] = 2  # in the north-east
    images[1] = np.nan
    images[2, 0, 0] = np.inf
    table = Table({"name": ["<b>&'" + 99 * "x", *(f"s{i}" for i in range(39))]})
    sample = Sample(images, [-1, 0, 1, 2, 3] * 8, table)
    shown = sample._repr_html_()
    assert shown.count("<img ") == 24
    assert "<b>&'" not in shown
    assert "&lt;b&gt;&amp;&#x27;xxx" in shown
    assert shown.count("<b>FR I</b>") == 5
    assert len(shown) < 40_000
    data = base64.b64decode(re.findall("base64,([^']*)'", shown)[0])
    picture = np.asarray(Image.open(io.BytesIO(data)))
    assert picture.shape == (96, 96)
    assert np.unravel_index(picture.argmax(), picture.shape) == (15, 12)  # north is up, east left
    assert sample[:0]._repr_html_().startswith("<div>Sample(0 images")


def test_float32_images_are_not_copied() -> None:
    images = np.zeros((2, 4, 4), np.float32)
    assert np.shares_memory(Sample(images, [0, 0]).images, images)


def test_names_are_made_where_absent_without_touching_the_table() -> None:
    table = Table({"ra": [1.0, 2.0]})
    sample = Sample(np.zeros((2, 4, 4)), [0, -1], table)
    assert sample.table["name"].tolist() == ["image_0", "image_1"]
    assert table.colnames == ["ra"]


@pytest.mark.parametrize(
    ("images", "labels", "table", "message"),
    [
        (np.zeros((2, 4, 5)), [0, 0], None, r"\(2, 4, 5\).*center_crop"),
        (np.zeros((2, 4, 4, 1)), [0, 0], None, "drop the channel axis"),
        (np.zeros((4, 4)), [0], None, r"\(n, size, size\)"),
        (np.zeros((2, 4, 4)), [0], None, r"need \(2,\)"),
        (
            np.zeros((2, 4, 4)),
            [0, 4],
            None,
            "unknown label .*4.*: labels are 0 FRI, 1 FRII, 2 bent, 3 compact",
        ),
        (np.zeros((2, 4, 4)), [0, 0.5], None, "unknown label .*0.5"),
        (np.zeros((2, 4, 4)), [0, np.nan], None, "unknown label .*nan"),
        (np.zeros((2, 4, 4)), [0, 0], Table({"name": ["a"]}), "1 rows; 2 images"),
    ],
)
def test_refuses(images: np.ndarray, labels: list[int], table: Table | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sample(images, labels, table)


def test_a_label_that_is_masked_is_not_known() -> None:
    for dtype in ("i8", "u1", "f4"):
        labels = np.ma.array([1, 0, 2], mask=[False, True, False], dtype=dtype)
        assert Sample(np.zeros((3, 4, 4)), labels).labels.tolist() == [1, -1, 2]
        assert Sample(np.zeros((3, 4, 4)), MaskedColumn(labels.data)).labels.tolist() == [1, 0, 2]


def test_an_empty_sample_is_allowed() -> None:
    sample = Sample(np.zeros((0, 4, 4)), [])
    assert len(sample) == 0
    assert sample.counts()["FRI"] == 0


@pytest.mark.parametrize(
    "index", [slice(1, 4), [3, 0], np.array([True, False, True, False, False]), 2, -1, np.int64(3)]
)
def test_indexing_keeps_rows_together(index: object) -> None:
    sample = make()
    part = sample[index]
    wanted = np.atleast_1d(np.arange(5)[index])  # type: ignore[index]
    assert part.table["name"].tolist() == [f"s{i}" for i in wanted]
    np.testing.assert_array_equal(part.images, sample.images[wanted])
    np.testing.assert_array_equal(part.labels, sample.labels[wanted])
    assert part.history == ["read"]


def test_nothing_may_be_chosen() -> None:
    assert len(make()[[]]) == len(make()[np.zeros(5, bool)]) == 0


def test_of_class() -> None:
    assert make().of_class("fr i").table["name"].tolist() == ["s0", "s4"]
    with pytest.raises(ValueError, match="unknown class"):
        make().of_class("spiral")


def test_derived_adds_to_the_history_of_the_new_sample_alone() -> None:
    sample = make()
    new = sample.derived(np.ones((5, 3, 3)), "shrunk")
    assert new.history == ["read", "shrunk"]
    assert sample.history == ["read"]
    assert new.size == 3
    new.table["name"][0] = "x"
    assert sample.table["name"][0] == "s0"


class TestFile:
    def test_round_trip(self, tmp_path: Path) -> None:
        sample = make()
        sample.table["group"] = MaskedColumn([1, 2, 3, 4, 5], mask=[False, True, False, False, True])
        sample.table["note"] = ["", "a, b", 'say "hi"', "é", ""]
        path = tmp_path / "deep" / "sample.npz"
        sample.save(path)
        loaded = Sample.load(path)
        np.testing.assert_array_equal(loaded.images, sample.images)
        np.testing.assert_array_equal(loaded.labels, sample.labels)
        assert loaded.table["note"].tolist() == sample.table["note"].tolist()
        assert loaded.table["group"].tolist() == sample.table["group"].tolist()
        assert loaded.table["ra"].unit == units.deg
        assert loaded.history == ["read"]
        assert [entry.name for entry in path.parent.iterdir()] == ["sample.npz"]

    def test_a_failed_save_leaves_the_old_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "sample.npz"
        make(2).save(path)

        def full(stream: object, **_: object) -> None:
            stream.write(b"half")  # type: ignore[attr-defined]
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(np, "savez_compressed", full)
        with pytest.raises(OSError, match="No space"):
            make(3).save(path)
        assert len(Sample.load(path)) == 2
        assert [entry.name for entry in tmp_path.iterdir()] == ["sample.npz"]

    @pytest.mark.parametrize("content", [b"", b"<html>not here</html>", b"PK\x03\x04 broken"])
    def test_refuses_other_files(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "sample.npz"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"sample\.npz is not a sample written by Sample\.save"):
            Sample.load(path)

    def test_refuses_truncated_and_foreign_archives(self, tmp_path: Path) -> None:
        path = tmp_path / "sample.npz"
        make().save(path)
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(ValueError, match="is not a sample"):
            Sample.load(path)
        with path.open("wb") as stream:
            np.save(stream, np.zeros((2, 4, 4)))
        with pytest.raises(ValueError, match="is not a sample"):
            Sample.load(path)
        np.savez(path, images=np.zeros((2, 4, 4)))
        with pytest.raises(ValueError, match="is not a sample"):
            Sample.load(path)
        np.savez(path, images=np.zeros((1, 4, 4)), labels=[0], table=np.array([{}], dtype=object))
        with pytest.raises(ValueError, match="is not a sample"):
            Sample.load(path)

    @pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.95])
    def test_refuses_a_file_with_a_broken_byte(self, tmp_path: Path, part: float) -> None:
        path = tmp_path / "sample.npz"
        make(40, 20).save(path)
        content = bytearray(path.read_bytes())
        content[int(part * len(content))] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not a sample"):
            Sample.load(path)

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            Sample.load(tmp_path / "none.npz")


TEXTS = st.text(max_size=6).map(lambda text: text.rstrip("\0")) | st.sampled_from(["#", "#a", " a ", "a\r\n"])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS, st.booleans(), st.floats(allow_nan=False)), min_size=1, max_size=3),
    column=TEXTS.filter(
        lambda name: name not in ("name", "x") and "\n" not in name and name.strip() == name != ""
    ),
    note=TEXTS,
)
def test_a_sample_comes_back_as_it_was_saved(
    rows: list[tuple[str, str, bool, float]], column: str, note: str
) -> None:
    names, texts, mask, numbers = zip(*rows, strict=True)
    table = Table({"name": np.array(names), "x": numbers})
    table["x"].info.format = ".2g"
    table[column] = MaskedColumn(np.array(texts), mask=mask, description=note)
    table.meta["note"] = note
    with tempfile.TemporaryDirectory() as folder:
        Sample(np.zeros((len(rows), 2, 2)), [0] * len(rows), table).save(Path(folder) / "a.npz")
        loaded = Sample.load(Path(folder) / "a.npz").table
    assert loaded.colnames == table.colnames
    assert loaded.meta == table.meta
    assert all(loaded[each].tolist() == table[each].tolist() for each in table.colnames)
    assert loaded[column].description == note
    assert table["x"].info.format == ".2g"


def test_a_name_of_a_column_that_no_file_holds_is_refused(tmp_path: Path) -> None:
    sample = make(1)
    sample.table["a\nb"] = 1
    with pytest.raises(ValueError, match=r"the column 'a\\nb' is blank or has a line break"):
        sample.save(tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("secret", ["secret.ecsv", "file://{}/secret.ecsv", "http://127.0.0.1:9/a.ecsv"])
def test_the_table_of_a_sample_is_no_path_and_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make(1).table.write(tmp_path / "secret.ecsv")
    np.savez("a.npz", images=np.zeros((1, 4, 4)), labels=[0], table=secret.format(tmp_path))
    with pytest.raises(ValueError, match=r"a\.npz is not a sample"):
        Sample.load("a.npz")


@pytest.mark.parametrize("rng", [None, 1, np.random.RandomState(1)])
def test_what_draws_nothing(rng: object) -> None:
    with pytest.raises(
        TypeError, match=r"give a generator of random numbers, such as numpy.random.default_rng"
    ):
        check_rng(rng)
    check_rng(np.random.default_rng(0))


@pytest.mark.parametrize("number", [1.5, 2.0, -1, None, "3", True, float("nan")])
def test_what_counts_nothing(number: object) -> None:
    with pytest.raises(ValueError, match=r"seed is .*give a whole number from 0"):
        check_count(number, "seed")
    check_count(np.int64(0), "seed")


class TestConcatenate:
    def test_joins(self) -> None:
        first, second = make(3), make(2, seed=1)
        first.table["only"] = [1, 2, 3]
        joined = concatenate([first, second])
        np.testing.assert_array_equal(joined.images, np.concatenate([first.images, second.images]))
        assert joined.table["name"].tolist() == ["s0", "s1", "s2", "s0", "s1"]
        assert joined.table["only"].mask.tolist() == [False, False, False, True, True]
        assert joined.history == ["read"]

    def test_refuses(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            concatenate([])
        with pytest.raises(ValueError, match=r"sizes \[6, 8\]"):
            concatenate([make(), make(size=8)])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((1, 8, 8), 1e300), "above 3.4e38"),
        (np.full((1, 8, 8), 1j), "type complex128; give real numbers"),
        (np.full((1, 8, 8), "1"), "give real numbers"),
    ],
)
def test_pixels_that_float32_would_change(images: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sample(images, [0])


def test_masked_pixels_are_missing() -> None:
    images = np.ma.masked_greater(np.arange(64).reshape(1, 8, 8), 60)
    assert np.isnan(Sample(images, [0]).images).sum() == 3


def test_a_history_with_line_breaks_and_a_column_of_positions_come_back(tmp_path: Path) -> None:
    table = Table({"place": SkyCoord([1, 2], [3, 4], unit="deg")})
    table.meta = {"history": ["from a\nb.fits", " c"], "number": np.int64(3)}
    Sample(np.zeros((2, 8, 8)), [0, 1], table).save(tmp_path / "a.npz")
    loaded = Sample.load(tmp_path / "a.npz")
    assert loaded.history == ["from a\nb.fits", " c"]
    assert loaded.table.meta["number"] == 3
    assert loaded.table["place"].dec.deg.tolist() == [3, 4]


def test_bytes_are_saved_as_text_and_what_json_lacks_is_refused(tmp_path: Path) -> None:
    table = Table({"name": ["a", "b"], "host": np.array([b"NGC 1", b"NGC 2"])})
    table.meta["sizes"] = np.arange(2)
    Sample(np.ones((2, 4, 4)), [0, 1], table).save(tmp_path / "a.npz")
    loaded = Sample.load(tmp_path / "a.npz").table
    assert loaded["host"].tolist() == ["NGC 1", "NGC 2"]
    assert loaded.meta["sizes"] == [0, 1]
    table.meta["where"] = tmp_path
    with pytest.raises(ValueError, match=r"the meta holds PosixPath.*give texts"):
        Sample(np.ones((2, 4, 4)), [0, 1], table).save(tmp_path / "b.npz")


def test_a_table_with_an_index_is_saved_and_stays_as_it_was(tmp_path: Path) -> None:
    table = Table({"name": ["a", "bb"], "flux": [1.0, 2.0]})
    table.add_index("name")
    sample = Sample(np.ones((2, 4, 4)), [0, 1], table)
    sample.save(tmp_path / "a.npz")
    assert sample.table["name"].tolist() == ["a", "bb"]
    assert Sample.load(tmp_path / "a.npz").table["name"].tolist() == ["a", "bb"]
