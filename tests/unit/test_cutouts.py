"""Reading cutouts: every format, and every fault with a message that says what to do."""

from __future__ import annotations

import csv
import os

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from samples import SHARED
from skimage.io import imsave

from radiosynth import simulation
from radiosynth.cutouts.files import CutoutError
from radiosynth.cutouts.read import read_cutouts
from radiosynth.cutouts.write import write_cutouts
from radiosynth.sample import Sample


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
    with pytest.raises(CutoutError, match="holds one image; give its name without a range"):
        read_cutouts(f"{tmp_path / 'one.npy'}[0:5]")


@pytest.mark.parametrize("suffix", ["npy", "fits"])
def test_some_images_of_a_stack_and_those_that_cannot_be_used(tmp_path, image, suffix):
    path = tmp_path / f"stack.{suffix}"
    stack = np.stack([image, 2 * image, np.full_like(image, 3), 4 * image])
    np.save(path, stack) if suffix == "npy" else fits.writeto(path, stack)
    sample = read_cutouts(f"{path}[1:4]", on_error="skip")
    assert sample.table["name"].tolist() == [f"stack.{suffix}[1]", f"stack.{suffix}[3]"]
    np.testing.assert_array_equal(sample.images[1], 4 * image)
    [(name, reason)] = sample.table.meta["skipped"]
    assert name == f"{path}[2]"
    assert "all pixels have the value 3" in reason
    with pytest.raises(CutoutError, match=rf"stack.{suffix}\[2\]: all pixels have the value 3"):
        read_cutouts(path)


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
    with pytest.raises(ValueError, match=r"have widths of \[16, 20\] pixels; give size=16"):
        read_cutouts([tmp_path / "a.npy", tmp_path / "b.npy"])
    assert read_cutouts([tmp_path / "a.npy", tmp_path / "b.npy"], size=16).size == 16


def test_nan_outside_the_crop_is_no_fault(tmp_path, image):
    image[3, 7] = np.nan
    np.save(tmp_path / "a.npy", image)
    with pytest.raises(
        CutoutError, match=r"1 of 400 pixels are NaN, infinite or transparent; give a smaller size"
    ):
        read_cutouts(tmp_path / "a.npy")
    np.testing.assert_array_equal(read_cutouts(tmp_path / "a.npy", size=12).images[0], image[4:16, 4:16])
    with pytest.raises(CutoutError, match="1 of 196"):
        read_cutouts(tmp_path / "a.npy", size=14)


@pytest.mark.parametrize("power", [300, -26, -200])
def test_a_power_of_ten_that_32_bits_have_not_goes_into_the_unit(tmp_path, image, power):
    np.save(tmp_path / "a.npy", image.astype(float) * 10.0**power)
    sample = read_cutouts(tmp_path / "a.npy")
    back = sample.images[0].astype(float) * float(sample.table["unit"][0])
    np.testing.assert_allclose(back / 10.0**power, image, 1e-6)


def test_a_source_that_32_bits_cannot_tell_from_its_level_is_refused(tmp_path, image):
    np.save(tmp_path / "a.npy", image.astype(float) + 1e9)
    with pytest.raises(CutoutError, match="32-bit numbers used here: store them less a constant"):
        read_cutouts(tmp_path / "a.npy")


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


def garbled_fits(path, image):
    write_fits(path, image)
    path.write_bytes(path.read_bytes().replace(b"NAXIS1  =", b"NAXJS1  ="))


FAULTS = {
    "HTML": (lambda p, _: p.write_text("\n<!DOCTYPE html><p>busy</p>"), r"web page .*fetch the file again"),
    "empty": (lambda p, _: p.touch(), r"empty \(0 bytes\)"),
    "text": (lambda p, _: p.write_text("1 2 3"), "not a FITS, npy, PNG or JPEG"),
    "missing": (lambda p, _: None, "No such file.*check the path"),
    "pipe": (lambda p, _: os.mkfifo(p), "is a folder, pipe or device"),
    "link to a device": (lambda p, _: p.symlink_to("/dev/zero"), "is a folder, pipe or device"),
    "truncated FITS": (truncated_fits, "cannot be read .*truncated"),
    "truncated PNG": (truncated_png, "cannot be read .*truncated"),
    "truncated npy": (truncated_npy, "cannot be read .*truncated"),
    "pickled": (lambda p, i: write_npy(p, np.array([{}, {}])), "cannot be read: it holds Python objects"),
    "text values": (lambda p, i: write_npy(p, i.astype(str)), "type <U"),
    "complex": (lambda p, i: write_npy(p, i.astype(complex)), "type complex128"),
    "1-D": (lambda p, i: write_npy(p, i[0]), r"shape \(20,\)"),
    "4-D": (lambda p, i: write_npy(p, i[None, None]), r"shape \(1, 1, 20, 20\)"),
    "no pixels": (lambda p, i: write_npy(p, i[:0]), r"shape \(0, 20\)"),
    "FITS cube": (
        lambda p, i: fits.writeto(p, np.stack([i, i]), fits.Header({"CTYPE1": "RA---SIN"})),
        r"axes \(2, 20, 20\)",
    ),
    "FITS table": (table_fits, "without an image"),
    "FITS without a keyword": (garbled_fits, "cannot be read .*damaged"),
    "all NaN": (lambda p, i: write_fits(p, i * np.nan), "all pixels are NaN"),
    "NaN in the middle": (
        lambda p, i: write_npy(p, np.where(np.eye(20), np.nan, i)),
        "20 of 400 pixels are NaN, infinite or transparent",
    ),
    "infinite": (
        lambda p, i: write_npy(p, np.where(i == i[0, 0], np.inf, i)),
        "1 of 400 pixels are NaN, infinite or transparent",
    ),
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


def test_size_larger_than_the_image(tmp_path, image):
    np.save(tmp_path / "a.npy", image)
    with pytest.raises(CutoutError, match="20×20 pixels, less than size=21"):
        read_cutouts(tmp_path / "a.npy", size=21)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "no files"),
        (("a.npy", 0), "size is 0"),
        (("a.npy", 4, "ignore"), "value of on_error 'ignore'"),
    ],
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


# Coordinates -------------------------------------------------------------------------------------------


def sky_image(path, matrix, shape=(60, 60), scale=1.8, centre=(150.0, 40.0), unit="Jy/beam"):
    """Write three sources as they look where `matrix` takes (x, y) to (west, north)."""
    places = SkyCoord(*centre, unit="deg").directional_offset_by(
        [0, 70, 200] * u.deg, [25, 30, 12] * u.arcsec
    )
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval, wcs.wcs.crpix = centre, [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cd = np.array(matrix) * [[-1], [1]] * scale / 3600
    x, y = wcs.world_to_pixel(places)
    column, row = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    width = 4.5 / scale
    image = sum(
        flux * np.exp(-((column - a) ** 2 + (row - b) ** 2) / (2 * width**2))
        for flux, a, b in zip((1, 0.7, 0.4), x, y, strict=True)
    )
    header = wcs.to_header()
    header["BUNIT"] = unit
    fits.writeto(path, image.astype("f4"), header)
    return path


UPRIGHT = [[1, 0], [0, 1]]
TURNED = {
    "north down": [[-1, 0], [0, -1]],
    "mirrored": [[-1, 0], [0, 1]],
    "north left": [[0, -1], [1, 0]],
    "north right, mirrored": [[0, 1], [1, 0]],
}


@pytest.mark.parametrize("name", TURNED)
@pytest.mark.parametrize("size", [None, 40, 41])
def test_images_turned_by_right_angles_are_set_upright_exactly(tmp_path, name, size):
    usual = read_cutouts(sky_image(tmp_path / "a.fits", UPRIGHT), size=size)
    turned = read_cutouts(sky_image(tmp_path / "b.fits", TURNED[name]), size=size)
    if size == 41:  # its middle lies half a pixel to another side
        usual, turned = (sample.images.max() for sample in (usual, turned))
        assert turned == pytest.approx(usual, rel=0.05)
        return
    np.testing.assert_allclose(turned.images, usual.images, atol=2e-5)
    for column, value in (("ra", 150), ("dec", 40), ("pixel_scale", 1.8)):
        assert turned.table[column][0] == pytest.approx(value)


def test_an_upright_image_keeps_every_bit(tmp_path):
    path = sky_image(tmp_path / "a.fits", UPRIGHT, shape=(61, 60))
    pixels = fits.getdata(path)
    np.testing.assert_array_equal(read_cutouts(path, size=40).images[0], pixels[10:50, 10:50])
    np.testing.assert_array_equal(read_cutouts(path, size=39).images[0], pixels[11:50, 10:49])


@pytest.mark.parametrize("angle", [5, 30, 135, 250])
def test_any_orientation(tmp_path, angle, caplog):
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    path = sky_image(tmp_path / "b.fits", [[cosine, -sine], [sine, cosine]])
    usual = read_cutouts(sky_image(tmp_path / "a.fits", UPRIGHT), size=42)
    turned = read_cutouts(path, size=42)
    np.testing.assert_allclose(turned.images, usual.images, atol=0.04)  # of the peak, 1, by interpolation
    assert not caplog.text
    # Turned, the whole of it would lack corners: then no pixel is made up.
    whole = read_cutouts(path).images[0]
    np.testing.assert_array_equal(np.sort(whole, axis=None), np.sort(fits.getdata(path), axis=None))
    assert f"b.fits: kept as it is, {min(angle % 90, -angle % 90)}.0 degrees from north" in caplog.text


def test_another_pixel_scale_and_another_unit(tmp_path):
    usual = read_cutouts(sky_image(tmp_path / "a.fits", UPRIGHT), size=40)
    path = sky_image(tmp_path / "b.fits", UPRIGHT, shape=(120, 120), scale=1.0, unit="mJy/beam")
    scaled = read_cutouts(path, size=40, pixel_scale=1.8)
    np.testing.assert_allclose(1e3 * scaled.images, usual.images, atol=0.03)
    assert (scaled.table["pixel_scale"][0], scaled.table["unit"][0]) == (1.8, "Jy/beam")
    assert read_cutouts(path, pixel_scale=2.0).size == 60


def test_300_and_150_pixels_with_nan_edges(tmp_path):
    large = sky_image(tmp_path / "large.fits", UPRIGHT, shape=(300, 300))
    small = sky_image(tmp_path / "small.fits", UPRIGHT, shape=(150, 150))
    with fits.open(large, mode="update") as hdus:
        hdus[0].data[:, :60] = np.nan
    sample = read_cutouts([large, small], size=150)
    np.testing.assert_allclose(sample.images[0], sample.images[1], atol=2e-6)


def test_coordinates_are_needed_for_a_pixel_scale(tmp_path, image):
    np.save(tmp_path / "a.npy", image)
    with pytest.raises(CutoutError, match="no celestial coordinates"):
        read_cutouts([tmp_path / "a.npy"], pixel_scale=1.8)


def test_a_pixel_scale_of_nothing(tmp_path):
    with pytest.raises(ValueError, match="pixel_scale is 0"):
        read_cutouts(sky_image(tmp_path / "a.fits", UPRIGHT), pixel_scale=0)


# Writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("located", [True, False])
def test_a_sample_written_as_fits_files_is_read_back_equal(tmp_path, located):
    fake = simulation.simulate(2, 24, rng=np.random.default_rng(4))
    labels = fake.labels.copy()
    labels[0] = -1
    table = fake.table.copy()
    table["class"][0] = ""
    table["name"] = [f"A {i}" for i in range(8)]
    table["name"][1] = "a 0"
    if located:
        table["ra"], table["dec"] = np.linspace(0, 359, 8) * u.deg, np.linspace(-80, 80, 8) * u.deg
        table["unit"], table["pixel_scale"] = "Jy/beam", 3.6 * u.arcsec
    sample = Sample(fake.images, labels, table)
    write_cutouts(sample, tmp_path / "out")
    back = read_cutouts(tmp_path / "out")
    np.testing.assert_array_equal(back.images, sample.images)
    np.testing.assert_array_equal(back.labels, sample.labels)
    assert back.history[:-1] == sample.history
    for name in table.colnames:
        same = np.testing.assert_allclose if name == "pixel_scale" else np.testing.assert_array_equal
        same(back.table[name], table[name], err_msg=name)
        assert back.table[name].unit == table[name].unit
    assert len(list((tmp_path / "out").glob("*.fits"))) == 8
    with pytest.raises(ValueError, match="already holds files"):
        write_cutouts(sample, tmp_path / "out")
    back.save(tmp_path / "one.npz")
    again = Sample.load(tmp_path / "one.npz")
    np.testing.assert_array_equal(again.images, sample.images)
    assert again.table.colnames == back.table.colnames


def test_names_of_any_script_and_missing_pixels_are_written(tmp_path):
    images = np.random.default_rng(0).random((2, 24, 24), np.float32)
    images[1, :3] = np.nan
    write_cutouts(Sample(images, [0, 1], Table({"name": ["Sídhe\n1", "β Per"]})), tmp_path / "out")
    assert read_cutouts(tmp_path / "out").table["name"].tolist() == ["Sídhe\n1"]
    both = read_cutouts(sorted((tmp_path / "out").glob("*.fits")), nan="keep")
    np.testing.assert_array_equal(both.images, images)


def test_names_longer_than_those_of_files_are_written(tmp_path):
    names = ["a" * 300, "A" * 299, "é" * 300]
    write_cutouts(Sample(np.ones((3, 8, 8)), [0] * 3, Table({"name": names})), tmp_path / "out")
    written = {"a" * 100 + ".fits", "A" * 100 + "_2.fits", "é" * 50 + ".fits", "manifest.ecsv"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == written
    assert Table.read(tmp_path / "out" / "manifest.ecsv")["name"].tolist() == names


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / "manifest.ecsv").write_text("rubbish")
    with pytest.raises(ValueError, match=r"manifest\.ecsv cannot be read .*into another folder"):
        read_cutouts(tmp_path)


def test_other_files_and_places_off_the_sky_are_no_cutouts_to_write(tmp_path):
    table = Table({"name": ["A"], "ra": [1.0], "dec": [95.0], "pixel_scale": [1.8]})
    for place, scale in ((95.0, 1.8), (5.0, -1.8)):
        table["dec"], table["pixel_scale"] = place, scale
        with pytest.raises(ValueError, match="dec is beyond 90°, or a pixel_scale is not a positive number"):
            write_cutouts(Sample(np.ones((1, 8, 8)), [0], table), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "A.fits").write_text("precious")
    with pytest.raises(ValueError, match="already holds files"):
        write_cutouts(Sample(np.ones((1, 8, 8)), [0], table), tmp_path)
    assert (tmp_path / "A.fits").read_text() == "precious"


@pytest.mark.parametrize(
    ("value", "beam"), [(5.4 / 3600, 5.4), (True, np.nan), (0.0, np.nan), (-1.0, np.nan)]
)
def test_a_beam_is_a_positive_number(tmp_path, value, beam):
    hdu = fits.PrimaryHDU(np.random.default_rng(0).normal(size=(20, 20)))
    hdu.header["BMAJ"] = value
    hdu.writeto(tmp_path / "a.fits")
    found = read_cutouts(tmp_path / "a.fits").table["beam"][0]
    np.testing.assert_allclose(found, beam)
