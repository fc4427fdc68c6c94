import numpy as np
import pytest
from astropy.table import Table
from skimage.measure import moments_central, regionprops

from radiosynth import Sample
from radiosynth.classification import classify_by_shape
from radiosynth.measurements import measure_shapes
from radiosynth.taxonomy import class_code

SIZE = 120
Y, X = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2


def blob(x: float, y: float, width: float = 4.0, height: float = 1.0) -> np.ndarray:
    return height * np.exp(-((X - x) ** 2 + (Y - y) ** 2) / (2 * width**2))


def clipped(image: np.ndarray) -> np.ndarray:
    return np.where(image > 0.02, image, 0.0)


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
