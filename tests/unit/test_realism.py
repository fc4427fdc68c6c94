"""Realism against closed forms, known Gaussians and simulated sources whose shape is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from radiosynth import Sample, build_classifier, measurements, realism, report_population, simulate

SCALE = 270 / 56


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def gaussian(size: int, *sources: tuple[float, float, float, float]) -> np.ndarray:
    """Return a sky of Gaussians (row, column, sigma along rows, sigma along columns) of peak 1."""
    y, x = np.mgrid[:size, :size]
    return sum(np.exp(-((y - r) ** 2) / (2 * sr**2) - (x - c) ** 2 / (2 * sc**2)) for r, c, sr, sc in sources)


# Distances -------------------------------------------------------------------------------------------


def test_kernel_distance_is_unbiased_and_sees_a_shift(rng: np.random.Generator) -> None:
    same = [realism.kernel_distance(*rng.normal(size=(2, 20, 5))) for _ in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(200)
    a, b = rng.normal(size=(2, 20, 5))
    assert realism.kernel_distance(a, b + 1) > 5 * np.std(same)


def test_kernel_distance_agrees_with_sums_over_pairs(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(4, 2)), rng.normal(size=(3, 2))

    def mean(x: np.ndarray, y: np.ndarray, *, others: bool) -> float:
        return np.mean(
            [(u @ v / 2 + 1) ** 3 for i, u in enumerate(x) for j, v in enumerate(y) if i != j or not others]
        )

    expected = mean(a, a, others=True) + mean(b, b, others=True) - 2 * mean(a, b, others=False)
    assert realism.kernel_distance(a, b) == pytest.approx(expected)


def test_two_samples_are_told_apart_only_if_they_differ(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(2, 150, 10))
    assert realism.two_sample_accuracy(a, b, rng=rng) == pytest.approx(0.5, abs=0.1)
    assert realism.two_sample_accuracy(a, b + 2, rng=rng) > 0.95
    # Guessing that all are of the larger set is no skill.
    assert realism.two_sample_accuracy(a, b[:20], rng=rng) == pytest.approx(0.5, abs=0.15)


def test_faults_of_distances() -> None:
    distance = realism.kernel_distance
    with pytest.raises(ValueError, match="from one network"):
        distance(np.ones((5, 3)), np.ones((5, 4)))
    with pytest.raises(ValueError, match="from one network"):
        distance(np.ones(5), np.ones(5))
    with pytest.raises(ValueError, match="1 and 5 images are too few: give 2"):
        distance(np.ones((1, 3)), np.ones((5, 3)))


def test_faults_of_the_two_sample_test(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="give 5 of each"):
        realism.two_sample_accuracy(np.ones((4, 3)), np.ones((9, 3)), rng=rng)


# Memorisation ----------------------------------------------------------------------------------------


def test_copies_are_found_however_they_are_turned(rng: np.random.Generator) -> None:
    training = rng.random((6, 12, 12))
    copies = np.stack([training[3], np.rot90(training[2], 3), training[5, :, ::-1], training[0].T])
    np.testing.assert_allclose(realism.nearest_neighbour(copies, training), 0, atol=1e-6)
    fresh = realism.nearest_neighbour(rng.random((4, 12, 12)), training)
    assert (fresh > 0.2).all()


def test_distance_is_the_root_mean_square_of_pixels() -> None:
    assert realism.nearest_neighbour(np.zeros((1, 8, 8)), np.full((2, 8, 8), 0.25)) == pytest.approx(0.25)


def test_faults_of_neighbours() -> None:
    with pytest.raises(ValueError, match="of one size"):
        realism.nearest_neighbour(np.ones((2, 8, 8)), np.ones((2, 9, 9)))
    with pytest.raises(ValueError, match="give some of shape"):
        realism.nearest_neighbour(np.ones((1, 8, 8)), np.ones((0, 8, 8)))


# Physics ---------------------------------------------------------------------------------------------


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


# All together ----------------------------------------------------------------------------------------


def test_realism_tells_good_images_from_bad_ones_and_copies(rng: np.random.Generator) -> None:
    pytest.importorskip("keras")
    model = build_classifier(24, width_multiplier=0.1, seed=1)
    classes = ("FRII", "compact")
    sample = simulate({"FRII": 135, "compact": 90}, 24, classes=classes, rng=rng)
    real, training, good = (sample[start::3] for start in range(3))
    bad = good.derived(2 * rng.random(good.images.shape) - 1, "noise")

    def measured(fake: Sample) -> dict[tuple[str, str], np.ndarray]:
        table = realism.realism(real, fake, model, training=training, draws=9, rng=np.random.default_rng(0))
        return {
            (row["class"], row["measure"]): np.array([row[c] for c in ("value", "low", "high", "reference")])
            for row in table
        }

    better, worse, copied = measured(good), measured(bad), measured(training)
    assert len(better) == 2 * 8
    for name in classes:
        for measure in ("kernel distance", "two-sample accuracy", "angular size"):
            assert worse[name, measure][1] > better[name, measure][2], measure
            assert worse[name, measure][0] > 1.2 * worse[name, measure][3], measure
        # Copies are real images: they reach the reference of held-out ones, and one measure tells.
        value, low, high, reference = copied[name, "kernel distance"]
        assert low - 2 * (high - low) < reference < high + 2 * (high - low)
        assert copied[name, "nearest neighbour"][0] == pytest.approx(0, abs=1e-6)
        assert better[name, "nearest neighbour"][0] > 0.5 * better[name, "nearest neighbour"][3]
    for key, (value, low, high, _) in better.items():
        assert low <= value <= high or np.isnan(value), key
    assert np.isnan(better["compact", "bending angle"]).all()
    again = measured(good)
    np.testing.assert_equal(again, better)


def test_features_are_those_of_the_dense_layer(rng: np.random.Generator) -> None:
    model = build_classifier(16, width_multiplier=0.1, seed=0)
    images = rng.random((3, 16, 16), np.float32)
    seen = realism.features(model, images)
    weights, offset = model.get_layer("probabilities").get_weights()
    scores = np.exp(seen @ weights + offset)
    expected = np.asarray(model(images[..., None], training=False))
    np.testing.assert_allclose(scores / scores.sum(1, keepdims=True), expected, rtol=1e-4)
    with pytest.raises(ValueError, match="this model takes"):
        realism.features(model, np.ones((3, 8, 8)))


def test_realism_needs_enough_images(rng: np.random.Generator) -> None:
    sample = simulate(4, 16, rng=rng)
    with pytest.raises(ValueError, match="4 real, 4 synthetic and 4 training images of FRI"):
        realism.realism(sample, sample, build_classifier(16, width_multiplier=0.1), training=sample, rng=rng)
    enough = simulate(12, 16, rng=rng)
    with pytest.raises(ValueError, match="12 real, 12 synthetic and 0 training images of FRI"):
        realism.realism(
            enough, enough, build_classifier(16, width_multiplier=0.1), training=enough[:0], rng=rng
        )
