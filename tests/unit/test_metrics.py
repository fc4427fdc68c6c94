"""Confusion matrices and intervals against scikit-learn, scipy and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix as sklearn_matrix,
    precision_score,
    recall_score,
)

from radiosynth import metrics


@pytest.fixture
def judged() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(4), [40, 30, 20, 10])
    probabilities = rng.dirichlet(np.ones(4), 100) + 0.5 * np.eye(4)[labels]
    return labels, probabilities / probabilities.sum(1, keepdims=True)


def test_matrix_by_class_agrees_with_scikit_learn(judged: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = judged
    expected = sklearn_matrix(labels, probabilities.argmax(1), normalize="true")
    np.testing.assert_allclose(metrics.confusion_matrix(*judged), expected)


def test_matrix_by_probability_sums_probabilities(judged: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = judged
    matrix = metrics.confusion_matrix(labels, probabilities, kind="probability")
    expected = [probabilities[labels == code].mean(0) for code in range(4)]
    np.testing.assert_allclose(matrix, expected)
    np.testing.assert_allclose(matrix.sum(1), 1)


def test_class_without_images_has_no_numbers() -> None:
    matrix = metrics.confusion_matrix([0, 0], [[0.9, 0.1], [0.8, 0.2]])
    assert np.isnan(matrix[1]).all()
    scores = metrics.class_scores([0, 0], [[0.9, 0.1], [0.8, 0.2]])
    assert np.isnan(scores["recall"][1])
    assert np.isnan(scores["precision_low"][1])


def test_scores_agree_with_scikit_learn_and_scipy(judged: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = judged
    scores = metrics.class_scores(labels, probabilities, confidence=0.95)
    predicted = probabilities.argmax(1)
    np.testing.assert_allclose(scores["recall"], recall_score(labels, predicted, average=None))
    np.testing.assert_allclose(scores["precision"], precision_score(labels, predicted, average=None))
    right = int(((predicted == 0) & (labels == 0)).sum())
    interval = binomtest(right, 40).proportion_ci(0.95, method="wilson")
    assert scores["recall_low"][0] == pytest.approx(interval.low, abs=1e-6)
    assert scores["recall_high"][0] == pytest.approx(interval.high, abs=1e-6)


def test_mean_over_classes_is_the_balanced_accuracy_with_a_stratified_interval(
    judged: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, probabilities = judged
    predicted = probabilities.argmax(1)
    value, low, high = metrics.class_mean(labels, predicted == labels)
    assert value == pytest.approx(balanced_accuracy_score(labels, predicted))
    parts = [(predicted == labels)[labels == code] for code in range(4)]
    error = np.sqrt(sum(part.var() / len(part) for part in parts)) / 4
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert metrics.class_mean([0, 0, 1, 1], [1, 1, 1, 1]) == (1, 1, 1)
    value, *ends = metrics.class_mean([0, 0, 1], [1, 0, 0])  # of one source there is no interval
    assert value == 0.25
    assert np.isnan(ends).all()


def test_interval_over_sources_is_wider_than_over_their_copies() -> None:
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(50) < 0.8, 20)  # twenty copies of each source, all right or all wrong
    labels, probabilities = np.zeros(1000, int), np.column_stack([right, ~right]).astype(float)
    value, low, high = metrics.accuracy(labels, probabilities)
    grouped = metrics.accuracy(labels, probabilities, sources=np.repeat(np.arange(50), 20))
    assert grouped[0] == value
    assert grouped[2] - grouped[1] > 3 * (high - low)
    expected = np.sqrt(value * (1 - value) / 50)
    assert (grouped[2] - grouped[1]) / 2 == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([], np.empty((0, 4)), "give shapes"),
        ([0, 1], np.ones((3, 4)), "give shapes"),
        ([0, 4], np.ones((2, 4)), "labels run from 0 to 4"),
        ([-1, 0], np.ones((2, 4)), "allowed are 0 to 3"),
        (np.ma.array([1, 0], mask=[False, True]), np.ones((2, 4)), "labels run from -1"),
        ([0, 1], [[0.5, 0.5], [np.nan, np.nan]], "of 1 images are not finite"),
        ([0, 1], np.ma.array(np.ones((2, 2)), mask=[[0, 0], [1, 1]]), "of 1 images are not finite"),
    ],
)
def test_faults(labels: list[int], probabilities: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.confusion_matrix(labels, probabilities)


def test_one_source_has_no_interval_over_sources() -> None:
    with pytest.raises(ValueError, match="of one source: an interval"):
        metrics.accuracy([1, 1], np.eye(4)[[1, 2]], sources=["a", "a"])
    with pytest.raises(ValueError, match="two sources or more"):
        metrics.angle_scores([10.0], [12.0])


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="choose from class, probability"):
        metrics.confusion_matrix([0], [[1.0, 0.0]], kind="soft")
