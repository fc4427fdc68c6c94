"""Measurements against closed forms, known Gaussians and simulated sources whose shape is known."""

from __future__ import annotations

import numpy as np
import pytest
from samples import blob, clipped
from scipy.spatial.distance import pdist
from scipy.stats import norm
from skimage.measure import moments_central, regionprops

from radiosynth import measurements, report_population, simulate
from radiosynth.measurements import measure_shapes

SCALE = 270 / 56


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


# Sources ---------------------------------------------------------------------------------------------


def gaussian(size: int, *sources: tuple[float, float, float, float]) -> np.ndarray:
    """Return a sky of Gaussians (row, column, sigma along rows, sigma along columns) of peak 1."""
    y, x = np.mgrid[:size, :size]
    return sum(np.exp(-((y - r) ** 2) / (2 * sr**2) - (x - c) ** 2 / (2 * sc**2)) for r, c, sr, sc in sources)


def test_properties_of_a_gaussian() -> None:
    image = gaussian(101, (50, 47, 6, 12))
    table = measurements.source_properties([image, 100 * image - 3, np.rot90(image)], pixel_scale=1.8)
    # Half of the flux of a Gaussian is above half its peak, and 95 % above a twentieth.
    np.testing.assert_allclose(table["concentration"], 0.5 / 0.95, rtol=0.02)
    np.testing.assert_allclose(table["angular_size"], 2 * 12 * np.sqrt(2 * np.log(20)) * 1.8, rtol=0.02)
    np.testing.assert_allclose(table["axis_ratio"], 0.5, rtol=0.01)
    assert table["components"].tolist() == [1, 1, 1]
    assert np.isnan(table["bending_angle"]).all()
    assert [table[name].unit for name in ("angular_size", "bending_angle")] == ["arcsec", "deg"]


@pytest.mark.parametrize("bending", [0, 40, 90, 110])
def test_bending_of_a_core_and_two_lobes(bending: float) -> None:
    half = np.radians(bending) / 2
    arm = 25 * np.sin(half), 25 * np.cos(half)
    core, lobes = (50, 50, 2, 2), [(50 + arm[0], 50 + side * arm[1], 3, 3) for side in (-1, 1)]
    image = 2 * gaussian(101, core) + gaussian(101, *lobes)  # the core is the brightest component
    images = [image, np.rot90(image), image.T]
    table = measurements.source_properties(images, pixel_scale=1.8)
    assert table["components"].tolist() == [3, 3, 3]
    np.testing.assert_allclose(table["bending_angle"], bending, atol=3)


def test_bending_is_unknown_where_nothing_lies_between_the_ends() -> None:
    table = measurements.source_properties([gaussian(61, (30, 10, 2, 2), (30, 50, 2, 2))], pixel_scale=1.8)
    assert table["components"][0] == 2
    assert np.isnan(table["bending_angle"][0])


def test_bending_of_simulated_sources_is_recovered(rng: np.random.Generator) -> None:
    population = report_population().replace("bent", fr_type=2, lobe_distance=norm(13, 1))
    sample = simulate({"FRII": 80, "bent": 120}, population=population, classes=("FRII", "bent"), rng=rng)
    table = measurements.source_properties(sample.images, pixel_scale=SCALE)
    far = np.isfinite(table["bending_angle"]) & (sample.table["lobe_distance"] > 10)
    error = np.asarray(table["bending_angle"] - sample.table["bending_angle"])
    for name in ("FRII", "bent"):
        chosen = far & (sample.table["class"] == name)
        assert chosen.sum() > 15
        assert np.median(np.abs(error[chosen])) < 8


def test_classes_differ_as_they_should(rng: np.random.Generator) -> None:
    sample = simulate(40, rng=rng)
    table = measurements.source_properties(sample.images, pixel_scale=SCALE)
    sizes = [np.median(table["angular_size"][sample.labels == code]) for code in range(4)]
    assert sizes[3] < sizes[0] < sizes[1]
    bending = [np.nanmedian(table["bending_angle"][sample.labels == code]) for code in (1, 2)]
    assert bending[0] < 10 < 30 < bending[1]
    assert np.median(table["components"][sample.labels == 3]) == 1


def test_blank_images_have_no_properties_and_single_pixels_do() -> None:
    pixel = np.zeros((9, 9))
    pixel[4, 4] = 1
    table = measurements.source_properties([np.ones((9, 9)), pixel], pixel_scale=2)
    assert np.isnan(table["angular_size"][0])
    assert table["components"].tolist() == [0, 1]
    assert (table["angular_size"][1], table["axis_ratio"][1], table["concentration"][1]) == (2, 1, 1)
    assert len(measurements.source_properties(np.empty((0, 9, 9)), pixel_scale=2)) == 0


@pytest.mark.parametrize(
    ("images", "pixel_scale"),
    [(np.ones((9, 9)), 1.8), (np.ones((1, 9, 9)), 0), (np.full((1, 9, 9), np.nan), 1.8)],
)
def test_faults_of_properties(images: np.ndarray, pixel_scale: float) -> None:
    with pytest.raises(ValueError, match=r"give (finite images|a positive number)"):
        measurements.source_properties(images, pixel_scale=pixel_scale)


def test_measurements_are_those_of_a_source_made_by_hand() -> None:
    y, x = np.mgrid[:41, :41] - 20
    round_source = np.exp(-((x - 4) ** 2 + (y - 3) ** 2) / (2 * 2.0**2))
    pair = np.exp(-((x - 8) ** 2 + y**2) / 2) + np.exp(-((x + 8) ** 2 + y**2) / 2)
    table = measurements.measure([round_source, pair, np.zeros((41, 41))], pixel_scale=2)
    # Above 5 % of the peak lie 95 % of the flux of a Gaussian.
    assert table["area"][0] == pytest.approx(0.95 * 2 * np.pi * 2.0**2 * 2**2, rel=0.03)
    assert table["offset"][:2].value == pytest.approx([10, 0], abs=0.01)
    assert table["asymmetry"][0] == pytest.approx(0, abs=0.01)
    assert table["edge_brightening"][1] > 1.4 * table["edge_brightening"][0]
    assert np.isnan(table["area"][2])


def test_largest_extent_is_that_of_the_farthest_pixels() -> None:
    where = np.random.default_rng(5).integers(0, 60, (40, 2))
    assert measurements.largest_extent(where) - 1 == pytest.approx(pdist(where).max(), rel=0.01)


# Shapes ----------------------------------------------------------------------------------------------

Y, X = np.mgrid[:120, :120] - 59.5


@pytest.fixture
def bent() -> np.ndarray:
    """A core with two plumes that are swept to one side."""
    return clipped(blob(2, 1) + blob(-22, 14, 5, 0.6) + blob(24, 9, 5, 0.4) + blob(-11, 6, 4, 0.3))


def test_position_orientation_and_brightness_do_not_count(bent):
    images = [bent, 7 * bent, bent[::-1], bent.T, np.rot90(bent), np.roll(bent, (3, -4), (0, 1))]
    table = measure_shapes(images)
    own = [name for name in table.colnames if name.endswith("source")]
    for name in own:
        np.testing.assert_allclose(table[name], table[name][0], rtol=0.01, atol=1e-4, err_msg=name)
    assert len(own) > 150


def test_any_angle_changes_little():
    from skimage.transform import rotate

    image = clipped(blob(-20, 0, 6) + blob(20, 0, 6, 0.7))
    table = measure_shapes([image, clipped(rotate(image, 33, order=3))])
    for name in ("roundness: axis ratio", "size: extent", "bends: bend", "hot spots: farther from middle"):
        first, second = table[f"{name}, by root, above 0.05, source"]
        assert second == pytest.approx(first, rel=0.06, abs=0.02), name


def test_what_lies_on_the_dividing_line_goes_to_no_side(bent):
    odd = clipped(blob(0, 0, 2) + blob(-20, 3, 4, 0.8) + blob(20, 3, 4, 0.8))  # the core is in the middle
    odd = np.round(255 * odd / odd.max()) / 255  # as many steps as the published images have: peaks are tied
    table = measure_shapes([odd, odd[::-1], odd[:, ::-1], odd.T, np.rot90(odd)])
    for name in table.colnames:
        if name.endswith("source"):
            np.testing.assert_allclose(table[name], table[name][0], rtol=1e-6, atol=1e-8, err_msg=name)
    assert not any(name.startswith("bends: one way from mean") for name in table.colnames)


def test_light_that_crosses_the_dividing_line_is_counted_bit_by_bit():
    bar = np.where((abs(X) < 12.6) & (abs(Y) < 1.6), 0.5, 0.0)
    bar[(abs(X) < 1) & (abs(Y) < 1)] = 1.0
    ends = [bar + extra * ((X > 11) & (abs(Y) < 1) & (bar > 0)) for extra in np.linspace(0, 0.2, 9)]
    balance = measure_shapes(ends)["symmetry: balance about middle, by root, above 0.0, source"]
    assert (np.diff(balance) < 0).all()
    assert np.diff(balance).min() > -0.01  # no jump
    about_mean = measure_shapes(ends)["symmetry: balance about mean, by root, above 0.0, source"]
    assert abs(np.diff(about_mean)).max() < 0.02


def test_moments_are_those_of_scikit_image(bent):
    table = measure_shapes([bent])
    (region,) = regionprops((bent > 0.05 * bent.max()).astype(int))
    assert table["size: area, above 0.05, source"][0] == region.area
    # With the light itself as weights, the trace of the second moments does not depend on the axes.
    moments = moments_central(bent, order=2)
    spread = (moments[2, 0] + moments[0, 2]) / moments[0, 0] + 2 / 12
    length, width = (table[f"size: {name}, by flux, above 0.0, source"][0] for name in ("length", "width"))
    measured = length**2 + width**2
    assert measured == pytest.approx(spread, rel=1e-9)
    # A flat outline has the axes of its region, but for the width of a pixel.
    flat = measure_shapes([np.where((X / 30) ** 2 + (Y / 12) ** 2 < 1, 1.0, 0.0)])
    (region,) = regionprops(((X / 30) ** 2 + (Y / 12) ** 2 < 1).astype(int))
    expected = region.axis_minor_length / region.axis_major_length
    ratio = flat["roundness: axis ratio, by root, above 0.4, source"][0]
    assert ratio == pytest.approx(expected, rel=2e-3)
    assert 0.95 < flat["roundness: solidity, above 0.4, source"][0] <= 1


def test_each_class_stands_out_by_its_mark(bent):
    straight = clipped(blob(-22, 0, 5, 0.6) + blob(24, 0, 5, 0.6) + blob(0, 0) + blob(-11, 0, 4, 0.3))
    fr1 = clipped(blob(0, 0, 3) + 0.3 * blob(-16, 0, 9) + 0.3 * blob(16, 0, 9))
    fr2 = clipped(blob(-28, 0, 3) + blob(28, 0, 3) + 0.2 * blob(0, 0, 12))
    round_one = clipped(blob(0, 0))
    table = measure_shapes([straight, bent, fr1, fr2, round_one])
    curvature = table["bends: curvature, by root, above 0.05, source"]
    assert curvature[1] > 10 * curvature[0]
    mirrored = table["symmetry: mirrored across, source"]
    assert mirrored[1] < 0.9 < mirrored[0]
    hot = table["hot spots: nearer from middle, by root, above 0.15, source"]
    assert hot[2] < 0.3 < 0.6 < hot[3]
    assert table["pieces: number, above 0.4, source"][3] == 2
    assert table["roundness: axis ratio, by root, above 0.0, source"][4] == pytest.approx(1, abs=0.02)
    assert table["size: radius of 98 %, source"][4] < table["size: radius of 98 %, source"][0] / 2


def test_a_neighbour_belongs_to_the_field_alone(bent):
    crowded = bent + clipped(blob(0, -42, 2, 0.8))
    alone, beside = measure_shapes([bent, crowded])
    assert beside["size: area, above 0.0, source"] == alone["size: area, above 0.0, source"]
    assert beside["size: area, above 0.0, field"] > alone["size: area, above 0.0, field"]


def test_a_blank_image_has_no_shape():
    table = measure_shapes([np.zeros((64, 64)), blob(0, 0)[28:92, 28:92]])
    assert np.isnan(table["size: length, by root, above 0.0, source"][0])
    assert np.isfinite(table["size: length, by root, above 0.0, source"][1])
    with pytest.raises(ValueError, match="2 images without a source"):
        measure_shapes(np.zeros((2, 64, 64)))


@pytest.mark.parametrize(
    "images", [np.zeros((64, 64)), np.zeros((1, 64, 32)), np.full((1, 64, 64), np.nan)], ids=str
)
def test_what_cannot_be_measured_is_refused(images):
    with pytest.raises(ValueError, match=r"give finite images of shape \(n, size, size\)"):
        measure_shapes(images)
