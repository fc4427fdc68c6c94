"""Files that are wrong in every way: one of them never ends a batch, and none is misread without a word."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image
from skyserver import fits_file

from radiosynth import selection
from radiosynth.cutouts.download import download_cutouts
from radiosynth.cutouts.files import CutoutError
from radiosynth.cutouts.manifest import MANIFEST
from radiosynth.cutouts.read import read_cutouts
from radiosynth.preprocessing import preprocess
from radiosynth.surveys import FIRST, First, Survey

FEW = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EDGE = 24


@pytest.fixture
def image():
    y, x = np.mgrid[:EDGE, :EDGE] - 11.5
    noise = np.random.default_rng(1).normal(0, 1e-4, (EDGE, EDGE))
    return (0.01 * np.exp(-((x - 3) ** 2 + y**2) / 8) + noise).astype("f4")


def content_of(image, change=None, **kinds):
    """Return a FITS file with celestial coordinates, some cards changed and those that are None left out."""
    header = fits.Header({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 180.0, "CRVAL2": 30.0})
    header.update({"CRPIX1": 12.5, "CRPIX2": 12.5, "CDELT1": -5e-4, "CDELT2": 5e-4, "RADESYS": "FK5"})
    header.update({"EQUINOX": 2000.0, "BUNIT": "JY/BEAM "})
    for name, value in (change or {}).items():
        header[name] = value
        if value is None:
            del header[name]
    content = io.BytesIO()
    fits.PrimaryHDU(image, header).writeto(content, output_verify="ignore")
    return content.getvalue()


def read(folder, content, name="a.fits", **keywords):
    (folder / name).write_bytes(content)
    return read_cutouts(folder / name, **keywords)


def test_the_beam_that_aips_writes_into_the_history(tmp_path, image):
    header = fits.Header({"HISTORY": "AIPS   CLEAN BMAJ=  1.0000E-03 BMIN=  1.0000E-03 BPA=   0.00"})
    header.add_history("AIPS   IMNAME= 'A'")
    header.add_history("AIPS   CLEAN BMAJ=  4.1667E-03 BMIN=  3.0000E-03 BPA=  10.00")
    small, large = np.pad(image, 8), np.pad(image, 600)  # read at once, and by parts
    for number, pixels in enumerate((small, large)):
        fits.writeto(tmp_path / f"{number}.fits", pixels, header)
        table = read_cutouts(tmp_path / f"{number}.fits", size=24).table
        assert table["beam"][0] == pytest.approx(15, rel=1e-4)
    header.add_history("AIPS   CLEAN BMAJ=  0.0000E+00 BMIN=  0.0000E+00 BPA=   0.00")
    fits.writeto(tmp_path / "none.fits", small, header)
    assert np.isnan(read_cutouts(tmp_path / "none.fits").table["beam"][0])
    header["BMAJ"] = 0.0015
    fits.writeto(tmp_path / "told.fits", small, header)
    assert read_cutouts(tmp_path / "told.fits").table["beam"][0] == pytest.approx(5.4)


def test_files_of_a_folder_that_are_not_read_are_named(tmp_path, image, caplog):
    fits.writeto(tmp_path / "a.fits", image)
    for name in ("b.fits.bz2", "c.tif", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    read_cutouts(tmp_path)
    assert f"not read in {tmp_path}: b.fits.bz2, c.tif, sub\n" in caplog.text
    caplog.clear()
    Table({"name": ["a"], "file": ["a.fits"]}).write(tmp_path / "manifest.ecsv")
    read_cutouts(tmp_path)
    assert not caplog.text
    fits.writeto(tmp_path / "d.fits", image)
    read_cutouts(tmp_path)
    assert f"not read in {tmp_path}: d.fits\n" in caplog.text


# Coordinates --------------------------------------------------------------------------------------------


def test_a_card_that_is_not_needed_may_be_wrong(image, tmp_path):
    content = content_of(image, {"OBSERVER": "Somebody"})
    wrong = content.replace(b"OBSERVER= 'Somebody'", b"OBSERVER= 'Somebo\xffy ")
    assert read(tmp_path, wrong).table["ra"][0] == pytest.approx(180, abs=1e-3)


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
def test_distortions_of_scamp_are_read_as_astropy_reads_them(image, tmp_path):
    matrix = {"CDELT1": None, "CDELT2": None, "CD1_1": -5e-4, "CD2_2": 5e-4}
    change = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "PV1_0": 0.02, "PV1_1": 1.0, "PV1_5": 0.1}
    content = content_of(image, matrix | change | {"PV2_0": 0.01, "PV2_1": 1.0})
    table = read(tmp_path, content).table
    centre = WCS(fits.Header.fromstring(content[:2880])).pixel_to_world(11.5, 11.5)
    assert centre.ra.deg > 180.01
    np.testing.assert_allclose([table["ra"][0], table["dec"][0]], [centre.ra.deg, centre.dec.deg], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "keyword"),
    [
        ({"RADESYS": "galactic"}, "RADESYS is 'galactic'"),
        ({"RADESYS": "J2000"}, "RADESYS is 'J2000'"),
        ({"RADESYS": None, "RADECSYS": "GAPPT"}, "RADECSYS is 'GAPPT'"),
        ({"EQUINOX": "epoch"}, "EQUINOX is 'epoch'"),
        ({"EQUINOX": 0.0}, "EQUINOX is 0.0"),
        ({"EQUINOX": None, "EPOCH": 20000}, "EPOCH is 20000"),
        ({"RADESYS": "ICRS", "EQUINOX": 1950.0}, "EQUINOX is 1950.0"),
        ({"CTYPE1": None}, "CTYPE1 is missing"),
        ({"CTYPE1": None, "CTYPE2": None}, "CTYPE1 is missing"),
        ({"CTYPE2": "FREQ"}, "CTYPE2 is 'FREQ'"),
        ({"CTYPE1": "RA--SIN", "CTYPE2": "DEC-SIN"}, "CTYPE1 is 'RA--SIN'"),
        ({"CTYPE1": "RA", "CTYPE2": "DEC"}, "CTYPE1 is 'RA'"),
        ({"CTYPE1": "ELON-SIN", "CTYPE2": "ELAT-SIN"}, "CTYPE1 is 'ELON-SIN'"),
        ({"CTYPE1": "RA---XXX", "CTYPE2": "DEC--XXX"}, "CTYPE"),
        ({"CTYPE2": "DEC--TAN"}, "CTYPE"),
        ({"CRVAL1": "180.0"}, "CRVAL1 is '180.0'"),
        ({"CRVAL1": None}, "CRVAL1 is missing"),
        ({"CRVAL1": 1000.0}, "CRVAL1 is 1000.0"),
        ({"CRVAL2": 95.0}, "CRVAL"),
        ({"CRPIX2": None}, "CRPIX2 is missing"),
        ({"CRPIX1": 1e9}, "CRPIX"),
        ({"CRPIX1": True}, "CRPIX1 is True"),
        ({"CDELT1": -1.8, "CDELT2": 1.8}, "CDELT"),  # arcsec, called degrees
        ({"CDELT1": -1e-9, "CDELT2": 1e-9}, "CDELT"),
        ({"CDELT1": -5e-4, "CDELT2": 5e-3}, "CDELT"),
        ({"CDELT1": 0.0}, "CDELT"),
        ({"CDELT1": None, "CDELT2": None}, "CDELT"),
        ({"CD1_1": -5e-4, "CD1_2": 5e-4, "CD2_1": -5e-4, "CD2_2": 5e-4}, "CD"),
        ({"CD1_1": -5e-4, "CD2_2": 5e-4, "PC1_1": 1.0}, "PC1_1 is 1.0"),
        ({"PC1_1": 1.0, "PC1_2": 0.9, "PC2_2": 0.1}, "PC"),
        ({"PC1_1": 1.0, "CROTA2": 30.0}, "CROTA2 is 30.0"),
        ({"PC001001": 0.8}, "PC001001 is 0.8"),
        ({"CD001001": -5e-4}, "CD001001 is -0.0005"),
        ({"PC1_3": 0.1}, "PC1_3 is 0.1"),
        ({"CTYPE1": "RA___SIN", "CTYPE2": "DEC__SIN"}, "CTYPE1 is 'RA___SIN'"),
        ({"CROTA1": 30.0}, "CROTA1 is 30.0"),
        ({"CUNIT1": "Hz"}, "CUNIT1 is 'Hz'"),
        ({"CUNIT1": "arcsec", "CUNIT2": "arcsec"}, "CDELT"),
    ],
)
def test_what_would_be_misread_is_refused_by_name(tmp_path, image, change, keyword):
    with pytest.raises(CutoutError, match=keyword) as refused:
        read(tmp_path, content_of(image, change))
    assert "fetch it again" not in str(refused.value)


B1950 = SkyCoord(180, 30, unit="deg", frame="fk4", equinox="B1950").icrs
GALACTIC = SkyCoord(180, 30, unit="deg", frame="galactic").icrs


@pytest.mark.parametrize(
    ("change", "ra", "dec"),
    [
        ({"RADESYS": "fk5"}, 180, 30),
        ({"RADESYS": None, "EQUINOX": None}, 180, 30),
        ({"CTYPE1": "ra---sin", "CTYPE2": "dec--sin"}, 180, 30),
        ({"CUNIT1": "DEGREE", "CUNIT2": "degrees"}, 180, 30),
        ({"RADESYS": None, "EQUINOX": "B1950"}, B1950.ra.deg, B1950.dec.deg),
        ({"RADESYS": None, "EQUINOX": None, "EPOCH": 1950}, B1950.ra.deg, B1950.dec.deg),
        ({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, GALACTIC.ra.deg, GALACTIC.dec.deg),
        ({"PC001002": 0.0, "CD1_3": 1e-9}, 180, 30),
    ],
)
def test_what_is_clear_is_read_right(tmp_path, image, change, ra, dec):
    row = read(tmp_path, content_of(image, change)).table[0]
    assert (row["ra"], row["dec"]) == pytest.approx((ra, dec), abs=1e-4)
    assert row["pixel_scale"] == pytest.approx(1.8, rel=1e-5)


@pytest.mark.parametrize(
    "third",
    [
        {"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CDELT3": 0.0},
        {"CTYPE3": "VELO-LSR", "CUNIT3": "M/S", "CDELT3": -7.3e5},
        {"CTYPE3": "FREQ", "PC3_1": 1e-9, "PC1_1": 1.0, "PC2_2": 1.0, "PC3_3": 1.0},
        {"CTYPE3": "NONSENSE-XYZ", "CRVAL3": "text"},
    ],
)
def test_axes_of_length_one_do_not_matter(tmp_path, image, third):
    found = read(tmp_path, content_of(image[None, None], third))
    np.testing.assert_array_equal(found.images[0], image)
    assert found.table["ra"][0] == pytest.approx(180, abs=1e-4)


def test_a_matrix_with_zeros_before_its_numbers(tmp_path, image):
    cos, sin = np.cos(0.5), np.sin(0.5)
    parts = {(1, 1): cos, (1, 2): -sin, (2, 1): sin, (2, 2): cos}
    contents = [
        content_of(image, {name.format(*place): value for place, value in parts.items()})
        for name in ("PC0{}_0{}", "PC{}_{}")
    ]
    padded, plain = (read(tmp_path, content, size=16) for content in contents)
    np.testing.assert_array_equal(padded.images, plain.images)
    assert not np.array_equal(padded.images[0], image[4:20, 4:20])


@pytest.mark.parametrize(("first", "second"), [(3, 4), (1, 3), (2, 3)])
def test_coordinates_may_be_those_of_other_axes(tmp_path, image, first, second):
    plain = fits.Header.fromstring(content_of(image)[:2880])
    header = fits.Header({f"CTYPE{i}": "STOKES" for i in range(1, second + 1)})
    for name, value in plain.items():
        if name[:2] in ("CT", "CR", "CD"):
            header[name[:-1] + str((first, second)[int(name[-1]) - 1])] = value
    shape = np.ones(second, int)
    shape[[-first, -second]] = EDGE
    fits.writeto(tmp_path / "a.fits", image.reshape(shape), header)
    found = read_cutouts(tmp_path / "a.fits")
    np.testing.assert_array_equal(found.images[0], image)
    assert found.table["ra"][0] == pytest.approx(180, abs=1e-4)
    assert found.table["pixel_scale"][0] == pytest.approx(1.8, rel=1e-5)
    header[f"CRPIX{second}"] = "text"
    fits.writeto(tmp_path / "b.fits", image.reshape(shape), header)
    with pytest.raises(CutoutError, match=f"CRPIX{second} is 'text'"):
        read_cutouts(tmp_path / "b.fits")


def test_coordinates_may_be_inherited(tmp_path, image):
    header = fits.Header.fromstring(content_of(image)[:2880])
    for kind in (fits.ImageHDU, fits.CompImageHDU):
        part = kind(image)
        part.header["INHERIT"] = True
        part.header["OBJECT"] = "A"
        fits.HDUList([fits.PrimaryHDU(header=header), part]).writeto(tmp_path / "a.fits", overwrite=True)
        table = read_cutouts(tmp_path / "a.fits").table
        assert (table["ra"][0], table["unit"][0]) == (pytest.approx(180, abs=1e-4), "Jy/beam")


NUMBERS = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CDELT1", "CDELT2", "CROTA2", "EQUINOX", "CD1_1", "PC1_2")
VALUES = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-400, 400), st.booleans(), st.sampled_from(["", "1.0", "nan", "FK6"])
)


@FEW
@given(change=st.dictionaries(st.sampled_from(NUMBERS), VALUES, max_size=3))
def test_headers_are_refused_or_give_a_place_on_the_sky(tmp_path, image, change):
    (tmp_path / "a.fits").write_bytes(content_of(image, change))
    np.save(tmp_path / "good.npy", image)
    table = read_cutouts([tmp_path / "a.fits", tmp_path / "good.npy"], on_error="skip").table
    if len(table) == 1:
        assert "fetch it again" not in str(table.meta["skipped"])
        return
    row = table[0]
    assert 0 <= row["ra"] <= 360
    assert abs(row["dec"]) <= 90
    assert 0.001 <= row["pixel_scale"] <= 600


@pytest.mark.parametrize("dec", [0, 31, 56, 64])
def test_any_place_in_a_field_of_first(tmp_path, image, dec):
    """The reference point is the centre of the field, and north is not quite up: no pixel is made up."""
    for ra in np.linspace(150, 150.7 / np.cos(np.radians(dec)), 5):
        found = read(tmp_path, fits_file(image, ra, dec + 0.2), size=EDGE)
        np.testing.assert_array_equal(found.images[0], image)
        place = SkyCoord(found.table["ra"][0], found.table["dec"][0], unit="deg")
        assert place.separation(SkyCoord(ra, dec + 0.2, unit="deg")).arcsec < 1.3


def test_a_tilted_image_loses_no_corner(tmp_path, image, caplog):
    change = {"CRPIX1": 6000.0, "CRVAL2": 70.0}  # of LOFAR, say: the field is degrees wide
    found = read(tmp_path, content_of(image, change), size=EDGE)
    np.testing.assert_array_equal(found.images[0], image)
    assert "a.fits: kept as it is, 8." in caplog.text
    caplog.clear()
    assert np.isfinite(read(tmp_path, content_of(image, change), size=EDGE - 6).images).all()
    assert not caplog.text


# Brightness ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "in_jansky", "called"),
    [
        ("MJY/BEAM", 1e-3, "Jy/beam"),
        ("UJY/BEAM", 1e-6, "Jy/beam"),
        ("W/m2/Hz", 1e26, "Jy"),
        ("W/m2/Hz/beam", 1e26, "Jy/beam"),
        ("erg/s/cm2/Hz", 1e23, "Jy"),
        ("MJy/sr", 1e6, "Jy/sr"),
        ("MJY/SR", None, "MJY/SR"),  # mega or milli?
        ("mK", 1e-3, "K"),
        ("Kelvin", 1, "K"),
        ("counts?", None, "counts?"),
        ("(((", None, "((("),
    ],
)
@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_units(tmp_path, image, unit, in_jansky, called, dtype):
    factor = in_jansky or 1
    found = read(tmp_path, content_of((image / factor).astype(dtype), {"BUNIT": unit}))
    assert found.table["unit"][0] == called
    np.testing.assert_allclose(found.images[0], image, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-320, 1e-45, 1e-30, 1e30, 1e45, 1e308])
def test_no_scale_is_too_small_or_too_large(tmp_path, image, scale):
    pixels = image.astype(float) / image.max() * scale
    np.save(tmp_path / "a.npy", pixels)
    found = read_cutouts(tmp_path / "a.npy")
    assert np.isfinite(found.images).all()
    tolerance = 0.01 if scale < 1e-300 else 1e-5
    np.testing.assert_allclose(found.images[0] / found.images.max(), image / image.max(), atol=tolerance)
    assert found.table["unit"][0].startswith("1e")
    assert np.isfinite(preprocess(found, size=EDGE).images).all()


@pytest.mark.parametrize("blank", [-99.0, -9999.0, -32768.0, -1e30, 1e20, 1e36, (-9999.0, 1e20)])
@pytest.mark.parametrize("turn", [0.0, 30.0])
def test_values_that_stand_for_missing_data(tmp_path, image, blank, turn):
    plain = image.astype(float)
    marked = np.where(np.mgrid[:EDGE, :EDGE][1] < 5, np.resize(blank, (EDGE, 1)), plain)
    a, b = (read(tmp_path, content_of(x, {"CROTA2": turn}), nan="keep", size=16) for x in (plain, marked))
    missing = np.isnan(b.images)
    assert 0 < missing.mean() < 0.2
    np.testing.assert_array_equal(a.images[~missing], b.images[~missing])


def test_images_beside_others(tmp_path, image, caplog):
    """The first image with two axes is read, and a word said where that may be a mask or weights."""
    flat, mask = fits.PrimaryHDU(np.zeros(5)), fits.ImageHDU((image > 1e-3).astype("i2"), name="MASK")
    fits.HDUList([flat, fits.ImageHDU(image)]).writeto(tmp_path / "a.fits")
    np.testing.assert_array_equal(read_cutouts(tmp_path / "a.fits").images[0], image)
    assert not caplog.text
    fits.HDUList([flat, mask, fits.ImageHDU(image, name="SCI")]).writeto(tmp_path / "b.fits")
    read_cutouts(tmp_path / "b.fits")
    assert "b.fits holds 2 images, the first is read: MASK (24, 24), SCI (24, 24)" in caplog.text


# Pictures -----------------------------------------------------------------------------------------------


def picture(folder, mode, image, name="a.png", alpha=None, **save):
    """Write a picture of an image, upside down as pictures are."""
    grey = np.clip(255 * image[::-1] / image.max(), 0, 255).astype(np.uint8)
    bands = [grey] * {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}[mode]
    if mode.endswith("A"):
        bands.append(np.full_like(grey, 255) if alpha is None else alpha[::-1])
    Image.merge(mode, [Image.fromarray(band) for band in bands]).save(folder / name, **save)
    return folder / name


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_grey_pictures_are_alike(tmp_path, image, mode, caplog):
    expected = np.clip(255 * image / image.max(), 0, 255).astype(np.uint8)
    np.testing.assert_allclose(read_cutouts(picture(tmp_path, mode, image)).images[0], expected, rtol=1e-5)
    assert not caplog.text


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_pixels_are_missing(tmp_path, image, mode):
    alpha = np.full((EDGE, EDGE), 255, np.uint8)
    alpha[:, :3] = 0
    path = picture(tmp_path, mode, image, alpha=alpha)
    with pytest.raises(CutoutError, match="72 of 576 pixels are NaN, infinite or transparent"):
        read_cutouts(path)
    assert read_cutouts(path, size=EDGE - 6).size == EDGE - 6
    np.testing.assert_array_equal(np.isnan(read_cutouts(path, nan="keep").images[0]), alpha == 0)


def test_a_colour_that_stands_for_transparent(tmp_path, image):
    grey = np.clip(255 * image[::-1] / image.max(), 1, 255).astype(np.uint8)
    grey[0, 0] = 0
    for convert in ("L", "P"):
        Image.fromarray(grey).convert(convert).save(tmp_path / "a.png", transparency=0)
        with pytest.raises(CutoutError, match="1 of 576 pixels are NaN, infinite or transparent"):
            read_cutouts(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["f4", ">f4", "f8", "g", "i2", "i4"])
def test_missing_data_are_found_whatever_the_numbers(tmp_path, image, kind):
    values = (1e3 * image / image.max()).astype(kind)
    values[:10, :10] = np.longdouble("-9999.1")  # in none but integers exactly what a double says
    np.save(tmp_path / "a.npy", values)
    (found,) = read_cutouts(tmp_path / "a.npy", nan="keep").images
    assert np.isnan(found[:10, :10]).all()
    assert np.isnan(found).sum() == 100


def test_sixteen_bits(tmp_path, image):
    values = np.clip(65535 * image / image.max(), 0, 65535).astype(np.uint16)
    Image.fromarray(values[::-1]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_cutouts(tmp_path / "a.png").images[0], values)
    header = zlib.compress(bytes(EDGE * (1 + 6 * EDGE)))
    chunks = [(b"IHDR", EDGE.to_bytes(4) * 2 + b"\x10\x02\0\0\0"), (b"IDAT", header), (b"IEND", b"")]
    packed = [len(c).to_bytes(4) + k + c + zlib.crc32(k + c).to_bytes(4) for k, c in chunks]
    with pytest.raises(CutoutError, match="16 bits"):
        read(tmp_path, b"\x89PNG\r\n\x1a\n" + b"".join(packed), "b.png")
    Image.fromarray(values[::-1]).save(tmp_path / "c.png", transparency=0)
    with pytest.raises(CutoutError, match="16 bits"):
        read_cutouts(tmp_path / "c.png")


def test_pictures_that_are_not_linear_are_named(tmp_path, image, caplog):
    image = (image - image.min()) / np.ptp(image)
    read_cutouts(picture(tmp_path, "L", 1 - image, "inverted.png"))
    read_cutouts(picture(tmp_path, "L", np.log(1 + 1000 * image), "log.png"))
    above = np.clip(image - np.median(image), 0, 1)  # the logarithm of what is negative is often set to 0
    read_cutouts(picture(tmp_path, "L", np.log(1 + 1000 * above), "clipped.png"))
    Image.fromarray(np.uint8(image[..., None] / image.max() * [255, 160, 60])).save(tmp_path / "heat.png")
    read_cutouts(tmp_path / "heat.png")
    read_cutouts(picture(tmp_path, "L", np.minimum(image, 0.3), "saturated.png"))
    bright = np.where(image > 0.2, image, 0)  # a source on a sky that is cut off far above the noise
    read_cutouts(picture(tmp_path, "L", np.log(1 + 1000 * bright), "threshold.png"))
    for name in ("inverted", "log", "clipped", "heat", "saturated", "threshold"):
        assert f"{name}.png is a picture" in caplog.text
    assert caplog.text.count("linear in flux, bright on dark") == 6


def test_a_mask_is_no_image(tmp_path, image):
    np.save(tmp_path / "a.npy", image > 0.003)
    with pytest.raises(CutoutError, match="values of type bool; store real numbers"):
        read_cutouts(tmp_path / "a.npy")


def test_an_axis_of_negative_length(tmp_path, image):
    content = content_of(image).replace(b"NAXIS1  =                   24", b"NAXIS1  =                  -24")
    for made in (content, content + bytes(2**22), gzip.compress(content)):  # read at once, or not
        with pytest.raises(CutoutError, match=r"lengths \[-24, 24\]|truncated or damaged"):
            read(tmp_path, made)
    assert len(read(tmp_path, content_of(image, {"HISTORY": "NAXIS1=-1"}))) == 1


def test_an_animation_is_refused(tmp_path, image):
    still = Image.open(picture(tmp_path, "L", image, "still.png"))
    path = picture(tmp_path, "L", image, save_all=True, append_images=[still.rotate(90)])
    with pytest.raises(CutoutError, match="2 pictures, an animation"):
        read_cutouts(path)


# Damage -------------------------------------------------------------------------------------------------


def kinds(folder, image):
    """Return a good file of each kind, as bytes."""
    np.save(folder / "k.npy", image)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image)]).writeto(folder / "k.fz", overwrite=True)
    plain = content_of(image)
    picture(folder, "LA", image, "k.png")
    picture(folder, "L", image, "k.jpg")
    others = [(folder / f"k.{suffix}").read_bytes() for suffix in ("npy", "fz", "png", "jpg")]
    return [plain, gzip.compress(plain, mtime=0), *others]


@settings(FEW, max_examples=80)
@given(data=st.data())
def test_no_damage_ends_a_batch(tmp_path, image, data):
    content = bytearray(data.draw(st.sampled_from(kinds(tmp_path, image))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(content), 3000) - 1))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    content = content[: data.draw(st.one_of(st.none(), st.integers(0, len(content))))]
    (tmp_path / "bad").write_bytes(content)
    np.save(tmp_path / "good.npy", image)
    found = read_cutouts([tmp_path / "bad", tmp_path / "good.npy"], on_error="skip", size=EDGE // 2)
    assert found.table["name"][-1] == "good.npy"
    assert np.isfinite(found.images).all()


@pytest.mark.parametrize(
    "raised", [zlib.error("x"), MemoryError(), OverflowError(), RecursionError(), fits.VerifyError("y")]
)
def test_whatever_a_reader_raises_concerns_one_file(tmp_path, image, raised, monkeypatch):
    np.save(tmp_path / "good.npy", image)
    (tmp_path / "bad.fits").write_bytes(content_of(image))

    def fail(*_, **__):
        raise raised

    monkeypatch.setattr(fits, "open", fail)
    monkeypatch.setattr(fits.PrimaryHDU, "fromstring", fail)
    found = read_cutouts([tmp_path / "bad.fits", tmp_path / "good.npy"], on_error="skip")
    [(_, reason)] = found.table.meta["skipped"]
    assert ("fetch it again" in reason) == (not isinstance(raised, MemoryError))


def test_names_with_tabs_and_newlines(tmp_path, image):
    found = [read(tmp_path, content_of(image), name) for name in ("a\tb.fits", "a\nb.fits")]
    assert [each.table["name"][0] for each in found] == ["a\tb.fits", "a\nb.fits"]


@pytest.mark.parametrize("kind", ["fits", "npy"])
def test_of_a_large_image_only_a_part_is_read(tmp_path, kind):
    n, path = 15_000, tmp_path / f"large.{kind}"
    if kind == "npy":
        np.lib.format.open_memmap(path, mode="w+", dtype="f4", shape=(n, n))[n // 2, n // 2] = 1
    else:
        head = content_of(np.zeros((EDGE, EDGE), "f4"), {"CRPIX1": (n + 1) / 2, "CRPIX2": (n + 1) / 2})
        head = head[:2880].replace(b"                  24", b"               15000")
        with path.open("wb") as stream:
            stream.write(head)
            stream.truncate(2880 + -(-4 * n * n // 2880) * 2880)
            stream.seek(2880 + 4 * (n + 1) * (n // 2))
            stream.write(np.array(1, ">f4").tobytes())
    tracemalloc.start()
    try:
        assert read_cutouts(path, size=150).images[0, 75, 75] == 1
        with pytest.raises(CutoutError, match=r"15000×15000 pixels are too many; give size"):
            read_cutouts(path)
        with pytest.raises(CutoutError, match="less than size=1000000000"):
            read_cutouts(path, size=10**9)
        assert tracemalloc.get_traced_memory()[1] < 2e7
    finally:
        tracemalloc.stop()


def test_absurd_scales_and_sizes_are_refused_before_memory_is_taken(tmp_path, image):
    (tmp_path / "a.fits").write_bytes(content_of(image))
    for keywords in (
        {"pixel_scale": np.nan},
        {"pixel_scale": np.inf},
        {"pixel_scale": 1e-9},
        {"size": np.nan},
    ):
        with pytest.raises(ValueError, match=f"{next(iter(keywords))} is"):
            read_cutouts(tmp_path / "a.fits", **keywords)
    with pytest.raises(CutoutError, match="pixels are too many"):
        read_cutouts(tmp_path / "a.fits", pixel_scale=0.001)


def test_channels_and_compressed_files(tmp_path, image):
    np.save(tmp_path / "one.npy", image[..., None])
    np.save(tmp_path / "two.npy", np.stack([image, image])[..., None])
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image)]).writeto(tmp_path / "c.fits.fz")
    found = selection.read_folder(tmp_path)
    assert found.table["name"].tolist() == ["c.fits.fz", "one.npy", "two.npy[0]", "two.npy[1]"]
    np.testing.assert_array_equal(found.images[1], image)


# Folders ------------------------------------------------------------------------------------------------


def test_rows_that_share_a_file_or_a_name_all_stay(tmp_path, image):
    for name in ("a", "b"):
        fits.writeto(tmp_path / f"{name}.fits", image)
    table = Table({"name": ["A", "B", "B"], "file": ["a.fits", "a.fits", "b.fits"]})
    table.write(tmp_path / MANIFEST, format="ascii.ecsv")
    assert read_cutouts(tmp_path).table["name"].tolist() == ["A", "B", "B"]
    found = selection.read_folder(tmp_path)
    assert found.table["name"].tolist() == ["A", "B (a.fits)", "B (b.fits)"]
    assert selection.review_page(found, tmp_path / "review.html").is_file()


def test_a_manifest_of_other_columns_is_named(tmp_path, image):
    fits.writeto(tmp_path / "a.fits", image)
    Table({"name": ["a"], "status": ["ok"]}).write(tmp_path / MANIFEST, format="ascii.ecsv")
    with pytest.raises(ValueError, match="no column file"):
        read_cutouts(tmp_path)
    with pytest.raises(ValueError, match="no column ra, dec"):
        download_cutouts(Table({"name": ["a"], "ra": [1.0], "dec": [2.0]}), tmp_path)


def made_here(position, width):
    """Return a cutout without a server."""
    noise = np.random.default_rng(0).normal(size=(FIRST.pixels(width),) * 2)
    return fits_file(noise, position.ra.deg, position.dec.deg)


def fetched(folder, **columns):
    table = Table(
        {"name": ["A\tB", "C\nD", "mine"], "ra": [1.0, 2.0, 3.0], "dec": [0.0, 40.0, 60.0]} | columns
    )
    here = Survey("Hier é", pixel_scale=1.8, beam=5.4, field=1, fetch=made_here)
    return download_cutouts(table, folder, survey=here, rate=1000)


def test_a_file_that_is_not_ours_is_never_replaced(tmp_path, image):
    files = {
        "mine.fits": b"SIMPLE  = my own",
        "A_B.fits": content_of(image),
        "C_D.fits": gzip.compress(b"x")[:9],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for _ in range(2):
        found = fetched(tmp_path)
        assert found["file"].tolist() == ["A_B_2.fits", "C_D_2.fits", "mine_2.fits"]
        assert found["status"].tolist() == ["ok"] * 3
        assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert read_cutouts(tmp_path).table["name"].tolist() == ["A\tB", "C\nD", "mine"]


@pytest.mark.parametrize(
    "columns",
    [
        {"ra": MaskedColumn([1.0, 2.0, 3.0], mask=[False, True, False])},
        {"ra": [1.0, np.nan, 3.0]},
        {"dec": [0.0, 91.0, 1.0]},
        {"ra": ["here", "1", "2"]},
    ],
)
def test_positions_that_are_none_are_refused(tmp_path, columns):
    with pytest.raises(ValueError, match=r"row \d has (ra|dec) = .*give .* degrees"):
        fetched(tmp_path / "out", **columns)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, 0, -1])
@pytest.mark.parametrize("name", ["width", "rate", "timeout"])
def test_numbers_that_are_none_are_refused(tmp_path: Path, name, value):
    with pytest.raises(ValueError, match=f"{name}"):
        First(timeout=value) if name == "timeout" else download_cutouts(
            Table({"name": ["a"], "ra": [1.0], "dec": [2.0]}), tmp_path / "out", **{name: value}
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["pixel_scale", "beam", "field"])
def test_a_survey_of_no_size_is_refused(name):
    sizes = {"pixel_scale": 1.8, "beam": 5.4, "field": 4.5} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} of mine is 0; give a positive number"):
        Survey("mine", **sizes, fetch=made_here)


def test_a_width_of_degrees_is_refused(tmp_path):
    with pytest.raises(ValueError, match="more than 4096 pixels"):
        download_cutouts(Table({"name": ["a"], "ra": [1.0], "dec": [2.0]}), tmp_path / "out", width=1000)
