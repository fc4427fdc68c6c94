from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
from astropy.modeling.models import Gaussian2D
from scipy import integrate, ndimage, optimize, stats

from radiosynth import Sample, noise_threshold, preprocess, scale as scale_images, simulation
from radiosynth.preprocessing import measure_noise
from radiosynth.simulation import gaussians
from radiosynth.simulation.observe import Observation
from radiosynth.simulation.population import draw_parameters, report_population
from radiosynth.simulation.rendering import render, simulate

FR = {
    "fr_type": 1, "core_x": 28.0, "core_y": 28.0, "core_sigma": 1.5, "core_amplitude": 0.7,
    "axis_ratio": np.nan, "position_angle": 0.0, "bending_angle": 0.0, "lobe_distance": 9.0,
    "lobe_sigma_across": 1.5, "lobe_sigma_along": 2.5, "lobe_c1": 0.9, "lobe_c2": 1.6,
    "lobe_amplitude_1": 1.2, "lobe_amplitude_2": 0.8, "halo_sigma": 2.0, "halo_amplitude": 0.4,
}  # fmt: skip


def source(**changes):
    return {name: np.array([value]) for name, value in (FR | changes).items()}


def only(**changes):
    """Return a source of which all but the named parts are (nearly) dark."""
    dark = {
        "core_amplitude": 0.0,
        "lobe_amplitude_1": 1e-12,
        "lobe_amplitude_2": 1e-12,
        "halo_amplitude": 0.0,
    }
    return source(**(dark | changes))


def grid(size):
    y, x = (np.mgrid[:size, :size] + 0.5) * 56 / size
    return x, y


def astropy_image(row, size):
    """Render one row of a table with astropy.modeling in double precision (rays only)."""
    x, y = grid(size)
    if row["fr_type"] == 0:
        long = row["core_sigma"]
        theta = np.radians(row["position_angle"] + 90)
        shape = {"x_stddev": long, "y_stddev": long * row["axis_ratio"], "theta": theta}
        return Gaussian2D(row["core_amplitude"], row["core_x"], row["core_y"], **shape)(x, y)
    image = Gaussian2D(
        row["core_amplitude"], row["core_x"], row["core_y"], row["core_sigma"], row["core_sigma"]
    )(x, y)
    turn = np.radians(180 - row["bending_angle"])
    for theta, amplitude in (
        (np.radians(row["position_angle"] + 90), row["lobe_amplitude_1"]),
        (np.radians(row["position_angle"] + 90) + turn, row["lobe_amplitude_2"]),
    ):
        lx = row["core_x"] + row["lobe_distance"] * np.cos(theta)
        ly = row["core_y"] + row["lobe_distance"] * np.sin(theta)
        inner, outer = row["lobe_c1"], row["lobe_c2"]
        if row["fr_type"] == 2:
            inner, outer = outer, inner
        halves = [
            Gaussian2D(amplitude, lx, ly, row["lobe_sigma_along"] * c, row["lobe_sigma_across"], theta=theta)(
                x, y
            )
            for c in (inner, outer)
        ]
        ahead = (x - lx) * np.cos(theta) + (y - ly) * np.sin(theta) > 0
        image += np.where(ahead, halves[1], halves[0])
        image += Gaussian2D(row["halo_amplitude"], lx, ly, row["halo_sigma"], row["halo_sigma"])(x, y)
    return image


@pytest.mark.parametrize("size", [8, 31, 56, 150])
def test_report_sources_agree_with_astropy(size):
    table = draw_parameters(12, rng=np.random.default_rng(1))
    images = render(table, size, scale=False)
    for row, image in zip(table, images, strict=True):
        expected = astropy_image(row, size)
        np.testing.assert_allclose(image, expected, rtol=0, atol=1e-4 * expected.max())


@pytest.mark.parametrize(
    "parts",
    [{"core_amplitude": 1.3}, {"lobe_amplitude_1": 1.1}, {"lobe_amplitude_2": 0.6}, {"halo_amplitude": 0.5}],
    ids=lambda parts: next(iter(parts)),
)
@pytest.mark.parametrize("fr_type", [1, 2])
def test_single_components_agree_with_astropy(parts, fr_type):
    parameters = only(**parts, fr_type=fr_type, position_angle=37.0, bending_angle=65.0)
    row = {name: values[0] for name, values in parameters.items()}
    expected = astropy_image(row, 56)
    np.testing.assert_allclose(
        render(parameters, scale=False)[0], expected, rtol=0, atol=1e-5 * expected.max()
    )


@pytest.mark.parametrize(
    "shape",
    [
        {"position_angle": 90.0, "lobe_sigma_across": 1e28},  # as wide as can be, along the grid
        {"lobe_sigma_along": 1e28, "lobe_sigma_across": 0.5, "position_angle": 30.0},
        {"lobe_sigma_along": 30.0, "lobe_sigma_across": 0.3, "position_angle": 45.0},
        {"core_x": 70.0, "core_y": -6.0, "position_angle": 200.0},  # only its wings are on the image
        {"core_x": -300.0, "lobe_distance": 0.0, "lobe_sigma_along": 50.0, "lobe_sigma_across": 50.0},
        {"core_amplitude": 1.0, "lobe_distance": 1e20, "lobe_sigma_along": 1e20, "lobe_sigma_across": 1e20},
        {"halo_amplitude": 1.0, "halo_sigma": 50.0, "core_x": -300.0, "lobe_amplitude_1": 1e-15},
    ],
)
@pytest.mark.parametrize("size", [9, 31, 56])
def test_lobes_are_seen_as_far_as_they_reach(shape, size):
    parameters = only(**{"lobe_amplitude_1": 1.0, "lobe_amplitude_2": 1e-15} | shape)
    row = {name: values[0] for name, values in parameters.items()}
    expected = astropy_image(row, size)
    found = render(parameters, size, scale=False)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * expected.max())


def test_narrow_sources_between_the_pixels_of_small_images_are_seen():
    images = simulate({"compact": 6000}, 8, rng=np.random.default_rng(0)).images
    assert (images.max(axis=(1, 2)) > 0.99).all()


def test_very_large_image_agrees_with_astropy():
    table = draw_parameters({"FRII": 1}, rng=np.random.default_rng(2))
    expected = astropy_image(table[0], 512)
    np.testing.assert_allclose(render(table, 512, scale=False)[0], expected, atol=1e-4 * expected.max())


def centroid(image):
    return np.array(ndimage.center_of_mass(image.astype(float)))[::-1] + 0.5


@pytest.mark.parametrize("trajectory", ["ray", "parabola"])
@pytest.mark.parametrize("bending", [0.0, 7.0, 75.0, 150.0, 180.0])
def test_bending_angle_and_distance_are_recovered_from_images(trajectory, bending):
    round_lobes = {"lobe_c1": 1.0, "lobe_c2": 1.0, "lobe_sigma_along": 1.5}
    common = {"bending_angle": bending, "position_angle": 20.0, **round_lobes}
    first = centroid(render(only(lobe_amplitude_1=1.0, **common), trajectory=trajectory, scale=False)[0])
    second = centroid(render(only(lobe_amplitude_2=1.0, **common), trajectory=trajectory, scale=False)[0])
    rays = [first - 28, second - 28]
    lengths = [np.hypot(*ray) for ray in rays]
    angle = np.degrees(np.arccos(np.clip(rays[0] @ rays[1] / np.prod(lengths), -1, 1)))
    assert 180 - angle == pytest.approx(bending, abs=0.1)
    # The position angle of the first lobe runs from north through east (to lower columns).
    assert np.degrees(np.arctan2(-rays[0][0], rays[0][1])) == pytest.approx(20, abs=0.1)
    if trajectory == "ray" or bending in (0, 180):
        assert lengths == pytest.approx([9, 9], abs=0.01)
    else:
        # On y = kx² through the lobe, with the axis along the bisector, the arc is lobe_distance long.
        half = np.radians(bending) / 2
        x, y = lengths[0] * np.cos(half), lengths[0] * np.sin(half)
        k = y / x**2
        assert integrate.quad(lambda t: np.hypot(1, 2 * k * t), 0, x)[0] == pytest.approx(9, abs=0.01)


@pytest.mark.parametrize("bending", [1e-3, 30.0, 120.0, 179.0])
def test_parabola_geometry(bending):
    parameters = source(bending_angle=bending, position_angle=123.0)
    columns = gaussians.checked(parameters, "parabola")
    _, lobes = gaussians.galaxies(columns, "parabola")
    bisector = np.radians(123 + 90 + (180 - bending) / 2)
    x_axis = bisector - np.pi / 2
    for i, side in ((0, 1), (1, -1)):
        dx, dy = lobes["x"][0, i] - 28, lobes["y"][0, i] - 28
        x, y = dx * np.cos(x_axis) + dy * np.sin(x_axis), dx * np.cos(bisector) + dy * np.sin(bisector)
        k = y / x**2
        assert np.sign(x) == side
        arc, _ = integrate.quad(lambda t, k=k: np.hypot(1, 2 * k * t), 0, abs(x))
        assert arc == pytest.approx(9, rel=1e-6)
        tangent = np.arctan(2 * k * abs(x))
        along = x_axis + tangent if side == 1 else x_axis + np.pi - tangent
        axis = np.arctan2(lobes["sine"][0, i], lobes["cosine"][0, i])
        assert np.cos(axis - along) == pytest.approx(1, abs=1e-10)


def test_trajectories_agree_exactly_without_bending():
    straight = report_population().replace("FRI", bending_angle=0.0)
    table = draw_parameters({"FRI": 5}, population=straight, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(render(table), render(table, trajectory="parabola"))


@pytest.mark.parametrize(("fr_type", "longer"), [(1, "outside"), (2, "inside")])
def test_long_side_of_lobes(fr_type, longer):
    image = render(only(lobe_amplitude_1=1.0, fr_type=fr_type), 448, scale=False)[0]
    profile = image[:, 224]  # the first lobe lies 9 pixels to the north, at row (28 + 9)·8
    peak = int(profile.argmax())
    assert (peak + 0.5) / 8 == pytest.approx(37, abs=0.1)
    outside, inside = (profile[peak:] > 0.5).sum(), (profile[:peak] > 0.5).sum()
    assert (outside > 1.5 * inside) == (longer == "outside")
    assert max(outside, inside) / 8 == pytest.approx(2.5 * 1.6 * np.sqrt(2 * np.log(2)), abs=0.2)


def test_images_of_different_sizes_show_the_same_source():
    table = draw_parameters(4, rng=np.random.default_rng(4))
    small, middle, large = (render(table, size, scale=False) for size in (56, 168, 504))
    # The middle pixel of each block of 3 × 3 lies where the larger pixel has its centre.
    np.testing.assert_allclose(middle[:, 1::3, 1::3], small, atol=2e-5)
    np.testing.assert_allclose(large[:, 1::3, 1::3], middle, atol=2e-5)
    extended = table["fr_type"] > 0
    halves = [render(table[extended], size, scale=False).mean(axis=(1, 2)) for size in (28, 56, 112)]
    np.testing.assert_allclose(halves[0], halves[1], rtol=0.05)
    np.testing.assert_allclose(halves[2], halves[1], rtol=0.01)


DRAWN = {
    "core_x": stats.norm(28, 3), "core_y": stats.norm(28, 3), "core_amplitude": stats.uniform(),
    "position_angle": stats.uniform(0, 360), "lobe_c1": stats.uniform(0.8, 0.5),
    "lobe_amplitude_1": stats.uniform(0.5, 1), "halo_amplitude": stats.uniform(),
}  # fmt: skip


def test_drawn_distributions_are_those_of_the_report():
    table = draw_parameters(4000, rng=np.random.default_rng(5))
    classes = {name: table[table["class"] == name] for name in ("FRI", "FRII", "bent", "compact")}
    checks = [(classes[name], key, law) for name in ("FRI", "FRII", "bent") for key, law in DRAWN.items()]
    checks += [
        (classes["FRI"], "lobe_distance", stats.uniform(3, 28 * 0.2)),
        (classes["FRII"], "lobe_distance", stats.uniform(4, 28 * 0.5)),
        (classes["FRI"], "halo_sigma", stats.uniform(0, 2.5)),
        (classes["FRII"], "halo_sigma", stats.uniform(1, 4)),
        (classes["FRI"], "bending_angle", stats.uniform(0, 10)),
        (classes["FRII"], "bending_angle", stats.uniform(0, 10)),
        (classes["bent"], "bending_angle", stats.uniform(20, 160)),
        (classes["compact"], "core_sigma", stats.halfnorm(0.4, 0.5)),
        (classes["compact"], "core_amplitude", stats.uniform(0.1, 1)),
    ]
    for rows, key, law in checks:
        assert stats.kstest(rows[key], law.cdf).pvalue > 1e-3, key
    extended = table[table["fr_type"] > 0]
    ratio = extended["lobe_c2"] / extended["lobe_c1"]
    assert stats.kstest(ratio, stats.uniform(1, 1.2).cdf).pvalue > 1e-3
    difference = extended["lobe_amplitude_2"] - extended["lobe_amplitude_1"]
    assert stats.kstest(difference, stats.norm(0, 0.1).cdf).pvalue > 1e-3
    assert set(extended["core_sigma"]) == {1.5}
    assert set(extended["lobe_sigma_across"]) == {1.5}
    assert set(extended["lobe_sigma_along"]) == {2.5}
    bent = classes["bent"]
    assert stats.binomtest(int((bent["fr_type"] == 1).sum()), len(bent), 0.5).pvalue > 1e-3
    for fr_type, law in ((1, stats.uniform(3, 5.6)), (2, stats.uniform(4, 14))):
        assert stats.kstest(bent[bent["fr_type"] == fr_type]["lobe_distance"], law.cdf).pvalue > 1e-3


def test_second_lobe_stays_bright():
    population = report_population().replace("FRI", lobe_amplitude_difference=-5.0)
    table = draw_parameters({"FRI": 3}, population=population, rng=np.random.default_rng(0))
    np.testing.assert_allclose(table["lobe_amplitude_2"], 0.01 * table["lobe_amplitude_1"])


def test_replaced_distributions_are_used_also_by_bent_sources():
    population = report_population().replace("fri", lobe_distance=stats.uniform(20, 1), core_x=30)
    population = population.replace("bent", fr_type=1, core_y=31.5)
    table = draw_parameters({"FRI": 5, "bent": 5}, population=population, rng=np.random.default_rng(0))
    assert (table["lobe_distance"] >= 20).all()
    assert set(table["core_x"]) == {30.0}
    assert (table["core_y"][table["class"] == "bent"] == 31.5).all()
    assert report_population().FRI["core_x"].mean() == 28  # the original is unchanged


def test_simulate_gives_a_complete_sample():
    sample = simulate({"compact": 2, "bent": 3, "FRI": 1}, 40, rng=np.random.default_rng(8))
    assert sample.images.shape == (6, 40, 40)
    assert sample.counts() == {"FRI": 1, "FRII": 0, "bent": 3, "compact": 2}
    assert sample.table["name"].tolist() == ["FRI_0", "bent_0", "bent_1", "bent_2", "compact_0", "compact_1"]
    assert (sample.table["bending_angle"][1:4] >= 20).all()
    low, high = sample.images.min(axis=(1, 2)), sample.images.max(axis=(1, 2))
    np.testing.assert_allclose(low, -1, atol=1e-5)
    np.testing.assert_allclose(high, 1, atol=1e-5)
    assert low.min() >= -1
    assert high.max() <= 1
    assert "simulated at 40 px" in sample.history[0]
    assert len(simulate(0, rng=np.random.default_rng(0))) == 0


def test_same_seed_same_sample_for_any_number_of_processors(monkeypatch):
    options = {"noise": 0.05, "observation": Observation(rms=0.02)}
    first, second = (simulate(20, 24, rng=np.random.default_rng(9), **options) for _ in range(2))
    np.testing.assert_array_equal(first.images, second.images)
    table = draw_parameters(300, rng=np.random.default_rng(10))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    one = render(table, noise=0.1, rng=np.random.default_rng(1))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    np.testing.assert_array_equal(render(table, noise=0.1, rng=np.random.default_rng(1)), one)
    assert not np.array_equal(one, render(table, noise=0.1, rng=np.random.default_rng(2)))


def test_draws_of_one_class_do_not_depend_on_the_others():
    alone = draw_parameters({"bent": 5}, rng=np.random.default_rng(11))
    among = draw_parameters({"FRI": 7, "bent": 5, "compact": 1}, rng=np.random.default_rng(11))
    np.testing.assert_array_equal(alone["lobe_distance"], among["lobe_distance"][7:12])


def test_order_of_rows_is_kept_and_out_is_filled(tmp_path):
    table = draw_parameters(4, rng=np.random.default_rng(12))
    order = np.random.default_rng(0).permutation(len(table))
    out = np.memmap(tmp_path / "images", dtype=np.float32, mode="w+", shape=(len(table), 56, 56))
    assert render(table[order], out=out) is out
    np.testing.assert_allclose(out, render(table)[order], atol=1e-6)


def test_uniform_noise_has_its_amplitude():
    parameters = only(core_amplitude=2.0)
    clean = render(parameters, scale=False)
    noise = (render(parameters, scale=False, noise=0.1, rng=np.random.default_rng(13)) - clean) / clean.max()
    assert stats.kstest(noise.ravel(), stats.uniform(0, 0.1).cdf).pvalue > 1e-3


def half_maximum(profile):
    """Return the full width at half maximum of a peaked profile, in pixels."""
    spline = lambda t: np.interp(t, np.arange(len(profile)), profile) - profile.max() / 2  # noqa: E731
    peak = int(profile.argmax())
    return optimize.brentq(spline, peak, len(profile) - 1) - optimize.brentq(spline, 0, peak)


@pytest.mark.parametrize(("size", "scale"), [(512, None), (270, None), (200, 0.25)])
def test_point_source_has_the_beam(size, scale):
    point = 0.05 * 270 / size  # far narrower than the beam
    parameters = only(core_amplitude=1.0, core_sigma=max(point, 0.5 * 56 / size), core_x=28 + 28 / size)
    image = render(parameters, size, observation=Observation(pixel_scale=scale), scale=False)[0]
    arcsec = 270 / size if scale is None else scale
    source_fwhm = 2.3548 * 0.5 * arcsec
    width = half_maximum(image[size // 2]) * arcsec
    assert np.sqrt(width**2 - source_fwhm**2) == pytest.approx(5.4, rel=0.01)


def test_beam_narrower_than_a_pixel_is_applied_exactly():
    # The beam adds to the variance of a round Gaussian: sigma² + beam².
    observation, sigma = Observation(), 1.5
    image = render(only(core_amplitude=1.0), 56, observation=observation, scale=False)[0]
    beam = 5.4 / (2 * np.sqrt(2 * np.log(2))) / (270 / 56)
    total = sigma**2 + beam**2
    x, y = grid(56)
    expected = sigma**2 / total * np.exp(-((x - 28) ** 2 + (y - 28) ** 2) / (2 * total))
    assert observation.beam_sigma(56) == pytest.approx(beam)
    np.testing.assert_allclose(image, expected, atol=1e-3)


def test_noise_has_its_rms_and_the_correlation_of_the_beam():
    parameters = {name: np.repeat(values, 100) for name, values in only(core_amplitude=1.0).items()}
    observation = Observation(rms=0.05)
    clean = render(parameters, observation=Observation(), scale=False)
    noisy = render(parameters, observation=observation, scale=False, rng=np.random.default_rng(14))
    noise = (noisy - clean) / clean.max()
    assert noise.std() == pytest.approx(0.05, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.001)
    beam = observation.beam_sigma(56)
    neighbours = (noise[:, :, 1:] * noise[:, :, :-1]).mean() / noise.var()
    assert neighbours == pytest.approx(np.exp(-1 / (4 * beam**2)), abs=0.02)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("core_x", np.nan), ("bending_angle", np.nan), ("lobe_amplitude_1", 0.0), ("lobe_amplitude_2", -0.1),
        ("halo_sigma", 0.0), ("core_amplitude", -1.0), ("lobe_distance", -1.0), ("bending_angle", 190.0),
        ("lobe_c1", np.inf),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value} in row 0"):
        render(source(**{name: value}))


def test_dark_compact_source_is_refused():
    with pytest.raises(ValueError, match="1 sources leave no light"):
        render(source(fr_type=0, axis_ratio=1.0, core_amplitude=0.0))


@pytest.mark.parametrize("options", [{}, {"observation": Observation()}])
def test_light_that_single_precision_cannot_scale_is_refused(options):
    # 2 divided by so small a range of brightness would be infinite, and the image NaN.
    faint = source(fr_type=0, axis_ratio=1.0, core_sigma=100.0, core_amplitude=2e-38)
    with pytest.raises(
        ValueError, match="1 sources leave no light on their image, or less than 1e-38, row 0"
    ):
        render(faint, **options)


def test_narrow_sources_between_coarse_pixels_are_seen_through_a_beam():
    # Rendered on a finer grid, of which few pixels are kept: none may show more than the wings of a source.
    n, size, sigma, observation = 200, 8, 0.2, Observation()
    rng = np.random.default_rng(0)
    table = {name: np.repeat(values, n) for name, values in source(fr_type=0, axis_ratio=1.0).items()}
    table |= {"core_x": rng.uniform(0, 56, n), "core_y": rng.uniform(0, 56, n)}
    table |= {"core_sigma": np.full(n, sigma), "core_amplitude": np.ones(n)}
    images = render(table, size, observation=observation)
    # Gaussian light, in float64, on the same finer grid.
    beam = observation.beam_sigma(size)
    fine = 2 * max(0, int(np.ceil((1 / beam - 1) / 2))) + 1
    x = (np.arange(size * fine) + 0.5) * 56 / size / fine
    profiles = [np.exp(-0.5 * ((x - table[name][:, None]) / sigma) ** 2) for name in ("core_x", "core_y")]
    kept = [
        ndimage.gaussian_filter1d(each, beam * fine, axis=1, mode="nearest")[:, fine // 2 :: fine]
        for each in profiles
    ]
    expected = kept[1][:, :, None] * kept[0][:, None]
    # What is fainter than single precision holds is left out.
    bright = expected.max(axis=(1, 2)) > 1e-30
    assert bright.sum() > n / 2
    np.testing.assert_allclose(images[bright], scale_images(expected[bright]), atol=1e-4)


def test_missing_column_and_fr_type_are_refused():
    parameters = source()
    del parameters["halo_sigma"]
    with pytest.raises(ValueError, match="lack halo_sigma"):
        render(parameters)
    with pytest.raises(ValueError, match="fr_type holds"):
        render(source(fr_type=3))


def test_source_outside_its_image_is_refused():
    with pytest.raises(ValueError, match="1 sources leave no light"):
        render(source(core_x=1e4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "size is 1"), ({"size": 56.0}, "size is 56.0"), ({"noise": -1}, "noise is -1"),
        ({"trajectory": "spiral"}, "unknown trajectory 'spiral'"),
        ({"out": np.empty((2, 56, 56), np.float32)}, "out is float32 of shape"),
        ({"out": np.empty((1, 56, 56))}, "out is float64"),
    ],
)  # fmt: skip
def test_bad_arguments_of_render_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        render(source(), **options)


@pytest.mark.parametrize("options", [{"noise": 0.1}, {"observation": Observation(rms=0.01)}])
def test_noise_needs_random_numbers(options):
    with pytest.raises(TypeError, match="give a generator of random numbers"):
        render(source(), **options)


@pytest.mark.parametrize(
    ("per_class", "message"),
    [
        (-1, "number of FRI images is -1"),
        (1.5, "FRI images is 1.5"),
        ({"FRI": 1, "FR3": 2}, "unknown class 'FR3'"),
        ({"FRI": 1, "bent": 3, "fri": 2}, "FRI, bent, fri: a class has two numbers"),
    ],
)
def test_bad_numbers_and_classes_are_refused(per_class, message):
    with pytest.raises(ValueError, match=message):
        simulate(per_class, rng=np.random.default_rng(0))


def test_bad_populations_are_refused():
    population = report_population()
    with pytest.raises(ValueError, match="unknown parameter 'lobe_angle' of FRI; allowed are core_x"):
        population.replace("FRI", lobe_angle=1.0)
    with pytest.raises(ValueError, match="unknown class 'FR0'"):
        population.replace("FR0", core_x=1.0)
    with pytest.raises(TypeError, match="core_x of compact is 'wide'"):
        population.replace("compact", core_x="wide")
    with pytest.raises(ValueError, match="population of bent lacks fr_type"):
        dataclasses.replace(population, bent={"bending_angle": 90.0})
    with pytest.raises(ValueError, match="values other than 1 and 2"):
        draw_parameters(1, population=population.replace("bent", fr_type=3), rng=np.random.default_rng(0))


def test_observed_images_are_prepared_as_real_ones():
    observation = Observation(rms=0.02)
    table = draw_parameters(3, rng=np.random.default_rng(15))
    seen = render(table, 150, observation=observation, rng=np.random.default_rng(16))
    raw = render(table, 150, observation=observation, rng=np.random.default_rng(16), scale=False)
    np.testing.assert_allclose(seen, scale_images(noise_threshold(raw)[0]), atol=1e-5)
    assert ((seen < -0.99999).mean(axis=(1, 2)) > 0.5).all()
    assert raw.min() < 0
    # Thresholded once, they are resized as published images are.
    ready = preprocess(Sample(seen, np.zeros(len(seen))), 56)
    assert "already clipped" in ready.history[0]


def test_noise_of_each_image_is_drawn_and_told():
    observation = Observation(rms=stats.loguniform(1e-3, 0.05))
    first, second = (simulate(20, observation=observation, rng=np.random.default_rng(17)) for _ in range(2))
    np.testing.assert_array_equal(first.images, second.images)
    assert first.table["rms"].min() < 0.005 < 0.02 < first.table["rms"].max()
    assert "rms loguniform(0.001, 0.05)" in first.history[0]
    raw = render(first.table, 150, observation=observation, rng=np.random.default_rng(18), scale=False)
    _, noise = measure_noise(raw)
    compact = np.asarray(first.table["class"]) == "compact"  # a source that fills the field adds to the noise
    np.testing.assert_allclose(
        (noise / raw.max(axis=(1, 2)))[compact], first.table["rms"][compact], rtol=0.25
    )
    with pytest.raises(ValueError, match="rms holds nan"):
        render(
            {**first.table, "rms": np.full(len(first), np.nan)},
            observation=observation,
            rng=np.random.default_rng(0),
        )


@pytest.mark.parametrize(
    "options",
    [
        {"beam_fwhm": 0},
        {"beam_fwhm": np.inf},
        {"rms": -0.1},
        {"rms": np.inf},
        {"rms": np.nan},
        {"pixel_scale": 0},
    ],
)
def test_bad_observations_are_refused(options):
    with pytest.raises(ValueError, match="must be positive"):
        Observation(**options)


@pytest.mark.parametrize(
    ("number", "size", "options", "message"),
    [
        (1, 56, {"observation": Observation(beam_fwhm=1e-3)}, "a wider beam"),
        (1, 10_000, {}, "fewer pixels"),
        (1, 10**8, {}, "fewer or smaller images"),
        (4 * 10**9, 56, {}, "ask for fewer sources"),
        (1, 56, {"noise": 1e39}, "a number from 0 to a million"),
    ],
)
def test_more_than_the_memory_holds_is_refused_at_once(number, size, options, message):
    with pytest.raises(ValueError, match=message):
        simulate({"FRII": number}, size, rng=np.random.default_rng(0), **options)


def test_amplitudes_that_single_precision_does_not_hold() -> None:
    table = simulation.draw_parameters(1, rng=np.random.default_rng(0))
    table["core_amplitude"] = 1e30
    with pytest.raises(ValueError, match=r"core_amplitude is .* give numbers from 0 to 1e\+29"):
        simulation.render(table)


def test_narrow_halos_leave_no_subnormal_numbers() -> None:
    """Arithmetic with them is tens of times slower."""
    table = draw_parameters({"FRI": 20, "FRII": 20}, rng=np.random.default_rng(0))
    for name in ("halo_sigma", "core_sigma", "lobe_sigma_across", "lobe_sigma_along"):
        table[name] = 1.0
    images = render(table, scale=False)
    assert not ((images > 0) & (images < np.finfo(np.float32).tiny)).any()
    assert images.max(axis=(1, 2)).min() > 0.01


def test_an_array_of_another_layout_and_a_source_between_the_pixels() -> None:
    table = simulation.draw_parameters({"compact": 2}, rng=np.random.default_rng(0))
    for out in (
        np.empty((56, 56, 2), np.float32).T,
        np.empty((4, 56, 56), np.float32)[::2],
        np.broadcast_to(np.float32(0), (2, 56, 56)),
    ):
        with pytest.raises(ValueError, match="in C order and writable"):
            simulation.render(table, out=out)
    table["core_sigma"] = 1e-12
    with pytest.raises(ValueError, match=r"leave no light"):
        simulation.render(table)


@pytest.mark.parametrize("rng", [None, 1])
def test_random_numbers_come_from_a_generator(rng: object) -> None:
    with pytest.raises(TypeError, match="give a generator of random numbers"):
        simulation.simulate(1, rng=rng)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="give a generator of random numbers"):
        simulation.draw_parameters(1, rng=rng)  # type: ignore[arg-type]
