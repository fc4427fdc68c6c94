"""Fitted populations: they move what is measured towards the real images, and plug in where others do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from radiosynth import measurements, simulation, surveys
from radiosynth.sample import Sample
from radiosynth.simulation import fit


@pytest.fixture(scope="module")
def small_sources() -> Sample:
    """Simulate a sky of small straight FR II and slightly resolved compact sources."""
    sky = (
        simulation.report_population()
        .replace("FRII", lobe_distance=stats.uniform(4, 1), lobe_sigma_across=0.7, lobe_sigma_along=0.8)
        .replace("FRII", halo_amplitude=0.0, core_amplitude=0.1, core_x=28.0, core_y=28.0)
        .replace("compact", core_sigma=1.4, axis_ratio=0.9, core_x=28.0, core_y=28.0)
    )
    return simulation.simulate({"FRII": 60, "compact": 60}, 56, population=sky, rng=np.random.default_rng(3))


@pytest.fixture(scope="module")
def fitted(small_sources: Sample) -> simulation.Population:
    return simulation.fit_population(small_sources, per_class=400, rounds=4, rng=np.random.default_rng(1))


def test_what_is_measured_moves_to_the_real_images(
    small_sources: Sample, fitted: simulation.Population
) -> None:
    samples = {"real": small_sources}
    for name, population in (("report", None), ("fitted", fitted)):
        samples[name] = simulation.simulate(
            {"FRII": 200, "compact": 200}, 56, population=population, rng=np.random.default_rng(2)
        )
    scale = surveys.FIRST.scale(56)
    tables = {k: measurements.measure(s.images, pixel_scale=scale) for k, s in samples.items()}
    for measure in ("angular_size", "area", "edge_brightening"):
        for code in (1, 3):
            real, before, after = (
                np.nanmedian(tables[k][measure].value[samples[k].labels == code]) for k in samples
            )
            assert abs(after - real) <= max(0.6 * abs(before - real), 0.12 * real), (measure, code)
    before, after, same = simulation.mismatch(
        small_sources, (samples["report"], samples["fitted"], small_sources)
    )
    assert after < before - 0.05
    assert same == 0


def test_a_parameter_that_the_images_tell_is_found(fitted: simulation.Population) -> None:
    rng = np.random.default_rng(0)
    distance = fitted.FRII["lobe_distance"].rvs(size=2000, random_state=rng)  # type: ignore[union-attr]
    assert 3.5 < np.median(distance) < 5.5  # 4 to 5; the fit began with a median of 3
    assert np.std(np.log(distance)) < 0.6 * np.std(
        np.log(stats.loguniform(0.5, 18).rvs(2000, random_state=1))
    )
    # FR I was not there to be fitted, and no direction of the sky is better than others.
    assert fitted.FRI.keys() == fitted.FRII.keys()
    assert not hasattr(fitted.FRI["lobe_distance"], "_histogram")
    assert fitted.FRII["position_angle"].rvs(size=4000, random_state=rng).mean() == pytest.approx(180, abs=8)  # type: ignore[union-attr]


def test_the_same_seed_gives_the_same_population(small_sources: Sample) -> None:
    def draw(seed: int) -> np.ndarray:
        population = simulation.fit_population(
            small_sources, per_class=50, rounds=1, rng=np.random.default_rng(seed)
        )
        return simulation.simulate(5, 16, population=population, rng=np.random.default_rng(0)).images

    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


@pytest.mark.parametrize("pixel_scale", [0.9, 1.5, 3.0])
def test_the_beam_of_a_fit_is_as_wide_in_any_pixels(pixel_scale: float) -> None:
    point = {"core_x": 28.0, "core_y": 28.0, "core_sigma": 0.3, "axis_ratio": 1.0}
    sky = simulation.report_population().replace("compact", **point)
    table = simulation.draw_parameters({"compact": 1}, population=sky, rng=np.random.default_rng(0))
    area, wanted = (
        measurements.measure(
            fit.observed_images(table, 150, observation, rng=np.random.default_rng(0)), pixel_scale=1.8
        )["area"][0]
        for observation in (simulation.Observation(pixel_scale=pixel_scale), simulation.Observation())
    )
    assert area == pytest.approx(wanted, rel=0.2)


def test_what_cannot_be_fitted_is_refused() -> None:
    few = simulation.simulate({"FRI": 4, "bent": 20}, 24, rng=np.random.default_rng(0))
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="5 labelled images or more of each class"):
        simulation.fit_population(few, rng=rng)
    with pytest.raises(ValueError, match="per_class is 5; give a whole number from 10"):
        simulation.fit_population(few.of_class("bent"), per_class=5, rounds=3, rng=rng)
    with pytest.raises(ValueError, match="rounds is 0"):
        simulation.fit_population(few.of_class("bent"), rounds=0, rng=rng)
