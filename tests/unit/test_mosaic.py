"""Sources in a large image: cut out, convolved to FIRST's beam, resampled; and lists of source finders."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from radiosynth import Sample, augment, preprocess
from radiosynth.catalogues import read_positions
from radiosynth.cutouts import CutoutError, cutouts_from_mosaic, read_cutouts, write_cutouts

CENTRE = SkyCoord(150, 40, unit="deg")
FWHM = np.sqrt(8 * np.log(2))


def gaussian(west, north, beam):
    """Return a point source of peak 1 as a beam (major, minor, position angle) shows it."""
    major, minor, angle = beam
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    along, across = (north * cosine - west * sine) / major, (west * cosine + north * sine) / minor
    return np.exp(-(along**2 + across**2) * FWHM**2 / 2)


def header_of(n, scale, beam=None, matrix=((1, 0), (0, 1))):
    """Return the header of n×n pixels, of which `matrix` takes (x, y) to (west, north)."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval, wcs.wcs.crpix = (CENTRE.ra.deg, CENTRE.dec.deg), [(n + 1) / 2] * 2
    wcs.wcs.cd = np.array(matrix) * [[-1], [1]] * scale / 3600
    header = wcs.to_header()
    header["BUNIT"] = "Jy/beam"
    if beam is not None:
        header.update({"BMAJ": beam[0] / 3600, "BMIN": beam[1] / 3600, "BPA": beam[2]})
    return header


def mosaic(path, *, n=500, scale=1.0, beam=(2.5, 2.5, 0), matrix=((1, 0), (0, 1)), at=((0, 0),), told=True):
    """Write point sources of 1 Jy/beam at some arcsec west and north of the middle."""
    y, x = np.indices((n, n)) - (n - 1) / 2
    west, north = np.tensordot(np.array(matrix), [x, y], 1) * scale
    image = sum(gaussian(west - a, north - b, beam) for a, b in at)
    fits.writeto(path, image.astype("f4"), header_of(n, scale, beam if told else None, matrix))
    return path


def offset(west, north):
    return SkyCoord(CENTRE).spherical_offsets_by(-west * u.arcsec, north * u.arcsec)


def expected(size, beam, scale=1.8):
    y, x = (np.indices((size, size)) - (size - 1) / 2) * scale
    return gaussian(x, y, beam)


@pytest.mark.parametrize("size", [40, 41])
def test_a_mosaic_like_first_keeps_every_pixel(tmp_path, size):
    path = mosaic(tmp_path / "m.fits", n=120, scale=1.8, beam=(5.4, 5.4, 0), at=((20, 30), (-50, 0)))
    sample = cutouts_from_mosaic(path, SkyCoord([CENTRE, offset(18, 36)]), size=size)
    np.testing.assert_array_equal(sample.images[0], read_cutouts(path, size=size).images[0])
    first = (120 - size) // 2
    rows, columns = (slice(first + step, first + step + size) for step in (20, 10))
    np.testing.assert_array_equal(sample.images[1], fits.getdata(path)[rows, columns])
    assert sample.history == [f"cut out of m.fits: {size}×{size} pixels"]
    assert sample.table["unit"][0] == "Jy/beam"


TURNED = np.array([[0.6, -0.8], [0.8, 0.6]])


@pytest.mark.parametrize("matrix", [np.eye(2), [[-1, 0], [0, 1]], [[0, -1], [1, 0]], TURNED])
@pytest.mark.parametrize("beam", [(2.5, 2.5, 0), (5.0, 2.0, 30), (5.4, 3.0, 120), (6.2, 3.0, 75)])
def test_a_sharper_beam_becomes_that_of_first(tmp_path, matrix, beam):
    path = mosaic(tmp_path / "m.fits", n=450, scale=0.6, beam=beam, matrix=matrix, at=((30, 12),))
    sample = cutouts_from_mosaic(path, offset(30, 12), size=61)
    after = max(beam[0], 5.4), 5.4, beam[2]
    # A point source keeps its peak in Jy/beam; interpolation takes up to 3 per cent.
    np.testing.assert_allclose(sample.images[0], expected(61, after), atol=0.03)
    said = f"convolved from a beam of {beam[0]:.3g}×{beam[1]:.3g} to {after[0]:.3g}×5.4 arcsec"
    assert sample.history[1:] == [said, "resampled from pixels of 0.6 to 1.8 arcsec"]
    assert sample.table["pixel_scale"][0] == 1.8


def test_a_kernel_much_smaller_than_a_pixel(tmp_path):
    path = mosaic(tmp_path / "m.fits", n=120, scale=1.8, beam=(5.2, 5.2, 0), at=((0.9, 0.9),))
    image = cutouts_from_mosaic(path, offset(0.9, 0.9), size=41).images[0]
    np.testing.assert_allclose(image, expected(41, (5.4, 5.4, 0)), atol=2e-3)


def test_the_beam_can_be_given(tmp_path):
    told = mosaic(tmp_path / "a.fits", beam=(4.0, 2.0, 30))
    untold = mosaic(tmp_path / "b.fits", beam=(4.0, 2.0, 30), told=False)
    with pytest.raises(CutoutError, match=r"b\.fits: its header does not tell the beam.*give beam"):
        cutouts_from_mosaic(untold, CENTRE)
    given = cutouts_from_mosaic(untold, CENTRE, beam=(4.0, 2.0, 30))
    np.testing.assert_allclose(given.images, cutouts_from_mosaic(told, CENTRE).images, atol=1e-6)
    with pytest.raises(ValueError, match=r"beam is \(4, 2\)"):
        cutouts_from_mosaic(untold, CENTRE, beam=(4, 2))
    for beam in (0, -1, np.nan, (2, 3, 0)):
        with pytest.raises(CutoutError, match="give beam"):
            cutouts_from_mosaic(untold, CENTRE, beam=beam)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"BMAJ": 45 / 3600, "BMIN": 45 / 3600}, r"beam of 45×45 arcsec is coarser than FIRST's, 5.4 to 6.4"),
        ({"BMAJ": "wide"}, "does not tell the beam: BMAJ, BMIN or BPA is missing or no number"),
        ({"BMAJ": 0.0}, "give beam"),
        ({"BMIN": None}, "does not tell the beam"),
        ({"BPA": None, "BMAJ": 3 / 3600}, "position angle of its beam .* is not known"),
        (
            {"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN", "RADESYS": None, "BMAJ": 3 / 3600},
            "not known; give beam",
        ),
        ({"CTYPE1": "", "CTYPE2": "", "CRVAL1": 0, "CRVAL2": 0}, "has no celestial coordinates"),
    ],
)
def test_mosaics_that_cannot_be_used_are_refused_by_name(tmp_path, cards, message):
    path = mosaic(tmp_path / "m.fits", n=200)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header.update({name: value for name, value in cards.items() if value is not None})
        for name in [name for name, value in cards.items() if value is None]:
            del hdus[0].header[name]
    with pytest.raises(CutoutError, match=rf"m\.fits: .*{message}"):
        cutouts_from_mosaic(path, CENTRE, size=50)


@pytest.mark.parametrize("blank", [np.nan, 0, -9999])
def test_sources_without_an_image_are_listed_with_the_reason(tmp_path, blank):
    path = mosaic(tmp_path / "m.fits", n=900, at=((0, 0), (-400, 0), (300, 300)))
    with fits.open(path, mode="update") as hdus:
        rng = np.random.default_rng(1)
        hdus[0].data += rng.normal(0, 0.01, (900, 900)).astype("f4")
        hdus[0].data[700:800, 700:800] = blank
    places = [CENTRE, offset(-400, 0), offset(300, 300), offset(-900, 0), SkyCoord(330, -40, unit="deg")]
    table = Table(
        {"name": list("abcde"), "ra": [p.ra.deg for p in places], "dec": [p.dec.deg for p in places]}
    )
    table["class"] = ["FRII", "", "bent", "", ""]
    sample = cutouts_from_mosaic(path, table)
    assert sample.table["name"].tolist() == ["a", "b"]
    assert sample.labels.tolist() == [1, -1]
    assert np.isfinite(sample.images[0]).all()
    assert 0.2 < np.isnan(sample.images[1]).mean() < 0.4
    reasons = dict(sample.table.meta["skipped"])
    assert sorted(reasons) == ["c", "d", "e"]
    assert reasons["c"] == "the position lies in a blank area of the image"
    assert reasons["d"] == reasons["e"] == "the position lies outside of the image"
    with pytest.raises(CutoutError, match=r"none of the 3 positions(.|\n)*c: the position lies in a blank"):
        cutouts_from_mosaic(path, table[2:])


def test_blank_pixels_do_not_dim_what_is_beside_them(tmp_path):
    path = tmp_path / "m.fits"
    image = np.ones((300, 300), "f4") + np.indices((300, 300))[0].astype("f4") * 1e-3
    image[:, :140] = np.nan
    fits.writeto(path, image, header_of(300, 1.0, (2.5, 2.5, 0)))
    cut = cutouts_from_mosaic(path, CENTRE, size=60).images[0]
    seen = np.isfinite(cut)
    assert 0.5 < seen.mean() < 0.65
    np.testing.assert_allclose(cut[seen] / (5.4 / 2.5) ** 2, 1.15, atol=0.06)


def test_of_a_large_mosaic_only_the_parts_are_read(tmp_path):
    n, path = 15_000, tmp_path / "large.fits"
    head = fits.Header({"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": n, "NAXIS2": n})
    head.update(header_of(n, 1.0, (2.5, 2.5, 0)))
    block = head.tostring().encode()
    y, x = np.indices((41, 41)) - 20
    source = gaussian(x, y, (2.5, 2.5, 0)).astype(">f4")
    with path.open("wb") as stream:
        stream.write(block)
        stream.truncate(len(block) + -(-4 * n * n // 2880) * 2880)
        for row, line in enumerate(source):  # the rest of the file takes no space
            stream.seek(len(block) + 4 * (n * (12_000 + row) + 3000))
            stream.write(line.tobytes())
    wcs = WCS(head)
    places = wcs.pixel_to_world([3020, 3020 + 150, 20_000], [12_020, 12_020, 10])
    tracemalloc.start()
    try:
        sample = cutouts_from_mosaic(path, places, size=151)
        assert tracemalloc.get_traced_memory()[1] < 2e7
    finally:
        tracemalloc.stop()
    assert len(sample) == 2
    assert sample.images[0].max() == pytest.approx(1, abs=0.04)
    row, column = np.unravel_index(sample.images[0].argmax(), (151, 151))
    assert (row, column) == (75, 75)


def test_a_list_of_the_whole_sky_takes_no_memory(tmp_path):
    path, rng = mosaic(tmp_path / "m.fits"), np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 200_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 200_000)))
    sky = Table({"name": np.arange(200_001).astype(str), "ra": [150, *ra], "dec": [40, *dec]})
    sample = cutouts_from_mosaic(path, sky)  # 18 GB if each had an image
    assert sample.table["name"].tolist() == ["0"]
    assert len(sample.table.meta["skipped"]) == 200_000


def test_galactic_coordinates(tmp_path):
    path = mosaic(tmp_path / "m.fits", at=((30, 12),))
    with fits.open(path, mode="update") as hdus:
        hdus[0].header.update({"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN"})
        del hdus[0].header["RADESYS"]
        place = WCS(hdus[0].header).pixel_to_world(249.5 + 30, 249.5 + 12)
    sample = cutouts_from_mosaic(path, place, size=61)
    np.testing.assert_allclose(sample.images[0], expected(61, (5.4, 5.4, 0)), atol=0.05)


def test_a_list_keeps_its_columns_and_arguments_are_checked(tmp_path):
    path = mosaic(tmp_path / "m.fits")
    (tmp_path / "list.csv").write_text("id,ra,dec,type\nmine,150,40,FRI\n")
    sample = cutouts_from_mosaic(path, read_positions(tmp_path / "list.csv"))
    assert sample.table["name", "class", "catalogue"].as_array().tolist() == [("mine", "FRI", "list")]
    with pytest.raises(ValueError, match="name, ra and dec are needed"):
        cutouts_from_mosaic(path, Table({"x": [1], "y": [2]}))
    for wrong in ({"size": 0}, {"pixel_scale": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            cutouts_from_mosaic(path, CENTRE, **wrong)


# Lists of source finders ----------------------------------------------------------------------------------

RA, DEC = (354.291208, 0.490036), (-4.387204, -3.770075)
# As PyBDSF's write_catalog has them (format "csv", and "ascii" of the same columns), Aegean's --table (csv;
# the column names serve for FITS and VOTable, too), Selavy's component list and SExtractor's ASCII_HEAD.
FINDERS = {
    "pybdsf.csv": "# Source list for image.fits\n# Generated by PyBDSF\n# Reference frequency of the "
    'detection ("ch0") image: 1.4e+09 Hz\n# Equinox : 2000.0 \n\n'
    "# Source_id, Isl_id, RA, E_RA, DEC, E_DEC, Total_flux, E_Total_flux, RA_max, E_RA_max, DEC_max, "
    "E_DEC_max, S_Code\n"
    "0, 0, 354.291208, 1e-5, -4.387204, 1e-5, 0.019, 0.001, 354.29, 1e-5, -4.387, 1e-5, S\n"
    "1, 1, 0.490036, 1e-5, -3.770075, 1e-5, 0.024, 0.001, 0.49, 1e-5, -3.77, 1e-5, M\n",
    "pybdsf.srl": "# Source list for image.fits\n# Generated by PyBDSF version 1.10.3\n# Equinox : 2000.0 \n"
    "\n"
    "# Source_id Isl_id RA E_RA DEC E_DEC Total_flux E_Total_flux RA_max DEC_max S_Code\n"
    "   0   0 3.54291208e+02 1e-5 -4.387204e+00 1e-5 0.019 0.001 354.29 -4.387 S\n"
    "   1   1 4.90036e-01 1e-5 -3.770075e+00 1e-5 0.024 0.001 0.49 -3.77 M\n",
    "aegean_comp.csv": "island,source,background,local_rms,ra_str,dec_str,ra,err_ra,dec,err_dec,peak_flux,"
    "err_peak_flux,int_flux,err_int_flux,a,err_a,b,err_b,pa,err_pa,flags,residual_mean,residual_std,uuid,psf_a,"
    "psf_b,psf_pa\n1,0,0,0.1,23:37:09.89,-04:23:13.93,354.291208,1e-5,-4.387204,1e-5,1,0.1,1,0.1,6,0.1,5,0.1,20,"
    "1,0,0,0.1,x,5,5,0\n2,0,0,0.1,00:01:57.61,-03:46:12.27,0.490036,1e-5,-3.770075,1e-5,1,0.1,1,0.1,6,0.1,5,0.1,"
    "20,1,0,0,0.1,y,5,5,0\n",
    "selavy.components.txt": "#  island_id  component_id component_name ra_hms_cont dec_dms_cont ra_deg_cont "
    "dec_deg_cont ra_err dec_err freq flux_peak has_siblings comment\n"
    "#  --  --    [deg]  [deg] [arcsec] [arcsec] [MHz] [mJy/beam]    \n"
    " SB10342_island_1000 SB10342_component_1000a B2337-0423 23:37:09.9 -04:23:13 354.291208 -4.387204 0.03 "
    "0.02 -0.0 15.907 0       \n"
    " SB10342_island_1001 SB10342_component_1001a B0001-0346 00:01:57.6 -03:46:12 0.490036 -3.770075 0.19 "
    "0.15 -0.0 12.139 1     edge of field \n",
    "selavy.casda.csv": "id,catalogue_id,island_id,component_id,component_name,ra_hms_cont,dec_dms_cont,"
    "ra_deg_cont,dec_deg_cont,ra_err,dec_err,comment\n20793260,3790,SB1_island_1,SB1_component_1a,J233709-042313,"
    "23:37:09.9,-04:23:13,354.291208,-4.387204,0.04,0.05,\n20793259,3790,SB1_island_2,SB1_component_2a,"
    "J000157-034612,00:01:57.6,-03:46:12,0.490036,-3.770075,0.09,0.37,\n",
    "sextractor.cat": "#   1 NUMBER                 Running object number\n"
    "#   2 X_IMAGE                Object position along x                    [pixel]\n"
    "#   3 Y_IMAGE                Object position along y                    [pixel]\n"
    "#   4 ALPHA_J2000            Right ascension of barycenter (J2000)      [deg]\n"
    "#   5 DELTA_J2000            Declination of barycenter (J2000)          [deg]\n"
    "#   6 FLAGS                  Extraction flags\n"
    "  1 100.5 200.5 354.291208 -4.387204 0\n  2 300.5 400.5 0.490036 -3.770075 0\n",
}
NO_PLACE = {
    "sextractor.cat": "#   1 NUMBER  Running object number\n#   2 X_IMAGE  Object position along x [pixel]\n"
    "#   3 Y_IMAGE  Object position along y [pixel]\n  1 100.5 200.5\n",
    "daofind.csv": "id,xcentroid,ycentroid,flux\n1,100.5,200.5,3\n",
    "xy.csv": "X,Y\n100.5,200.5\n",
    "named.csv": "name,x,y\na,100.5,200.5\n",
}


@pytest.mark.parametrize("name", FINDERS)
def test_lists_of_source_finders(tmp_path, name):
    (tmp_path / name).write_text(FINDERS[name])
    table = read_positions(tmp_path / name)
    np.testing.assert_allclose([table["ra"], table["dec"]], [RA, DEC], atol=1e-6)
    assert len(set(table["name"])) == 2
    assert set(table["class"]) == {""}


@pytest.mark.parametrize("suffix", ["fits", "vot"])
@pytest.mark.parametrize(
    "columns", [("RA", "DEC"), ("ra", "dec"), ("ra_deg_cont", "dec_deg_cont"), ("ALPHA_J2000", "DELTA_J2000")]
)
def test_tables_of_source_finders(tmp_path, columns, suffix):
    path = tmp_path / f"list.{suffix}"
    ra, dec = columns
    table = Table(
        {"Source_id": [0, 1], ra: RA * u.deg, f"E_{ra}": [1e-5] * 2, dec: DEC * u.deg, "S_Code": ["S", "M"]}
    )
    if ra == "ra_deg_cont":
        table["ra_hms_cont"], table["dec_dms_cont"] = ["23:37:09.9", "00:01:57.6"], ["-04:23:13", "-03:46:12"]
    table.write(path, format="fits" if suffix == "fits" else "votable")
    found = read_positions(path)
    np.testing.assert_allclose([found["ra"], found["dec"]], [RA, DEC], atol=1e-6)


@pytest.mark.parametrize("name", NO_PLACE)
def test_pixels_are_no_positions(tmp_path, name):
    (tmp_path / name).write_text(NO_PLACE[name])
    with pytest.raises(ValueError, match="ra"):
        read_positions(tmp_path / name)


@pytest.mark.parametrize("angle", [0, 1.9, 30, 88.5, -135])
@pytest.mark.parametrize("way", ["mosaic", "near its edge", "file", "folder"])
def test_written_files_have_the_coordinates_of_their_pixels(tmp_path, angle, way):
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    path = mosaic(
        tmp_path / "m.fits", n=300, scale=1.8, beam=(5.4, 5.4, 0), matrix=[[cosine, -sine], [sine, cosine]]
    )
    if way == "file":
        sample = read_cutouts(path, size=251)
    elif way == "folder":
        name = "a.fits"
        (tmp_path / "there").mkdir()
        path.rename(tmp_path / "there" / name)
        listed = {"name": ["a"], "ra": [150.01], "dec": [40.01], "file": [name], "status": ["ok"]}
        Table(listed).write(tmp_path / "there" / "manifest.ecsv")
        sample = read_cutouts(tmp_path / "there", size=250)
        assert sample.table["ra"][0] == 150.01
    else:
        away = 150 if way == "near its edge" else 50.3
        sample = cutouts_from_mosaic(path, offset(away * cosine, away * sine), size=200)
    write_cutouts(sample, tmp_path / "out")
    (file,) = (tmp_path / "out").glob("*.fits")
    with fits.open(file) as hdus:
        image, wcs = np.nan_to_num(hdus[0].data), WCS(hdus[0].header)
    y, x = np.indices(image.shape)
    found = wcs.pixel_to_world((x * image).sum() / image.sum(), (y * image).sum() / image.sum())
    assert found.separation(CENTRE).arcsec < 0.05
    again = read_cutouts(file, nan="keep")
    np.testing.assert_allclose(again.table["frame_ra"], sample.table["frame_ra"], atol=1e-6)


def test_columns_of_a_list_are_no_coordinates_of_the_frame(tmp_path):
    table = Table({"name": ["a"], "ra": [150.0], "dec": [40.0], "pixel_scale": [1.8]})
    table["orientation"], table["rotation"], table["frame_angle"] = 33.0, 12.0, 5.0
    write_cutouts(Sample(np.eye(4)[None], [0], table), tmp_path / "out")
    assert WCS(fits.getheader(tmp_path / "out" / "a.fits")).wcs.crval.tolist() == [150, 40]


@pytest.mark.parametrize("crop", [30, 31])
def test_an_odd_crop_moves_the_middle(tmp_path, crop):
    sample = read_cutouts(mosaic(tmp_path / "m.fits", n=40, scale=1.8, beam=(5.4, 5.4, 0)))
    for number in range(2):
        write_cutouts(preprocess(sample, size=crop, crop=crop), tmp_path / f"{number}")
        assert ("CRVAL1" in fits.getheader(tmp_path / f"{number}" / "m.fits.fits")) == (crop == 30)
        sample.table.remove_columns(["frame_ra", "frame_dec", "frame_angle"] * (number == 0))


def test_augmented_images_have_no_coordinates(tmp_path):
    sample = read_cutouts(mosaic(tmp_path / "m.fits", n=40, beam=(5.4, 5.4, 0)))
    sample = Sample(sample.images, [0], sample.table)
    write_cutouts(augment(sample, per_class=3), tmp_path / "out")
    headers = [fits.getheader(path) for path in (tmp_path / "out").glob("*.fits")]
    assert [("CRVAL1" in header) for header in headers] == [False] * 3


def test_units_of_a_table_are_minded_when_it_is_written(tmp_path):
    table = Table({"name": ["x"], "ra": [10.0] * u.hourangle, "dec": [1.0], "unit": ["µJy/beam"]})
    table["pixel_scale"] = [0.03] * u.arcmin / u.pix
    write_cutouts(Sample(np.eye(4)[None], [0], table), tmp_path / "out")
    header = fits.getheader(tmp_path / "out" / "x.fits")
    assert header["CRVAL1"] == pytest.approx(150)
    assert header["CDELT2"] == pytest.approx(1.8 / 3600)
    table["pixel_scale"].unit = u.Jy
    with pytest.raises(ValueError, match="the column pixel_scale is in Jy: give it in arcsec"):
        write_cutouts(Sample(np.eye(4)[None], [0], table), tmp_path / "no")
    assert read_cutouts(tmp_path / "out" / "x.fits").images.max() == pytest.approx(1e-6)


@pytest.mark.parametrize(
    "unit", ["JY/BEAM", "mJy/bm", "microJy/beam", "JANSKYS/BEAM", "uJy beam-1", "counts", ""]
)
def test_flux_densities_per_beam_are_rescaled_in_any_spelling(tmp_path, unit):
    path = mosaic(tmp_path / "m.fits", n=300, scale=0.6, beam=(2.5, 2.5, 0))
    fits.setval(path, "BUNIT", value=unit)
    sample = cutouts_from_mosaic(path, CENTRE, size=41)
    peak = {"JY/BEAM": 1, "mJy/bm": 1e-3, "microJy/beam": 1e-6, "JANSKYS/BEAM": 1, "uJy beam-1": 1e-6}
    if unit in peak:
        assert sample.images.max() == pytest.approx(peak[unit], rel=0.03)
        assert sample.table["unit"][0] == "Jy/beam"
    else:
        said = f"flux densities in {unit or 'an unknown unit'} not rescaled to the new beam"
        assert said in sample.history


def test_a_mosaic_has_the_beam_that_its_cutouts_were_given(tmp_path):
    path = mosaic(tmp_path / "m.fits", n=300, scale=0.6, beam=(2.5, 2.5, 0))
    table = Table({"name": ["a"], "ra": [150.0], "dec": [40.0], "beam": [45.0]})
    assert cutouts_from_mosaic(path, table, size=41).table["beam"][0] == pytest.approx(5.4)
