"""Bending angles: geometry against astropy, losses against numpy, learning, runs, and what is refused."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.wcs import WCS
from scipy import stats
from scipy.ndimage import center_of_mass

from radiosynth import (
    _io,
    bending,
    build_regressor,
    datasets,
    metrics,
    predict_angles,
    simulation,
    train_regressor,
)
from radiosynth.bending import RegressorSettings, matched_population
from radiosynth.measurements import bending_angle, measure_angles
from radiosynth.reproduction import configs, presets, recipes, runs, samples
from radiosynth.sample import Sample


def test_the_angle_agrees_with_positions_on_the_sky() -> None:
    rng = np.random.default_rng(0)
    host = SkyCoord(150 * u.deg, 20 * u.deg)
    angles = rng.uniform(0, 360, (2, 50))
    lobes = [host.directional_offset_by(each * u.deg, 20 * u.arcsec) for each in angles]
    first, second = (host.position_angle(lobe).deg for lobe in lobes)
    # The law of cosines, from separations alone.
    base = lobes[0].separation(lobes[1]).arcsec
    expected = 180 - np.degrees(np.arccos(1 - base**2 / (2 * 20**2)))
    np.testing.assert_allclose(bending_angle(first, second), expected, atol=1e-3)
    np.testing.assert_allclose(bending_angle(second + 360, first - 720), expected, atol=1e-3)


def test_images_are_moved_to_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    host = SkyCoord(150 * u.deg, 40 * u.deg)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crpix, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [75.5] * 2, [-0.0005, 0.0005]
    wcs.wcs.crval = [150.003, 40.001]  # north-east of the host
    x, y = wcs.world_to_pixel(host)
    rows, columns = np.mgrid[:150, :150]
    spot = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8)
    stored = {"key": ["a"], "ra": np.array([150.003]), "dec": np.array([40.001]), "label": np.array([1])}
    table = Table({"griese_key": ["a"], "name": ["J"], "ra": [150.0], "dec": [40.0], "bending_angle": [5.0]})
    monkeypatch.setattr(datasets, "_first_images", lambda *_: (spot[None], stored))
    monkeypatch.setattr(datasets, "_packaged_table", lambda name: table)
    sample = datasets.load_bending_sample()
    assert abs(x - 74.5) > 4
    np.testing.assert_allclose(center_of_mass(sample.images[0]), 74.5, atol=0.02)
    part = datasets.load_bending_sample(size=60)
    np.testing.assert_array_equal(part.images, sample.images[:, 45:105, 45:105])


@pytest.mark.skipif(not (_io.cache_folder() / "first_galaxies.npz").exists(), reason="no images here")
def test_the_real_sample() -> None:
    sample = datasets.load_bending_sample(size=70)
    assert sample.counts() == {"FRI": 25, "FRII": 155, "bent": 15, "compact": 0}
    assert len(set(sample.table["griese_key"])) == 195
    assert np.median(sample.table["bending_angle"]) == pytest.approx(6.8)
    assert str(sample.table["bending_angle"].unit) == "deg"
    # What two peaks say, seen from the centre, is what the catalogue says: the host is at the centre.
    error = np.abs(measure_angles(sample.images) - sample.table["bending_angle"])
    assert np.nanmedian(error) < 2


def simulated(n: int, size: int = 32, seed: int = 0) -> Sample:
    population = matched_population(np.random.default_rng(1).gamma(0.9, 14, 500))
    rng = np.random.default_rng(seed)
    return simulation.simulate({"FRII": n}, size, population=population, rng=rng)


def test_peaks_give_the_angle_that_was_simulated() -> None:
    population = matched_population([1, 20]).replace("FRII", lobe_distance=18.0, core_amplitude=0.3)
    fake = simulation.simulate({"FRII": 40}, 56, population=population, rng=np.random.default_rng(0))
    error = np.abs(measure_angles(fake.images) - fake.table["bending_angle"])
    assert np.nanmedian(error) < 1.5
    assert np.isnan(measure_angles(np.zeros((1, 33, 33)))).all()


def test_the_matched_population_has_the_median_of_the_angles() -> None:
    angles = np.random.default_rng(1).beta(0.6, 4, 4000) * 180
    population = matched_population(angles)
    fake = simulation.draw_parameters({"FRI": 4000}, population=population, rng=np.random.default_rng(0))
    assert np.median(fake["bending_angle"]) == pytest.approx(np.median(angles), rel=0.15)
    assert (fake["core_x"] == 28).all()


def test_outputs_and_losses_against_numpy() -> None:
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 360, (20, 2)).astype(np.float32)
    bend = bending_angle(*angles.T).astype(np.float32)
    lengths = rng.uniform(0.5, 2, (20, 2, 1))
    jets = np.stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))], axis=2)
    output = (jets * lengths).reshape(20, 4).astype(np.float32)
    truth = np.column_stack([bend, angles]).astype(np.float32)
    np.testing.assert_allclose(bending.mae(truth, output), 0, atol=1e-3)
    swapped = output[:, [2, 3, 0, 1]]
    expected = np.square(lengths - 1).sum(axis=(1, 2))
    for each in (output, swapped):
        np.testing.assert_allclose(bending.LOSSES["jets"](truth, each), expected, atol=1e-4)
    # Of a real image only the bend is known, and the lengths do not matter.
    truth[:, 1:] = np.nan
    np.testing.assert_allclose(bending.LOSSES["jets"](truth, output), 0, atol=1e-6)
    said = np.column_stack([rng.uniform(0, 180, 20), rng.uniform(1, 30, 20)]).astype(np.float32)
    likelihood = -stats.laplace.logpdf(bend, loc=said[:, 0], scale=said[:, 1])
    np.testing.assert_allclose(bending.LOSSES["spread"](truth, said), likelihood, rtol=1e-4)


@pytest.mark.parametrize("output", ["bounded", "spread"])
def test_confined_outputs_stay_in_range(output: str) -> None:
    model = build_regressor(16, 0.1, output=output, seed=0)
    head = model.get_layer("head")
    head.kernel.assign(1e3 * head.kernel)
    images = np.random.default_rng(0).uniform(-1, 1, (50, 16, 16))
    table = predict_angles(model, images, n_rotations=3)
    assert table["bending_angle"].min() >= 0
    assert table["bending_angle"].max() <= 180
    if output == "spread":
        assert table["spread"].min() >= 0.5


@pytest.mark.parametrize("output", ["bounded", "jets"])
def test_it_learns_and_beats_the_constant_baseline(tmp_path: Path, output: str) -> None:
    easy = {"position_angle": 0.0, "core_x": 28.0, "core_y": 28.0, "lobe_distance": 14.0}
    population = simulation.report_population()
    population = population.replace("FRII", bending_angle=stats.uniform(0, 150), **easy)
    fake = simulation.simulate({"FRII": 1200}, 24, population=population, rng=np.random.default_rng(0))
    train, test = fake[:1000], fake[1000:]
    settings = RegressorSettings(epochs=6, width_multiplier=0.25, batch_size=32, output=output)
    model, history = train_regressor(train, test, settings, folder=tmp_path)
    table = predict_angles(model, test.images)
    truth = np.asarray(test.table["bending_angle"])
    baseline = np.abs(truth - np.median(train.table["bending_angle"])).mean()
    assert history["val_mae"][-1] == pytest.approx(np.abs(table["bending_angle"] - truth).mean(), rel=1e-5)
    assert history["val_mae"][-1] < 0.8 * baseline
    assert history["mse"][-1] < history["mse"][0]
    if output == "jets":
        position = np.asarray(test.table["position_angle"])
        nearest = np.minimum(*(180 - bending_angle(position, table[f"position_angle_{i}"]) for i in (1, 2)))
        assert np.median(nearest) < 20, "90 is chance"


def test_a_start_is_used(tmp_path: Path) -> None:
    sample = simulated(8, 16)
    start = build_regressor(16, 0.1, seed=9)
    settings = RegressorSettings(epochs=1, width_multiplier=0.1, learning_rate=1e-12)
    model, _ = train_regressor(sample, sample, settings, folder=tmp_path, start=start)
    one, other = (predict_angles(each, sample.images)["bending_angle"] for each in (model, start))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_scores() -> None:
    truth = np.array([0, 10, 20, 90.0])
    scores = metrics.angle_scores(truth, truth + np.array([0, 5, -20, 11]), np.full(4, 10.0))
    assert scores["mae"] == pytest.approx(9)
    assert scores["within"] == 0.5
    assert scores["rmse"] == pytest.approx(np.sqrt((25 + 400 + 121) / 4))
    assert scores["gain"] == pytest.approx(25 - 9)
    assert scores["gain_low"] < scores["gain"] < scores["gain_high"]


def real_sources() -> Sample:
    sample = simulated(60, 100)
    sample.table.remove_column("position_angle")
    return sample


TINY = {"images": 60, "synthetic": 40, "epochs": 1, "size": 16, "width": 0.1, "crop": 100, "folds": 2}


def test_runs_hold_out_every_source_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(tmp_path))
    monkeypatch.setattr(datasets, "load_bending_sample", real_sources)
    folds = presets.bending_conditions("smoke", **TINY)["with spread"]
    made, table = recipes.cross_validate(folds)
    assert sorted(table["name"]) == sorted(real_sources().table["name"])
    assert np.isfinite(table["spread"]).all()
    # One network on simulations is the start of all folds.
    assert len(runs.saved_runs()) >= 3
    assert runs.find_run(folds[0].requires[0].name).loaded
    train, test = samples.prepare_bending(folds[0])
    assert not set(train.table["name"]) & set(test.table["name"])
    again = predict_angles(made[0].model(), test.images, n_rotations=8)["bending_angle"]
    recorded = made[0].predictions
    np.testing.assert_allclose(recorded["bending_angle"], again, atol=0.5)  # half precision
    mixed, _ = samples.prepare_bending(
        configs.BendingConfig.of(**{**TINY, "training_set": "synthetic+real", "synthetic": 30})
    )
    assert len(mixed) == 90


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"training_set": "gan"}, "choose from synthetic, real"),
        ({"population": "own"}, "choose from report, matched"),
        ({"training_set": "synthetic"}, "folds=0"),
        ({"fold": 5}, "fold 5 of 5"),
    ],
)
def test_impossible_configurations(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        configs.BendingConfig(**wrong)  # type: ignore[arg-type]


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="linear, bounded, spread, jets"):
        build_regressor(output="median")
    with pytest.raises(ValueError, match="unknown output"):
        RegressorSettings(output="median")
    with pytest.raises(ValueError, match="report, residual"):
        build_regressor(architecture="deep")
    with pytest.raises(ValueError, match="give some that differ"):
        matched_population([3, 3])
    with pytest.raises(ValueError, match="give some that differ"):
        matched_population([3, 190])
    with pytest.raises(ValueError, match="n_rotations=0"):
        predict_angles(build_regressor(16, 0.1), np.zeros((1, 16, 16)), n_rotations=0)
    with pytest.raises(ValueError, match="give one of each"):
        metrics.angle_scores([1, 2], [1])
    no_angles = Sample(np.zeros((2, 16, 16)), [0, 1])
    with pytest.raises(ValueError, match="2 without a bending angle"):
        train_regressor(no_angles, no_angles, folder=tmp_path)
    with pytest.raises(ValueError, match="resize one"):
        train_regressor(simulated(2, 16), simulated(2, 24), folder=tmp_path)
    wrong = simulated(2, 16)
    wrong.images[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="validation images range from nan"):
        train_regressor(simulated(2, 16), wrong, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_residual_regressor_has_the_same_head() -> None:
    model = build_regressor(24, 0.1, output="jets", architecture="residual", seed=0)
    assert model(keras.ops.zeros((2, 24, 24, 1))).shape == (2, 4)
