"""Measurements against closed forms, known Gaussians and simulated sources whose shape is known."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import norm

from radiosynth import measurements, report_population, simulate

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
    table = measurements.measure([image, 100 * image - 3, np.rot90(image)], pixel_scale=1.8)
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
    table = measurements.measure(images, pixel_scale=1.8)
    assert table["components"].tolist() == [3, 3, 3]
    np.testing.assert_allclose(table["bending_angle"], bending, atol=3)


def test_bending_is_unknown_where_nothing_lies_between_the_ends() -> None:
    table = measurements.measure([gaussian(61, (30, 10, 2, 2), (30, 50, 2, 2))], pixel_scale=1.8)
    assert table["components"][0] == 2
    assert np.isnan(table["bending_angle"][0])


def test_bending_of_simulated_sources_is_recovered(rng: np.random.Generator) -> None:
    population = report_population().replace("bent", fr_type=2, lobe_distance=norm(13, 1))
    sample = simulate({"FRII": 80, "bent": 120}, population=population, rng=rng)
    table = measurements.measure(sample.images, pixel_scale=SCALE)
    far = np.isfinite(table["bending_angle"]) & (sample.table["lobe_distance"] > 10)
    error = np.asarray(table["bending_angle"] - sample.table["bending_angle"])
    for name in ("FRII", "bent"):
        chosen = far & (sample.table["class"] == name)
        assert chosen.sum() > 15
        assert np.median(np.abs(error[chosen])) < 8


def test_classes_differ_as_they_should(rng: np.random.Generator) -> None:
    sample = simulate(40, rng=rng)
    table = measurements.measure(sample.images, pixel_scale=SCALE)
    sizes = [np.median(table["angular_size"][sample.labels == code]) for code in range(4)]
    assert sizes[3] < sizes[0] < sizes[1]
    bending = [np.nanmedian(table["bending_angle"][sample.labels == code]) for code in (1, 2)]
    assert bending[0] < 10 < 30 < bending[1]
    assert np.median(table["components"][sample.labels == 3]) == 1


def test_blank_images_have_no_properties_and_single_pixels_do() -> None:
    pixel = np.zeros((9, 9))
    pixel[4, 4] = 1
    table = measurements.measure([np.ones((9, 9)), pixel], pixel_scale=2)
    assert np.isnan(table["angular_size"][0])
    assert table["components"].tolist() == [0, 1]
    assert (table["angular_size"][1], table["axis_ratio"][1], table["concentration"][1]) == (2, 1, 1)
    assert len(measurements.measure(np.empty((0, 9, 9)), pixel_scale=2)) == 0


@pytest.mark.parametrize(
    "images",
    [
        np.ones((9, 9)),
        np.ones((1, 9, 8)),
        np.full((1, 9, 9), np.nan),
        np.ma.masked_greater(np.arange(81.0).reshape(1, 9, 9), 70),
    ],
)
def test_faults_of_measured_images(images: np.ndarray) -> None:
    for measure in (partial(measurements.measure, pixel_scale=1.8), measurements.measure_angles):
        with pytest.raises(ValueError, match="give finite images"):
            measure(images)


def test_a_pixel_scale_is_positive() -> None:
    with pytest.raises(ValueError, match="give a positive number"):
        measurements.measure(np.ones((1, 9, 9)), pixel_scale=0)


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
