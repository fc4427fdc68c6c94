"""Trees that learn classes from measured shapes."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from samples import blob, clipped

from radiosynth import Sample
from radiosynth.classification import classify_by_shape
from radiosynth.taxonomy import class_code


@pytest.fixture(scope="module")
def two_shapes() -> Sample:
    """Straight and bent sources of four sizes, in two folds and a test set."""
    rng = np.random.default_rng(3)
    images, labels = [], []
    for number in range(90):
        sweep, reach = (0, 12)[number % 2], rng.uniform(16, 26)
        plumes = blob(-reach, sweep, 4, rng.uniform(0.4, 1)) + blob(reach, sweep, 4, rng.uniform(0.4, 1))
        images.append(clipped(blob(0, 0, 3) + plumes))
        labels.append(class_code(("FRI", "bent")[number % 2]))
    table = Table({"name": [f"s{number}" for number in range(90)], "fold": np.arange(90) // 2 % 3 - 1})
    return Sample(np.array(images, np.float32), np.array(labels), table)


def test_trees_learn_what_makes_a_class(two_shapes):
    found = classify_by_shape(two_shapes, trees=15)
    assert found.test.shape == (2, 30, 4)
    np.testing.assert_allclose(found.test.sum(axis=2), 1)
    assert (found.unseen.argmax(axis=1) == found.unseen_labels).mean() > 0.9
    assert max(found.lost, key=found.lost.__getitem__) in ("bends", "symmetry", "roundness", "size")
    again = classify_by_shape(two_shapes, trees=15)
    np.testing.assert_array_equal(again.unseen, found.unseen)
    assert again.lost == found.lost


def test_a_sample_without_folds_is_refused(two_shapes):
    bare = two_shapes[np.arange(len(two_shapes))]
    bare.table.remove_column("fold")
    with pytest.raises(ValueError, match="give labelled images and a column 'fold' of two at least"):
        classify_by_shape(bare)
