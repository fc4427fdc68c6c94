"""Populations fitted to real images: what to draw, so that simulated sources measure as real ones do.

The report set the distributions of its simulation by hand. Here they are found from the images that a
network may learn from, class by class: simulate from wide distributions, measure simulated and real images
alike, find for each real source the simulated ones that are most like it, and draw the next round from
the parameters of these.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial import cKDTree

from radiosynth._io import check
from radiosynth.measurements import measure
from radiosynth.preprocessing import resize, scale
from radiosynth.sample import Sample, check_count
from radiosynth.simulation.observe import Observation
from radiosynth.simulation.population import Distribution, Population, draw_parameters, wide_population
from radiosynth.simulation.rendering import render
from radiosynth.surveys import FIRST
from radiosynth.taxonomy import CLASS_NAMES

NEIGHBOURS = 5
"""Simulated sources that stand for each real one."""


STEPS = 16
"""Steps of a fitted distribution, as probable as each other at the start."""


WIDE = 0.02
"""Proportion of each round that is still drawn from the wide distributions, so that nothing is lost."""


NOISE = stats.loguniform(3e-4, 0.2)
"""Noise in units of the peak, with which a fit begins: peaks of 3000 to 5 sigma."""


LEAST = 5
"""Fewest real sources that a class is fitted to."""


def mismatch(real: Sample, fakes: Iterable[Sample]) -> list[float]:
    """Return how far simulated sources measure from real ones, in one number for each set.

    Parameters
    ----------
    real : Sample
        Labelled images that span the report's 4.5 arcmin.
    fakes : iterable of Sample
        Sets that are compared with it.

    Returns
    -------
    list of float
        Largest difference of the cumulative distributions (Kolmogorov and Smirnov's), from 0 to 1: the mean
        over the classes and the columns of `measure` with five values or more on both sides; NaN if none.
    """
    truth, found = measure(real.images, pixel_scale=FIRST.scale(real.size)), []
    for fake in fakes:
        made, gaps = measure(fake.images, pixel_scale=FIRST.scale(fake.size)), []
        for code, name in itertools.product(np.unique(real.labels), truth.colnames):
            pairs = (truth[name][real.labels == code], made[name][fake.labels == code])
            first, second = (column.value[np.isfinite(column)] for column in pairs)
            if min(len(first), len(second)) >= LEAST:
                gaps.append(stats.ks_2samp(first, second, method="asymp").statistic)
        found.append(float(np.mean(gaps)) if gaps else np.nan)
    return found


def fit_population(
    real: Sample,
    *,
    per_class: int = 1000,
    rounds: int = 6,
    observation: Observation | None = None,
    rng: np.random.Generator,
) -> Population:
    """Fit the distributions of the geometric simulation to real images.

    Parameters
    ----------
    real : Sample
        Prepared images with labels, before augmentation; only those that may be learned from. They span
        the report's 4.5 arcmin.
    per_class : int
        Sources of each class that are simulated in each round.
    rounds : int
        How often to simulate.
    observation : Observation, optional
        Telescope that the real images come from. With it, the distributions are those of the sources before
        they were observed, and of their noise: ``rms``, in units of the peak. Without it, the fitted
        sources are as wide as the beam leaves them.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    Population
        Fitted distributions for `radiosynth.simulate`; those of a class without real images are the
        wide ones.

    Raises
    ------
    ValueError
        If a class has one to four real images, no image has a label, or a number is too small.

    Notes
    -----
    Each round is a step of expectation-maximisation: the distribution of a parameter becomes the mean, over
    the real sources, of what is probable for each of them given the distributions so far. Which values are
    probable is found without a likelihood, from the simulated sources nearest in what `measure` gives. The
    parameters stay independent of each other.
    """
    check_count(per_class, "per_class", 2 * NEIGHBOURS)
    check_count(rounds, "rounds", 1)
    counts = {name: n for name, n in real.counts().items() if n}
    fault = f"{real} has too little to fit to: give {LEAST} labelled images or more of each class in it"
    check(counts and min(counts.values()) >= LEAST, fault)
    wide = fitted = wide_population()
    if observation is not None:
        for name in CLASS_NAMES:
            wide = fitted = wide.replace(name, rms=NOISE)
    # Expectation-maximisation, class by class; see the notes.
    for name in counts:
        truth = _coordinates(real.of_class(name).images, observation)
        unit = truth.std(axis=0) + 0.1  # of a feature that does not vary, small differences count little
        for _ in range(rounds):
            table = draw_parameters({name: per_class}, population=fitted, rng=rng)
            made = _coordinates(observed_images(table, real.size, observation, rng=rng), observation)
            nearest = cKDTree(made / unit).query(truth / unit, NEIGHBOURS)[1]
            fitted = fitted.replace(name, **_distributions(table[nearest.ravel()], getattr(wide, name)))
    return fitted


def observed_images(
    parameters: Table, size: int, observation: Observation | None, *, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Render sources as a telescope sees them, in its own pixels, and prepare them as its images are.

    Parameters
    ----------
    parameters : ~astropy.table.Table
        As for `radiosynth.render`.
    size : int
        Edge of the images in pixels.
    observation : Observation or None
        Telescope, with FIRST's pixels if it does not say otherwise; None for images as in the report.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        Images in [-1, 1].
    """
    if observation is None:
        return render(parameters, size)
    return scale(resize(render(parameters, observation.edge, observation=observation, rng=rng), size))


def _coordinates(images: NDArray[np.float32], observation: Observation | None) -> NDArray[np.float64]:
    """Return features in which a distance between images makes sense, shape (n, features)."""
    table = measure(images, pixel_scale=FIRST.scale(images.shape[1]))
    # Sizes differ by factors, not by arcseconds.
    for name in ("angular_size", "components", "area", "offset"):
        table[name] = np.log(np.maximum(table[name].value, 1))
    # Half of the sources have no bending angle that could be measured; few components tell them apart.
    table["bending_angle"] = np.radians(np.nan_to_num(table["bending_angle"].value))
    if observation is not None:  # what stands out of the noise, and how much of it barely does
        height = (images - images.min(axis=(1, 2), keepdims=True)) / 2
        seen, faint = (height > 1e-3).mean(axis=(1, 2)), ((height > 1e-3) & (height < 0.03)).mean(axis=(1, 2))
        table["seen"], table["faint"] = np.log(seen + 1e-3), np.log(faint + 1e-3)
    return np.column_stack([column.value for column in table.itercols()])


def _distributions(drawn: Table, wide: dict[str, Any]) -> dict[str, Distribution]:
    """Return the distributions of the parameters of chosen sources, where they vary."""
    drawn["lobe_c2_over_c1"] = drawn["lobe_c2"] / drawn["lobe_c1"]
    drawn["lobe_amplitude_difference"] = drawn["lobe_amplitude_2"] - drawn["lobe_amplitude_1"]
    found: dict[str, Distribution] = {}
    for key, before in wide.items():
        if key == "fr_type":
            first = WIDE / 2 + (1 - WIDE) * np.mean(drawn[key] == 1)
            found[key] = stats.rv_discrete(values=([1, 2], [first, 1 - first]))
        elif not isinstance(before, float) and key != "position_angle":  # the sky has no direction
            # A histogram whose steps are as probable as each other at the start.
            edges = before.ppf(np.linspace(0, 1, STEPS + 1))
            counts, _ = np.histogram(np.clip(drawn[key], edges[0], edges[-1]), edges)
            heights = WIDE / STEPS + (1 - WIDE) * counts / counts.sum()
            found[key] = stats.rv_histogram((heights, edges), density=False)
    return found
