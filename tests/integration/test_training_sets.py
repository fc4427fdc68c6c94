"""Training sets: each part draws what it says, and the how-to draws figure 12 with its own population."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import radiosynth
from radiosynth import generators, simulation
from radiosynth.training_sets import Fitted, Generated, Geometric, Real

SOURCES = simulation.simulate(12, 24, rng=np.random.default_rng(0))
TAILS = simulation.report_population().replace("bent", bending_angle=90.0)


def draw(*parts: object, seed: int = 1) -> radiosynth.Sample:
    return radiosynth.TrainingSet(parts).draw(SOURCES, rng=np.random.default_rng(seed))  # type: ignore[arg-type]


def test_real_images_come_first_and_simulations_are_those_of_the_population() -> None:
    train = draw(Real(20), Geometric(5, TAILS))
    assert train.counts() == dict.fromkeys(radiosynth.CLASS_NAMES, 25)
    np.testing.assert_array_equal(train.images[:80], radiosynth.augment(SOURCES, 20).images)
    fake = simulation.simulate(5, 24, population=TAILS, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(train.images[80:], fake.images)
    angles = np.asarray(train.table["bending_angle"][80:])[train.labels[80:] == 2]
    assert (angles == 90).all()


def test_an_observation_sets_beam_noise_and_threshold() -> None:
    telescope = radiosynth.Observation(rms=0.02)
    seen, clean = (draw(Geometric(6, None, asked)).images for asked in (telescope, None))
    assert seen.shape == clean.shape == (24, 24, 24)
    np.testing.assert_allclose(
        [seen.min(axis=(1, 2)), seen.max(axis=(1, 2))], [[-1] * 24, [1] * 24], atol=1e-5
    )
    assert (seen == -1).mean() > (clean == -1).mean()  # the background lies below the threshold
    assert not np.array_equal(seen, draw(Geometric(6, None, radiosynth.Observation(45.0, 0.02))).images)


def test_a_population_is_fitted_to_the_sources_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[radiosynth.Sample, dict]] = []

    def fit(real: radiosynth.Sample, **options: object) -> simulation.Population:
        asked.append((real, options))
        return TAILS

    monkeypatch.setattr(simulation, "fit_population", fit)
    train = draw(Fitted(4, trials=50))
    assert asked[0][0] is SOURCES
    assert asked[0][1]["per_class"] == 50
    assert (np.asarray(train.table["bending_angle"])[train.labels == 2] == 90).all()


def test_a_generator_is_given_by_its_folder_or_its_run(tmp_path: Path) -> None:
    settings = radiosynth.GANSettings(
        size=24, width_multiplier=0.05, latent_dim=8, epochs=1, batch_size=16, conditional=4
    )
    names = radiosynth.CLASS_NAMES
    run = radiosynth.train_generator(
        SOURCES.images, settings, tmp_path / "gan", labels=SOURCES.labels, class_names=names
    )
    drawn = [
        draw(Generated(3, [given])) for given in (run, str(run.folder), SimpleNamespace(folder=run.folder))
    ]
    assert drawn[0].counts() == dict.fromkeys(names, 3)
    for other in drawn[1:]:
        np.testing.assert_array_equal(drawn[0].images, other.images)
    expected = generators.sample_generators([run.folder], 3, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(drawn[0].images, expected.images)


def test_any_object_that_draws_is_a_part() -> None:
    class Mine:
        def draw(self, sources: radiosynth.Sample, rng: np.random.Generator) -> radiosynth.Sample:
            return sources[:2]

    assert len(draw(Real(20), Mine())) == 82


def test_what_is_no_training_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no parts: give one at least, such as .*Real"):
        radiosynth.TrainingSet([])
    with pytest.raises(ValueError, match="per_class of Geometric is 0; give a whole number from 1"):
        radiosynth.TrainingSet([Geometric(0)])
    with pytest.raises(TypeError, match="rng is 7"):
        radiosynth.TrainingSet([Real(20)]).draw(SOURCES, rng=7)  # type: ignore[arg-type]
