"""What a classifier trains on: augmented real images, and synthetic ones of any kind.

A part of a training set draws labelled images, given the sources that may be learned from. Here are real
images, simulated ones and those of trained generators; any object with such a method ``draw`` is a part, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from radiosynth import simulation
from radiosynth._io import PathLike, check
from radiosynth.augmentation import augment
from radiosynth.preprocessing import resize, scale
from radiosynth.sample import Sample, check_count, check_rng, concatenate
from radiosynth.simulation import Observation, Population
from radiosynth.taxonomy import CLASS_NAMES

if TYPE_CHECKING:
    from radiosynth.generators import GeneratorRun


class Part(Protocol):
    """Anything that draws images for a training set."""

    def draw(self, sources: Sample, rng: np.random.Generator) -> Sample:
        """Draw the images.

        Parameters
        ----------
        sources : Sample
            Prepared images of the sources that may be learned from, not augmented.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Sample
            Labelled images in [-1, 1], of the size of the sources.
        """


@dataclass(frozen=True)
class Real:
    """The sources themselves, with rotated and flipped images of them.

    Parameters
    ----------
    per_class : int
        Images of each class, as `radiosynth.augment` fills them up.
    """

    per_class: int

    def draw(self, sources: Sample, rng: np.random.Generator) -> Sample:
        """Return the augmented sources; see `Part`."""
        return augment(sources, self.per_class, "ordered")


@dataclass(frozen=True)
class Geometric:
    """Simulated sources, which know nothing of the real ones.

    Parameters
    ----------
    per_class : int
        Images of each class.
    population : Population, optional
        What the parameters are drawn from; the report's population if not given.
    observation : Observation, optional
        Telescope that sees the sources, in its own pixels (those of FIRST if it does not say), before the
        images are resized as real ones are. Without it images are rendered at their final size, without beam
        or noise, as in the report.
    """

    per_class: int
    population: Population | None = None
    observation: Observation | None = None

    def draw(self, sources: Sample, rng: np.random.Generator) -> Sample:
        """Return simulated images; see `Part`."""
        how: dict[str, Any] = {"population": self.population, "observation": self.observation, "rng": rng}
        if self.observation is None:
            return simulation.simulate(self.per_class, sources.size, **how)
        edge, size = self.observation.edge, sources.size
        # One class after the other: images as observed are several times as large.
        seen = (simulation.simulate({name: self.per_class}, edge, **how) for name in CLASS_NAMES)
        step = f"resize: {edge} to {size} px"
        return concatenate([each.derived(scale(resize(each.images, size)), step) for each in seen])


@dataclass(frozen=True)
class Fitted:
    """Simulated sources of a population that is fitted to the real ones.

    Parameters
    ----------
    per_class : int
        Images of each class.
    observation : Observation, optional
        As in `Geometric`, in the fit too.
    trials : int
        Sources of each class that the fit simulates (`radiosynth.fit_population`).
    """

    per_class: int
    observation: Observation | None = None
    trials: int = 1000

    def draw(self, sources: Sample, rng: np.random.Generator) -> Sample:
        """Return images simulated after a fit to the sources; see `Part`."""
        seen, (fitting, drawing) = self.observation, rng.spawn(2)
        found = simulation.fit_population(sources, per_class=self.trials, observation=seen, rng=fitting)
        return Geometric(self.per_class, found, seen).draw(sources, drawing)


@dataclass(frozen=True)
class Generated:
    """Images of trained generators: one for each class, or one conditional network for all.

    Parameters
    ----------
    per_class : int
        Images of each class.
    generators : sequence of path-like, GeneratorRun or Run
        What `radiosynth.train_generator` or `radiosynth.run` returned, or the folders that they wrote. They
        must not have been trained on sources that the classifier is tested on.
    """

    per_class: int
    generators: Sequence[PathLike | GeneratorRun]

    def draw(self, sources: Sample, rng: np.random.Generator) -> Sample:
        """Return images of the generators; see `Part`."""
        from radiosynth.generators import sample_generators

        folders: list[Any] = [getattr(each, "folder", each) for each in self.generators]
        return sample_generators(folders, self.per_class, rng=rng)


@dataclass(frozen=True)
class TrainingSet:
    """The images that a classifier trains on, by the parts that they come from.

    Parameters
    ----------
    parts : sequence of Part
        Such as `Real`, `Geometric`, `Fitted` and `Generated` of ``radiosynth.training_sets``; one at least.

    Examples
    --------
    >>> import numpy as np
    >>> import radiosynth
    >>> from radiosynth.training_sets import Geometric, Real
    >>> rng = np.random.default_rng(0)
    >>> sources = radiosynth.simulate(5, 24, rng=rng)  # in place of real ones
    >>> radiosynth.TrainingSet([Real(20), Geometric(10)]).draw(sources, rng=rng)
    Sample(120 images of 24×24: FRI 30, FRII 30, bent 30, compact 30)
    """

    parts: Sequence[Part]

    def __post_init__(self) -> None:
        fault = "a training set of no parts: give one at least, such as radiosynth.training_sets.Real(1000)"
        check(self.parts, fault)
        for part in self.parts:
            check_count(getattr(part, "per_class", 1), f"per_class of {type(part).__name__}", 1)

    def draw(self, sources: Sample, *, rng: np.random.Generator) -> Sample:
        """Return the images of all parts, in their order.

        Parameters
        ----------
        sources : Sample
            Prepared images of the sources that may be learned from, not augmented. What the classifier is
            tested on must not be among them.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Sample
            Labelled images in [-1, 1].
        """
        check_rng(rng)
        drawn = [part.draw(sources, rng) for part in self.parts]
        return drawn[0] if len(drawn) == 1 else concatenate(drawn)
