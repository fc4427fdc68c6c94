from __future__ import annotations

import os
import tracemalloc
from typing import Any

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings, strategies as st
from scipy import ndimage
from skimage.transform import resize as skimage_resize

from radiosynth import (
    CLASS_NAMES,
    Sample,
    _kernels,
    augment,
    augment_randomly,
    center_crop,
    noise_threshold,
    preprocess,
    resize,
    rotate_flip,
    scale,
    split,
    stratified_folds,
)
from radiosynth.preprocessing import MANY, measure_noise, missing_pixels, preprocess_unresized


def cutouts(n: int = 6, size: int = 60, seed: int = 0) -> Sample:
    """Gaussian sources well above Gaussian noise, like FIRST cutouts in mJy/beam."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    place = rng.uniform(0.4 * size, 0.6 * size, (2, n, 1, 1))
    source = 20 * np.exp(-0.5 * ((x - place[0]) ** 2 + (y - place[1]) ** 2) / 3**2)
    images = source + rng.normal(0.01, 0.15, (n, size, size))
    return Sample(images, np.arange(n) % 4, Table({"name": [f"source_{i}" for i in range(n)]}))


def smooth(n: int, size: int = 56, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(n, size, size))
    return scale(ndimage.gaussian_filter(noise, (0, 1.5, 1.5)))


def inside(size: int) -> np.ndarray:
    """Pixels away from the rim, where we blend with the fill value and scipy does not."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.hypot(x, y) < size / 2 - 1


class TestNoiseThreshold:
    def test_agrees_with_astropy_for_each_image(self) -> None:
        images = cutouts(7).images * np.logspace(-9, 9, 7, dtype=np.float32)[:, None, None]
        thresholded, thresholds = noise_threshold(images, n_sigma=2.5, fill="zero")
        for image, clean, threshold in zip(images, thresholded, thresholds, strict=True):
            _, median, std = sigma_clipped_stats(image, sigma=3, maxiters=None)
            assert threshold == pytest.approx(median + 2.5 * std, rel=1e-5)
            np.testing.assert_array_equal(clean, np.where(image < threshold, 0, image))
            assert 0.5 < (clean == 0).mean() < 1

    def test_level_and_noise_are_those_of_astropy(self) -> None:
        images = cutouts(5).images * np.float32([1, 1, 1e-6, 1e6, 1])[:, None, None]
        images[1, :20, :30] = np.nan
        images[4].flat = np.exp(np.linspace(0, 8, 3600))  # what is left at last lies below the median of all
        level, noise = measure_noise(images)
        for image, found in zip(images, np.transpose([level, noise]), strict=True):
            pixels = image[np.isfinite(image)].astype(float)
            _, median, std = sigma_clipped_stats(pixels, sigma=3, maxiters=None)
            np.testing.assert_allclose(found, (median, std), rtol=1e-12, atol=1e-12 * std)

    @pytest.mark.parametrize("n", [1, MANY])
    def test_a_deviation_hidden_by_rounding_ends_the_clipping(self, n: int) -> None:
        values = np.concatenate([[1, 2, 3, 4], np.logspace(1, 30, 20)]).reshape(4, 6).astype(np.float32)
        level, noise = measure_noise(np.stack([values] * n))
        assert np.isfinite(level).all()
        assert np.isfinite(noise).all()

    def test_a_bright_source_does_not_raise_the_threshold(self) -> None:
        rng = np.random.default_rng(5)
        y, x = np.mgrid[:150, :150] - 75
        plume = 5000 * np.exp(-np.abs(x) / 12.0 - (y / 5.0) ** 2)  # its faint end fades into the noise
        _, (threshold,) = noise_threshold([plume + rng.normal(0, 1, plume.shape)], fill="zero")
        assert 3 < threshold < 3.5

    def test_pixels_are_those_of_the_published_images(self) -> None:
        # (S - 3 sigma) / (peak - 3 sigma) in 255 grey levels, rounded down: to within one level.
        images = cutouts().images
        _, limits = noise_threshold(images, fill="zero")
        for image, limit, clean in zip(images, limits, noise_threshold(images)[0], strict=True):
            published = np.floor(255 * np.maximum(image - limit, 0) / (image.max() - limit))
            found = scale(clean[None], 0, 255)[0]
            np.testing.assert_array_equal(found == 0, published == 0)
            assert np.abs(found - published).max() <= 1

    def test_fill_with_the_threshold(self) -> None:
        images = cutouts().images
        thresholded, thresholds = noise_threshold(images)
        np.testing.assert_array_equal(thresholded, np.maximum(images, thresholds[:, None, None]))

    @pytest.mark.parametrize("fill", ["zero", "threshold"])
    def test_keeps_the_input_and_clipped_images(self, fill: str) -> None:
        images = cutouts().images
        before = images.copy()
        clipped, _ = noise_threshold(images, fill=fill)  # type: ignore[arg-type]
        np.testing.assert_array_equal(images, before)
        np.testing.assert_array_equal(noise_threshold(clipped)[0], clipped)
        eight_bits = np.floor(scale(clipped, 0, 255))
        np.testing.assert_array_equal(noise_threshold(eight_bits)[0], eight_bits)

    def test_never_lifts_the_background_above_the_source(self) -> None:
        images = cutouts().images - 100
        thresholded, thresholds = noise_threshold(images, fill="zero")
        np.testing.assert_array_equal(thresholded, np.maximum(images, thresholds[:, None, None]))

    def test_faults(self) -> None:
        images = cutouts(3).images.copy()
        with pytest.raises(ValueError, match="choose from threshold, zero"):
            noise_threshold(images, fill="median")  # type: ignore[arg-type]
        images[1] = np.inf
        with pytest.raises(ValueError, match="no pixel with data in 1 of 3 images: number 1"):
            noise_threshold(images)
        with pytest.raises(ValueError, match=r"\(60, 60\).*must be \(n, height, width\)"):
            noise_threshold(images[0])


class TestMissing:
    def test_zeros_are_missing_in_a_frame_with_noise_alone(self) -> None:
        noisy = cutouts().images
        thresholded = noise_threshold(noisy)[0]
        eight_bits = np.floor(scale(thresholded, 0, 255))
        whole_numbers = np.round(noisy / 0.05)  # of ten zeros one is noise, but they are no block
        for images in (noisy, thresholded, eight_bits, whole_numbers):
            assert not missing_pixels(images).any()
        for images in (noisy, noisy + 5):
            images = images.copy()
            images[:, :, -7:] = 0
            images[:, 0, :] = 0  # beside it, one pixel wide
            images[:, 10:14, 10:14] = 0
            images[:, 30, 20] = 0  # a single pixel is an accident
            expected = np.zeros(images.shape[1:], bool)
            expected[:, -7:] = expected[0] = expected[10:14, 10:14] = True
            for found in missing_pixels(images):
                np.testing.assert_array_equal(found, expected)

    @pytest.mark.parametrize("value", [1e-9, 0.1, -0.3, -1.5])
    def test_another_value_than_zero_may_fill_part_of_a_frame(self, value: float) -> None:
        images = cutouts().images.copy()
        images[:, :, -9:] = value
        found = missing_pixels(images)
        assert found[:, :, -9:].all()
        assert not found[:, :, :-9].any()
        # No filling: a sky that was cut off, a source that is saturated, whole numbers near the noise, blocks
        # of an image that was enlarged, or of a sky of few grey levels.
        whole = cutouts().images
        enlarged = whole[:, 15:45, 15:45].repeat(8, axis=1).repeat(8, axis=2)
        flat = np.round(ndimage.gaussian_filter(whole, (0, 6, 6)) / 0.02) + 1
        assert (np.diff(flat) == 0).mean() > 0.5
        for plain in (np.maximum(whole, 0.02), np.minimum(whole, 0.5), np.round(whole / 0.1), enlarged, flat):
            assert not missing_pixels((plain + 0.03).astype(np.float32)).any()

    @pytest.mark.parametrize("gap", [np.nan, np.inf, 0.0])
    @pytest.mark.parametrize("strip", [3, 12])
    def test_the_rest_is_prepared_as_if_nothing_were_missing(self, gap: float, strip: int) -> None:
        whole = cutouts()
        images = whole.images.copy()
        images[:, :, :strip] = gap
        level, noise = measure_noise(images)
        assert level == pytest.approx(0.01, abs=0.02)
        assert noise == pytest.approx(0.15, rel=0.05)
        clean, limits = noise_threshold(images)
        assert (clean[:, :, :strip] == limits[:, None, None]).all()
        ready = preprocess(Sample(images, whole.labels), 60)
        assert np.abs(ready.images - preprocess(whole, 60).images)[:, :, strip:].max() < 0.01
        assert "in 6 images" in ready.history[0]

    @pytest.mark.parametrize("gap", [np.nan, 0.0])
    @pytest.mark.parametrize(
        "where", [np.s_[:, :19], np.s_[28:32, 28:32], np.s_[30:, :]], ids=["too much", "core", "touches"]
    )
    def test_is_refused_by_name_at_the_source_and_where_it_is_much(
        self, gap: float, where: tuple[slice, slice], caplog: pytest.LogCaptureFixture
    ) -> None:
        y, x = np.mgrid[:60, :60] - 30
        whole = 20 * np.exp(-(x**2 + y**2) / 18) + np.random.default_rng(0).normal(0, 0.15, (60, 60))
        spoilt = whole.copy()
        spoilt[where] = gap
        sample = Sample([whole, spoilt], [0, 0], Table({"name": ["whole", "spoilt"]}))
        ready = preprocess(sample)
        assert ready.table["name"].tolist() == ["whole"]
        assert "left out, missing data: spoilt" in caplog.text
        assert ready.table.meta["left_out"][0][0] == "spoilt"
        with pytest.raises(ValueError, match="spoilt"):
            preprocess(sample[1:])

    def test_outside_of_the_part_used_nothing_matters(self) -> None:
        whole = cutouts(size=90)
        images = whole.images.copy()
        images[:, :, :28] = np.nan
        assert len(preprocess(Sample(images, whole.labels), 30, crop=34)) == 6


class TestCropResizeScale:
    @pytest.mark.parametrize(("shape", "size"), [((10, 10), 4), ((9, 9), 3), ((10, 7), 7), ((5, 5), 5)])
    def test_crop_is_central(self, shape: tuple[int, int], size: int) -> None:
        images = np.zeros((2, *shape))
        images[:, (shape[0] - 1) // 2, (shape[1] - 1) // 2] = 1
        cropped = center_crop(images, size)
        assert cropped.shape == (2, size, size)
        assert (cropped[:, (size - 1) // 2, (size - 1) // 2] == 1).all()

    @pytest.mark.parametrize("size", [0, 11])
    def test_crop_refuses(self, size: int) -> None:
        with pytest.raises(ValueError, match=rf"10×12 images to {size}: the size can be 1 to 10"):
            center_crop(np.zeros((1, 10, 12)), size)

    def test_code_is_compiled_where_there_is_no_place_to_keep_it(self) -> None:
        namespace: dict[str, Any] = {}
        exec("def double(x): return 2 * x", namespace)  # a function without a file
        assert _kernels.jit()(namespace["double"])(2.0) == 4

    def test_many_images_are_prepared_as_few(self) -> None:
        sample = cutouts(MANY // 6)
        images = np.concatenate([sample.images] * 6 + [sample.images[:6]])
        images[3, :20] = np.nan
        level, noise = measure_noise(images)
        few = [measure_noise(image[None]) for image in images]
        np.testing.assert_allclose(np.stack([level, noise]), np.concatenate(few, axis=1), rtol=1e-13)

    @pytest.mark.parametrize(("old", "new"), [(150, 56), (60, 60), (31, 64), (60, 1)])
    @pytest.mark.parametrize("n", [1, 5])
    def test_resize_agrees_with_skimage_for_each_image(self, old: int, new: int, n: int) -> None:
        images = cutouts(n, old).images
        resized = resize(images, new)
        assert resized.dtype == np.float32
        for image, small in zip(images, resized, strict=True):
            expected = skimage_resize(image, (new, new), order=1, anti_aliasing=True, preserve_range=True)
            np.testing.assert_allclose(small, expected, atol=1e-5)

    def test_resize_keeps_a_flat_background(self) -> None:
        images = noise_threshold(cutouts(4, 150).images)[0]
        small = resize(images, 56)
        lowest = images.min(axis=(1, 2), keepdims=True)
        assert (small >= lowest).all()
        assert ((small == lowest).mean(axis=(1, 2)) > 0.8).all()

    def test_resize_refuses(self) -> None:
        with pytest.raises(ValueError, match=r"8×9.*center_crop"):
            resize(np.zeros((1, 8, 9)), 4)
        with pytest.raises(ValueError, match="size of 1 or more"):
            resize(np.zeros((1, 8, 8)), 0)

    @pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (0.1, 0.7)])
    def test_scale_is_linear_and_exact_at_the_limits(self, low: float, high: float) -> None:
        images = cutouts(4).images * np.array([1e-6, 1, 1e6, -3])[:, None, None]
        scaled = scale(images, low, high)
        assert scaled.dtype == np.float32
        assert (scaled.min(axis=(1, 2)) == np.float32(low)).all()
        assert (scaled.max(axis=(1, 2)) == np.float32(high)).all()
        for image, new in zip(images, scaled, strict=True):
            expected = np.interp(image, [image.min(), image.max()], [low, high])
            np.testing.assert_allclose(new, expected, atol=1e-6)

    def test_masked_pixels_are_missing(self) -> None:
        images = np.ma.array(cutouts(2).images)
        images[0, :5] = np.ma.masked
        assert missing_pixels(images).sum() == images.mask.sum()
        with pytest.raises(ValueError, match="not finite in 1 of 2 images: number 0"):
            scale(images)

    def test_no_images_are_scaled_to_no_images(self) -> None:
        assert scale(np.empty((0, 8, 8))).shape == (0, 8, 8)

    def test_scale_refuses(self) -> None:
        images = cutouts(4).images.copy()
        with pytest.raises(ValueError, match=r"\[1, -1\]"):
            scale(images, 1, -1)
        images[2] = 0.3
        with pytest.raises(ValueError, match=r"one value in all pixels .* in 1 of 4 images: number 2;"):
            scale(images)
        images[1, 0, 0] = np.nan
        with pytest.raises(ValueError, match="not finite in 1 of 4 images: number 1;"):
            scale(images)


class TestPreprocess:
    def test_a_frame_is_of_background(self) -> None:
        for limits in ((-1, 1), (0, 1)):
            framed = preprocess_unresized(cutouts(), 80, value_range=limits)
            assert framed.size == 80
            assert (framed.images[:, :10] == limits[0]).all()
            assert framed.images.max() == limits[1]

    @pytest.mark.parametrize("size", [16, 56, 75, 200])
    def test_any_size(self, size: int) -> None:
        sample = cutouts()
        ready = preprocess(sample, size)
        assert ready.images.shape == (6, size, size)
        assert ready.images.dtype == np.float32
        assert (ready.images.min(axis=(1, 2)) == -1).all()
        assert (ready.images.max(axis=(1, 2)) == 1).all()
        np.testing.assert_array_equal(ready.labels, sample.labels)
        assert ready.table["name"].tolist() == sample.table["name"].tolist()
        assert sample.history == []

    def test_is_the_sum_of_its_steps(self) -> None:
        sample = cutouts()
        ready = preprocess(sample, 20, crop=40, n_sigma=4, fill="threshold")
        images, _ = noise_threshold(sample.images, 4, fill="threshold")
        np.testing.assert_array_equal(ready.images, scale(resize(center_crop(images, 40), 20)))
        assert ready.history == [
            "noise threshold: 4 sigma, pixels below set to threshold",
            "crop: centre of 40 px",
            "resize: 40 to 20 px, antialiased",
            "scale: each image to [-1, 1]",
        ]

    def test_an_unknown_filling_is_refused(self) -> None:
        with pytest.raises(ValueError, match="'median': choose from threshold, zero"):
            preprocess(cutouts(), 20, fill="median")  # type: ignore[arg-type]

    def test_clipped_data_are_left_alone_and_that_is_recorded(self) -> None:
        sample = cutouts()
        clipped = sample.images.copy()
        clipped[:4] = noise_threshold(clipped[:4])[0]
        some = preprocess(Sample(clipped, sample.labels), 60).history[0]
        assert some.startswith("noise threshold: no pixel changed in 4 of 6 images, already clipped; 3 sigma")
        every = preprocess(Sample(clipped[:4], sample.labels[:4]), 60)
        assert every.history[0] == "noise threshold: no pixel changed in 4 of 4 images, already clipped"
        np.testing.assert_allclose(every.images, scale(clipped[:4]), atol=1e-5)

    # 3.7 has no exact float32: resizing leaves rounding errors that look like structure.
    @pytest.mark.parametrize("value", [0.0, 3.7])
    def test_names_a_blank_image(self, value: float, caplog: pytest.LogCaptureFixture) -> None:
        sample = cutouts()
        images = sample.images.copy()
        images[3] = value
        with_blank = Sample(images, sample.labels, sample.table)
        with pytest.raises(ValueError, match=r"1 of 1 images: source_3 \(number 0\); leave them out"):
            preprocess(with_blank[[3]], 23)

        ready = preprocess(with_blank, 23)
        assert "left out, blank: source_3" in ready.history
        assert "source_3" in caplog.text
        others = sample[[0, 1, 2, 4, 5]]
        assert ready.table["name"].tolist() == others.table["name"].tolist()
        np.testing.assert_array_equal(ready.labels, others.labels)
        np.testing.assert_array_equal(ready.images, preprocess(others, 23).images)

    def test_a_sky_that_was_cut_off_at_its_level(self) -> None:
        rng = np.random.default_rng(0)
        noise = ndimage.gaussian_filter(rng.normal(size=(3, 150, 150)), (0, 1.3, 1.3))
        noise /= noise.std()
        noise[:, 70:80, 60:90] += 30
        for cut in (np.clip(noise, 0, None), np.floor(np.clip(noise, 0, None) * 5)):
            level, found = measure_noise(cut)
            np.testing.assert_allclose(level, 0, atol=0.1)
            np.testing.assert_allclose(found, 1 if cut.max() < 50 else 5, rtol=0.15)
        thresholded = noise_threshold(noise)[0]
        np.testing.assert_allclose(measure_noise(thresholded)[1], 0, atol=1e-6)

    def test_a_sky_without_a_source_is_named(self, caplog: pytest.LogCaptureFixture) -> None:
        sky = np.random.default_rng(0).normal(size=(2, 60, 60))
        sky[0, 30, 30] = 6
        assert len(preprocess(Sample(sky, [0, 0], Table({"name": ["source", "sky"]})), size=30)) == 2
        assert "no source 5 sigma above the noise in 1 images, such as sky" in caplog.text

    def test_refuses_when_all_images_are_blank(self) -> None:
        with pytest.raises(ValueError, match="2 of 2 images: image_0"):
            preprocess(Sample(np.zeros((2, 8, 8)), [0, 1]))

    def test_names_images_without_data(self) -> None:
        images = np.full((14, 60, 60), np.nan)
        images[1:3] = cutouts(2).images
        sample = Sample(images, np.zeros(14, int))
        with pytest.raises(
            ValueError, match=r"missing data .* in 12 of 12 images: image_0 .* and 2 more; leave"
        ):
            preprocess(sample[[0, *range(3, 14)]])
        assert preprocess(sample).table["name"].tolist() == ["image_1", "image_2"]

    @settings(max_examples=20, deadline=None)
    @given(
        st.integers(0, 5),
        st.floats(-28, 28),
        # Noise wholly above zero, but by less than five times its rms, may be a picture with black parts.
        st.floats(-20, 0) | st.floats(1, 20),
        st.sampled_from([np.nan, 0.0]),
        st.sampled_from([0, 3, 9]),
    )
    def test_neither_unit_nor_offset_nor_scale_matters(
        self, row: int, decade: float, offset: float, gap: float, strip: int
    ) -> None:
        sample = cutouts()[[row]]
        image = sample.images[0].astype(float)
        other = 10.0**decade * (image + offset)
        for each in (image, other):
            each[:, :strip] = gap
        expected, found = (preprocess(Sample([each], [0]), 40).images for each in (image, other))
        np.testing.assert_allclose(found, expected, atol=2e-5)

    def test_a_picture_on_grey_is_that_on_black(self) -> None:
        (clean,) = np.round(scale(noise_threshold(cutouts(1).images)[0], 0, 200))
        np.testing.assert_allclose(
            preprocess(Sample([clean], [0])).images, preprocess(Sample([clean + 55], [0])).images, atol=1e-5
        )

    def test_refuses_an_empty_sample(self) -> None:
        with pytest.raises(ValueError, match="no images"):
            preprocess(Sample(np.zeros((0, 8, 8)), []))

    def test_memory_is_a_small_multiple_of_the_images(self) -> None:
        sample = cutouts(400, 150)
        preprocess(sample[:2])
        tracemalloc.start()
        try:
            preprocess(sample)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4 * sample.images.nbytes


def grouped(seed: int) -> Sample:
    """85 sources, many of which share their sky in twos and threes, also across classes."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(4), [18, 22, 20, 25]))
    groups = np.full(85, -1)
    groups[:60] = rng.permutation(np.concatenate([np.repeat(np.arange(15), 2), np.repeat([20, 40], 15)]))
    groups[groups == 20] = np.repeat(np.arange(100, 105), 3)
    groups[groups == 40] = -1
    return Sample(np.zeros((85, 4, 4)), labels, Table({"sky_group": groups}))


class TestSplit:
    @pytest.mark.parametrize("seed", range(40))
    def test_guarantees(self, seed: int) -> None:
        sample = grouped(seed)
        train, test = split(sample, 8, rng=np.random.default_rng(seed))
        assert test.counts() == dict.fromkeys(CLASS_NAMES, 8)
        names = [*train.table["name"], *test.table["name"]]
        assert sorted(names) == sorted(sample.table["name"])
        assert names != sample.table["name"].tolist()
        shared = set(train.table["sky_group"]) & set(test.table["sky_group"])
        assert shared <= {-1}

    def test_every_source_is_tested_some_time(self) -> None:
        sample = grouped(0)
        rng = np.random.default_rng(0)
        tested = np.zeros(len(sample))
        for _ in range(200):
            _, test = split(sample, 8, rng=rng)
            tested[[int(name.removeprefix("image_")) for name in test.table["name"]]] += 1
        for code in range(4):
            chance = tested[sample.labels == code] / 200
            expected = 8 / (sample.labels == code).sum()
            assert (np.abs(chance - expected) < 0.25).all()

    def test_same_seed_same_split(self) -> None:
        sample = grouped(1)
        first, second, other = (split(sample, 8, rng=np.random.default_rng(seed))[1] for seed in (1, 1, 2))
        assert first.table["name"].tolist() == second.table["name"].tolist()
        assert first.table["name"].tolist() != other.table["name"].tolist()

    def test_without_groups_and_with_masked_ones(self) -> None:
        sample = Sample(np.zeros((40, 4, 4)), np.arange(40) % 4)
        assert len(split(sample, 9, rng=np.random.default_rng(0))[0]) == 4
        sample.table["sky_group"] = MaskedColumn(np.zeros(40, int), mask=np.ones(40, bool))
        assert len(split(sample, 9, rng=np.random.default_rng(0))[0]) == 4

    def test_numbers_by_name(self) -> None:
        sample = Sample(np.zeros((40, 4, 4)), np.arange(40) % 2)
        _, test = split(sample, {"FRI": 3, "frii": 0}, rng=np.random.default_rng(0))
        assert test.counts() == {"FRI": 3, "FRII": 0, "bent": 0, "compact": 0}

    @pytest.mark.parametrize(
        ("labels", "number", "message"),
        [
            ([0, 0, 1, 1, 2, 2, 3], 1, "1 compact images aside .* has 1, .* lower test_per_class"),
            ([0, 0, 1, 1], 1, "1 bent images aside .* has 0"),
            ([0, 0, 1, 1], {"FRI": 1}, "no number is given for the class FRII"),
            ([0, 0, 1, 1], {"FRI": -1, "FRII": 1}, "number of FRI images is -1; give a whole number"),
            ([0, 0, 2, 2], {"bent": 1, "WAT": 0}, "bent, WAT: a class has two numbers; give one for each"),
            ([0, 0, -1], 1, "1 of 3 images have no class"),
            ([], 1, "at least one image"),
            ([0, 0], {"spiral": 1}, "unknown class 'spiral'"),
        ],
    )
    def test_faults(self, labels: list[int], number: int | dict[str, int], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            split(Sample(np.zeros((len(labels), 4, 4)), labels), number, rng=np.random.default_rng(0))

    def test_refuses_what_the_groups_do_not_allow(self) -> None:
        table = Table({"sky_group": np.repeat(np.arange(3), 2)})
        sample = Sample(np.zeros((6, 4, 4)), np.zeros(6, int), table)
        with pytest.raises(ValueError, match="sky_group"):
            split(sample, {"FRI": 3}, rng=np.random.default_rng(0))


class TestFolds:
    @pytest.mark.parametrize("seed", range(10))
    def test_guarantees(self, seed: int) -> None:
        sample = grouped(seed)
        groups = np.asarray(sample.table["sky_group"])
        folds = list(stratified_folds(sample, 5, rng=np.random.default_rng(seed)))
        assert sorted(np.concatenate([test for _, test in folds])) == list(range(85))
        for train, test in folds:
            assert sorted([*train, *test]) == list(range(85))
            assert set(groups[train]) & set(groups[test]) <= {-1}
            expected = np.array([18, 22, 20, 25]) / 5
            assert (np.abs(np.bincount(sample.labels[test], minlength=4) - expected) <= 3).all()

    def test_seed_decides(self) -> None:
        sample = grouped(0)
        first, second, other = (
            [test.tolist() for _, test in stratified_folds(sample, rng=np.random.default_rng(seed))]
            for seed in (1, 1, 2)
        )
        assert first == second
        assert first != other

    def test_faults_come_at_once(self) -> None:
        rng = np.random.default_rng(0)
        with pytest.raises(ValueError, match="there can be 2 to 2"):
            stratified_folds(Sample(np.zeros((5, 4, 4)), [0, 0, 0, 1, 1]), 3, rng=rng)
        with pytest.raises(ValueError, match="no class"):
            stratified_folds(Sample(np.zeros((2, 4, 4)), [0, -1]), 2, rng=rng)
        table = Table({"sky_group": np.repeat([0, 1], 3)})
        with pytest.raises(ValueError, match="there can be 2 to 2"):
            stratified_folds(Sample(np.zeros((6, 4, 4)), np.zeros(6, int), table), 3, rng=rng)


class TestRotateFlip:
    @pytest.mark.parametrize("size", [31, 56])
    def test_agrees_with_scipy_away_from_the_rim(self, size: int) -> None:
        rng = np.random.default_rng(1)
        images = smooth(40, size)
        angles, flips = rng.uniform(-400, 400, 40), rng.random(40) < 0.5
        rotated = rotate_flip(images, angles, flips)
        assert rotated.dtype == np.float32
        for image, angle, flip, new in zip(images, angles, flips, rotated, strict=True):
            original = image[:, ::-1] if flip else image
            # scipy counts angles for row 0 at the top.
            expected = ndimage.rotate(original, -angle, order=1, reshape=False, cval=-1)
            # 1 % of the image range of 2 is asked for; ours is far better.
            assert np.abs(new - expected)[inside(size)].max() < 2e-4

    @pytest.mark.parametrize("size", [15, 16])
    @pytest.mark.parametrize("flip", [False, True])
    @pytest.mark.parametrize("quarter", range(-1, 5))
    def test_quarter_circles_are_exact(self, size: int, quarter: int, flip: bool) -> None:
        image = smooth(1, size)
        expected = np.rot90(image[0, :, ::-1] if flip else image[0], -quarter)
        np.testing.assert_allclose(rotate_flip(image, [90 * quarter], [flip])[0], expected, atol=1e-6)

    def test_sense_is_counter_clockwise_with_row_0_at_the_bottom(self) -> None:
        image = np.full((1, 21, 21), -1.0)
        image[0, 10, 18] = 1  # to the right of the centre
        rotated = rotate_flip(image, [90], [False])
        assert np.unravel_index(rotated[0].argmax(), (21, 21)) == (18, 10)  # above it

    def test_no_rotation_returns_the_image_itself(self) -> None:
        images = smooth(3)
        np.testing.assert_array_equal(rotate_flip(images, np.zeros(3), np.zeros(3, bool)), images)

    @settings(max_examples=20, deadline=None)
    @given(low=st.floats(-10, 10), span=st.floats(0.1, 10), angle=st.floats(0, 360), flip=st.booleans())
    def test_the_background_follows_the_range_of_the_images(
        self, low: float, span: float, angle: float, flip: bool
    ) -> None:
        """Rotation and a linear change of the brightness can be exchanged."""
        images = scale(smooth(2))
        rotated = rotate_flip(images, [angle] * 2, [flip] * 2)
        brighter = rotate_flip(low + span * (images + 1) / 2, [angle] * 2, [flip] * 2)
        np.testing.assert_allclose(brighter, low + span * (rotated + 1) / 2, atol=1e-5 * (span + abs(low)))
        assert brighter.min() >= low - 1e-5 * (span + abs(low))

    def test_augmented_images_keep_their_range(self) -> None:
        ready = preprocess(cutouts(4), 24)
        other = ready.derived(scale(ready.images, 0, 1), "another range")
        more = augment(other, 9).images
        assert (more.min(), more.max()) == (0, 1)
        varied = augment_randomly(other.images, np.random.default_rng(0))
        assert varied.min() == 0

    def test_more_images_than_memory_are_refused(self) -> None:
        with pytest.raises(ValueError, match="images is 10000000000000; give a whole number from 0"):
            augment(cutouts(4), 10**13)

    def test_views_and_read_only_images(self) -> None:
        images = np.asfortranarray(smooth(5, 60))[:, 2:-2, 2:-2]
        images.flags.writeable = False
        angles, flips = np.arange(5) * 25.0, np.arange(5) % 2 == 0
        expected = rotate_flip(images.copy(), angles, flips)
        np.testing.assert_array_equal(rotate_flip(images, angles, flips), expected)

    def test_result_does_not_depend_on_the_number_of_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        images = smooth(300)
        angles, flips = np.arange(300) * 21.0, np.arange(300) % 3 == 0
        expected = rotate_flip(images, angles, flips)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(5)), raising=False)
        np.testing.assert_array_equal(rotate_flip(images, angles, flips), expected)

    def test_faults(self) -> None:
        images = smooth(2)
        with pytest.raises(ValueError, match=r"\(2, 56, 56\), \(1,\) and \(2,\)"):
            rotate_flip(images, [0], [False, True])
        with pytest.raises(ValueError, match="must be"):
            rotate_flip(images[:, :50], [0, 1], [False, True])
        for angles in ([0, np.nan], np.ma.array([0, 1], mask=[False, True])):
            with pytest.raises(ValueError, match="1 of 2 angles are not finite: give degrees"):
                rotate_flip(images, angles, [False, True])
        images[1, 3, 5] = np.nan  # which would fill all that is rotated into the frame
        with pytest.raises(ValueError, match="1 images have pixels that are not finite"):
            rotate_flip(images, [0, 1], [False, True])


def of(labels: list[int]) -> Sample:
    return Sample(smooth(len(labels), 8), labels)


class TestAugment:
    @pytest.mark.parametrize("per_class", [5, 6, 9, 10, 11, 33, 100])
    def test_ordered(self, per_class: int) -> None:
        labels = np.array([1, 0, 1, 3, 1, 0, 1, 1])
        table = augment(of(labels.tolist()), per_class).table
        np.testing.assert_array_equal(labels[table["source"]], np.repeat([0, 1, 3], per_class))
        for code in (0, 1, 3):
            members = np.flatnonzero(labels == code)
            part = table[labels[table["source"]] == code]
            assert part["source"][: len(members)].tolist() == members.tolist()
            assert not part["rotation"][: len(members)].any()
            assert not part["flipped"][: len(members)].any()
            added = part[len(members) :]
            assert added["flipped"].tolist() == [i % 2 == 0 for i in range(len(added))]
            numbers = [int((part["source"] == member).sum()) for member in members]
            assert numbers == sorted(numbers, reverse=True)
            assert numbers[0] - numbers[-1] <= 1
            for member, number in zip(members, numbers, strict=True):
                angles = part["rotation"][part["source"] == member]
                np.testing.assert_allclose(angles, np.arange(number) * 360 / number)

    def test_random(self) -> None:
        sample = of([0] * 10 + [2] * 5)
        more = augment(sample, 4000, "random", rng=np.random.default_rng(3))
        assert more.counts() == {"FRI": 4000, "FRII": 0, "bent": 4000, "compact": 0}
        added = more.table[10:4000]
        assert np.bincount(added["source"]) == pytest.approx(399, abs=100)
        assert np.histogram(added["rotation"], 4, (0, 360))[0] == pytest.approx(997.5, abs=150)
        assert added["flipped"].mean() == pytest.approx(0.5, abs=0.05)
        again = augment(sample, 4000, "random", rng=np.random.default_rng(3))
        np.testing.assert_array_equal(more.images, again.images)

    def test_numbers_by_name(self) -> None:
        more = augment(of([0, 1, 1]), {"FRII": 4, "FRI": 2})
        assert more.table["source"].tolist() == [0, 0, 1, 2, 1, 2]

    @pytest.mark.parametrize(
        ("labels", "per_class", "method", "message"),
        [
            ([0, 0, 0], 2, "ordered", "3 FRI images to 2: all of them are kept"),
            ([0, 0, 0], {"FRI": 5, "bent": 5}, "ordered", "0 bent images to 5: .* there must be one"),
            ([0, 1], {"FRI": 5}, "ordered", "no number is given for the class FRII"),
            ([0, 1], 5, "mirror", "'mirror': choose from ordered, random"),
            ([0, -1], 5, "ordered", "1 of 2 images have no class"),
            ([], 5, "ordered", "at least one image"),
        ],
    )
    def test_faults(self, labels: list[int], per_class: int, method: str, message: str) -> None:
        sample = Sample(np.zeros((len(labels), 8, 8)), np.array(labels, int))
        with pytest.raises(ValueError, match=message):
            augment(sample, per_class, method)  # type: ignore[arg-type]

    def sample(self) -> Sample:
        table = Table({"name": [f"s{i}" for i in range(7)], "catalogue": list("abcdefg")})
        table.meta["history"] = ["read"]
        return Sample(smooth(7, 24), [0, 1, 1, 2, 0, 1, 2], table)

    def test_keeps_the_originals_and_follows_the_plan(self) -> None:
        sample = self.sample()
        more = augment(sample, 20, rng=None)
        assert more.counts() == {"FRI": 20, "FRII": 20, "bent": 20, "compact": 0}
        np.testing.assert_array_equal(more.images[20:23], sample.images[[1, 2, 5]])
        source = np.asarray(more.table["source"])
        np.testing.assert_array_equal(more.labels, sample.labels[source])
        assert more.table["catalogue"].tolist() == sample.table["catalogue"][source].tolist()
        expected = rotate_flip(sample.images[source], more.table["rotation"], more.table["flipped"])
        np.testing.assert_array_equal(more.images, expected)
        assert len(np.unique(more.images.reshape(60, -1), axis=0)) == 60
        assert more.history == ["read", "augment: ordered rotation and flip to 60 images"]
        assert sample.table.colnames == ["name", "catalogue"]
        assert sample.history == ["read"]

    def test_memory_stays_near_that_of_the_result(self) -> None:
        sample = self.sample()
        augment(sample, 5)
        tracemalloc.start()
        try:
            more = augment(sample, 3000)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1.5 * more.images.nbytes


def test_random_numbers_and_counts_are_checked() -> None:
    sample = Sample(np.random.default_rng(0).random((8, 8, 8)), np.arange(8) % 4)
    rng = np.random.default_rng(0)
    for wrong in (None, 1):
        with pytest.raises(TypeError, match=r"rng is .*give a generator of random numbers"):
            split(sample, 1, rng=wrong)  # type: ignore[arg-type]
    for seed in (None, 1):
        with pytest.raises(TypeError, match=f"rng is {seed}"):
            augment(sample, 4, "random", rng=seed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"the number of FRI images is 0.5; give a whole number"):
        split(sample, 0.5, rng=rng)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"the number of FRII images is 2.5"):
        augment(sample, {"FRI": 2, "FRII": 2.5, "bent": 2, "compact": 2})  # type: ignore[dict-item]


@pytest.mark.parametrize(("zoom", "shift"), [(60, 1), (np.nan, 1), (0.1, np.inf), (0.1, -1)])
def test_zoom_and_shift_are_checked(zoom: float, shift: float) -> None:
    with pytest.raises(ValueError, match=f"zoom={zoom}, shift={shift}: give a zoom of 0 to 1"):
        augment_randomly(np.zeros((1, 8, 8)), np.random.default_rng(0), zoom=zoom, shift=shift)


def test_other_limits_than_minus_one_and_one() -> None:
    images = np.random.default_rng(0).normal(0, 1, (4, 60, 60))
    images[:, 28:32, 28:32] += 80
    ready = preprocess(Sample(images, [0, 1, 2, 3]), 56, value_range=(0, 1))
    assert ready.images.min(axis=(1, 2)).tolist() == [0] * 4
    assert ready.images.max(axis=(1, 2)).tolist() == [1] * 4
    more = augment(ready, per_class=6)
    assert more.images.min() >= 0  # corners of rotated images
    with pytest.raises(ValueError, match=r"cannot scale to \[1, 0\]"):
        preprocess(Sample(images, [0, 1, 2, 3]), 56, value_range=(1, 0))


def test_no_image_is_resized_to_none() -> None:
    assert resize(np.empty((0, 10, 10)), 5).shape == (0, 5, 5)


def test_resized_images_have_wider_pixels():
    images = np.random.default_rng(0).normal(size=(1, 150, 150))
    images[0, 70:80, 70:80] += 50
    sample = Sample(images, [0], Table({"name": ["a"], "pixel_scale": [1.8]}))
    assert preprocess(sample, size=56).table["pixel_scale"][0] == pytest.approx(1.8 * 150 / 56)
    assert preprocess(sample, size=50, crop=100).table["pixel_scale"][0] == pytest.approx(3.6)
    assert sample.table["pixel_scale"][0] == 1.8
