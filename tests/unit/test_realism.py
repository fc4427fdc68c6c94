"""Realism against closed forms and samples that are alike or not."""

from __future__ import annotations

import numpy as np
import pytest

from radiosynth import Sample, build_classifier, realism, simulate


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


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


# All together ----------------------------------------------------------------------------------------


def test_realism_tells_good_images_from_bad_ones_and_copies(rng: np.random.Generator) -> None:
    pytest.importorskip("keras")
    model = build_classifier(24, width_multiplier=0.1, seed=1)
    classes = ("FRII", "compact")
    sample = simulate({"FRII": 135, "compact": 90}, 24, rng=rng)
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
