"""Reading cutouts: every format, and every fault with a message that says what to do."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from skimage.io import imsave

from radiosynth.cutouts import CutoutError, read_cutouts

SHARED = Path(os.environ.get("RADIOSYNTH_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture
def image():
    return np.random.default_rng(1).normal(0, 1e-3, (20, 20)).astype(np.float32)


def write_fits(path, data, unit=None, **kwargs):
    hdu = fits.PrimaryHDU(data)
    if unit:
        hdu.header["BUNIT"] = unit
    hdu.writeto(path, **kwargs)
    return path


def test_fits_keeps_pixels_and_orientation(tmp_path, image):
    sample = read_cutouts([write_fits(tmp_path / "a.fits", image, "JY/BEAM ")])
    np.testing.assert_array_equal(sample.images[0], image)
    assert sample.labels.tolist() == [-1]
    row = sample.table[0]
    assert (row["name"], row["unit"]) == ("a.fits", "Jy/beam")
    assert row["path"] == str(tmp_path / "a.fits")


@pytest.mark.parametrize(
    ("unit", "factor", "recorded"),
    [
        ("mJy/beam", 1e-3, "Jy/beam"),
        ("MJY/BEAM", 1e-3, "Jy/beam"),
        ("Jy beam-1", 1, "Jy/beam"),
        ("K", 1, "K"),
        ("counts?", 1, "counts?"),
        (None, 1, ""),
    ],
)
def test_units(tmp_path, image, unit, factor, recorded):
    sample = read_cutouts(write_fits(tmp_path / "a.fits", image, unit))
    np.testing.assert_allclose(sample.images[0], image * factor, rtol=1e-6)
    assert sample.table["unit"][0] == recorded


def test_fits_with_degenerate_axes_in_an_extension(tmp_path, image):
    path = tmp_path / "cube.fits.gz"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image[None, None])]).writeto(path)
    np.testing.assert_array_equal(read_cutouts(path).images[0], image)


def test_npy_single_and_stack(tmp_path, image):
    np.save(tmp_path / "one.npy", image.astype(">f8"))
    np.save(tmp_path / "many.npy", np.stack([image, 2 * image]))
    sample = read_cutouts([tmp_path / "one.npy", tmp_path / "many.npy"])
    assert sample.table["name"].tolist() == ["one.npy", "many.npy[0]", "many.npy[1]"]
    np.testing.assert_array_equal(sample.images[2], 2 * image)


@pytest.mark.parametrize(
    ("suffix", "channels"), [("png", None), ("png", 3), ("png", 4), ("jpg", None), ("jpg", 3)]
)
def test_pictures_are_flipped_to_row_0_south(tmp_path, suffix, channels):
    picture = np.zeros((16, 16), np.uint8)
    picture[:8] = 255  # the upper half, as one sees it
    if channels:
        picture = np.repeat(picture[..., None], channels, axis=2)
        picture[..., 3:] = 255
    imsave(tmp_path / f"a.{suffix}", picture, check_contrast=False)
    image = read_cutouts(tmp_path / f"a.{suffix}").images[0]
    assert image.shape == (16, 16)
    assert image[12:].min() > 10 * image[:4].max()


def test_size_crops_the_centre(tmp_path):
    image = np.arange(20 * 26, dtype=float).reshape(20, 26)
    np.save(tmp_path / "a.npy", image)
    sample = read_cutouts(tmp_path / "a.npy", size=9)
    np.testing.assert_array_equal(sample.images[0], image[5:14, 8:17])
    assert sample.history == ["read from files, central 9×9 pixels"]


def test_different_sizes_need_size(tmp_path, image):
    np.save(tmp_path / "a.npy", image)
    np.save(tmp_path / "b.npy", image[2:-2, 2:-2])
    with pytest.raises(ValueError, match=r"differ in size: 16×16 .*b.npy.*20×20 .*size=16"):
        read_cutouts([tmp_path / "a.npy", tmp_path / "b.npy"])
    assert read_cutouts([tmp_path / "a.npy", tmp_path / "b.npy"], size=16).size == 16


def test_nan_outside_the_crop_is_no_fault(tmp_path, image):
    image[3, 7] = np.nan
    np.save(tmp_path / "a.npy", image)
    with pytest.raises(CutoutError, match=r"1 of 400 pixels are NaN or infinite; give size=12 or less"):
        read_cutouts(tmp_path / "a.npy")
    np.testing.assert_array_equal(read_cutouts(tmp_path / "a.npy", size=12).images[0], image[4:16, 4:16])
    with pytest.raises(CutoutError, match="1 of 196"):
        read_cutouts(tmp_path / "a.npy", size=14)


def truncated_fits(path, image):
    write_fits(path, image.repeat(8, axis=0).repeat(8, axis=1))
    path.write_bytes(path.read_bytes()[:9000])


def table_fits(path, _):
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=[1.0])])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


def truncated_png(path, image):
    imsave(path.with_suffix(".png"), (image > 0).astype(np.uint8) * 255, check_contrast=False)
    path.write_bytes(path.with_suffix(".png").read_bytes()[:60])


def truncated_npy(path, image):
    write_npy(path, image)
    path.write_bytes(path.read_bytes()[:300])


def write_npy(path, data):
    with path.open("wb") as stream:
        np.save(stream, data)


FAULTS = {
    "HTML": (lambda p, _: p.write_text("\n<!DOCTYPE html><p>busy</p>"), r"web page .*fetch the file again"),
    "empty": (lambda p, _: p.touch(), r"empty \(0 bytes\)"),
    "text": (lambda p, _: p.write_text("1 2 3"), "not a FITS, npy, PNG or JPEG"),
    "missing": (lambda p, _: None, "No such file.*check the path"),
    "folder": (lambda p, _: p.mkdir(), "cannot be opened"),
    "truncated FITS": (truncated_fits, "cannot be read .*truncated"),
    "truncated PNG": (truncated_png, "cannot be read .*truncated"),
    "truncated npy": (truncated_npy, "cannot be read .*truncated"),
    "pickled": (lambda p, i: write_npy(p, np.array([{}, {}])), "cannot be read .*Python objects"),
    "text values": (lambda p, i: write_npy(p, i.astype(str)), "type <U"),
    "complex": (lambda p, i: write_npy(p, i.astype(complex)), "type complex128"),
    "1-D": (lambda p, i: write_npy(p, i[0]), r"shape \(20,\)"),
    "4-D": (lambda p, i: write_npy(p, i[None, None]), r"shape \(1, 1, 20, 20\)"),
    "no pixels": (lambda p, i: write_npy(p, i[:0]), r"shape \(0, 20\)"),
    "FITS cube": (lambda p, i: write_fits(p, np.stack([i, i])), r"axes \(2, 20, 20\)"),
    "FITS table": (table_fits, "without an image"),
    "all NaN": (lambda p, i: write_fits(p, i * np.nan), "all pixels are NaN"),
    "NaN in the middle": (
        lambda p, i: write_npy(p, np.where(np.eye(20), np.nan, i)),
        "20 of 400 .*its centre is among them",
    ),
    "infinite": (lambda p, i: write_npy(p, np.where(i == i[0, 0], np.inf, i)), "1 of 400 .*size=18"),
    "constant": (lambda p, i: write_fits(p, np.full_like(i, 0.5)), "value 0.5.*no source"),
    "not square": (lambda p, i: write_npy(p, i[:12]), r"not square \(12×20\); give size=12"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(tmp_path, image, fault):
    make, message = FAULTS[fault]
    path = tmp_path / "bad.dat"
    make(path, image.copy())
    with pytest.raises(CutoutError, match=rf"(?s)bad\.dat: .*{message}"):
        read_cutouts(path)
    np.save(tmp_path / "good.npy", image)
    sample = read_cutouts([path, tmp_path / "good.npy"], on_error="skip")
    assert sample.table["name"].tolist() == ["good.npy"]
    [(name, reason)] = sample.table.meta["skipped"]
    assert name == str(path)
    assert "bad.dat:" not in reason
    with pytest.raises(CutoutError, match="none of the 1 files"):
        read_cutouts(path, on_error="skip")


def test_bad_plane_skips_its_whole_stack(tmp_path, image):
    np.save(tmp_path / "a.npy", np.stack([image, image * 0]))
    np.save(tmp_path / "b.npy", image)
    sample = read_cutouts([tmp_path / "a.npy", tmp_path / "b.npy"], on_error="skip")
    assert sample.table["name"].tolist() == ["b.npy"]


def test_size_larger_than_the_image(tmp_path, image):
    np.save(tmp_path / "a.npy", image)
    with pytest.raises(CutoutError, match="20×20 pixels, less than size=21"):
        read_cutouts(tmp_path / "a.npy", size=21)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([],), "no files"), (("a.npy", 0), "size is 0"), (("a.npy", 4, "ignore"), "on_error is 'ignore'")],
)
def test_bad_arguments(arguments, message):
    keywords = dict(zip(("size", "on_error"), arguments[1:], strict=False))
    with pytest.raises(ValueError, match=message):
        read_cutouts(arguments[0], **keywords)


@pytest.mark.shared
def test_real_first_files():
    folder = SHARED / "data" / "first_fits"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    with (folder / "manifest.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    files = [folder / row["file"] for row in rows]
    sample = read_cutouts(files, size=150)
    assert (len(sample), sample.size) == (45, 150)
    assert set(sample.table["unit"]) == {"Jy/beam"}
    peaks = [float(row["peak_central150_jy_beam"]) for row in rows]
    np.testing.assert_allclose(sample.images.max(axis=(1, 2)), peaks, rtol=1e-3)
    whole = read_cutouts(files, on_error="skip")
    assert len(whole.table.meta["skipped"]) == 4
