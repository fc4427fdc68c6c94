"""Populations: distributions of the parameters of sources, and how they are drawn."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Protocol

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray
from scipy import stats

from radiosynth._io import check, refuse_beyond_memory
from radiosynth.sample import check_rng, numbers_by_code
from radiosynth.simulation.gaussians import COLUMNS, COMPACT
from radiosynth.taxonomy import CLASS_NAMES, class_code


class Distribution(Protocol):
    """What a population is made of; frozen distributions of `scipy.stats` are such."""

    def rvs(self, size: int, random_state: np.random.Generator) -> Any:
        """Return `size` random values."""


EXTENDED = (
    "core_x", "core_y", "core_sigma", "core_amplitude", "position_angle", "bending_angle", "lobe_distance",
    "lobe_sigma_across", "lobe_sigma_along", "lobe_c1", "lobe_c2_over_c1", "lobe_amplitude",
    "lobe_amplitude_difference", "halo_sigma", "halo_amplitude",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Population:
    """Named distributions from which the parameters of each class are drawn.

    A distribution is anything with ``rvs(size=, random_state=)``, such as a frozen distribution of
    `scipy.stats`, or a number for a parameter that does not vary. `report_population` gives the
    report's; its `replace` changes single distributions.

    Parameters
    ----------
    FRI, FRII : mapping of str to distribution
        ``core_x``, ``core_y`` (position of the core), ``core_sigma``, ``core_amplitude``,
        ``position_angle`` (of the first lobe), ``bending_angle`` (0 = straight), ``lobe_distance``
        (from the core), ``lobe_sigma_across`` and ``lobe_sigma_along`` (the jet), ``lobe_c1`` and
        ``lobe_c2_over_c1`` (factors on the width along the jet: c1 on the short side, c2 on the long
        one), ``lobe_amplitude`` (of the first lobe), ``lobe_amplitude_difference`` (second minus
        first), ``halo_sigma`` and ``halo_amplitude`` (of the halos of both lobes).
    bent : mapping of str to distribution
        ``fr_type`` (1 or 2) and ``bending_angle``. All else is drawn as for that FR type, unless it
        is given here too.
    compact : mapping of str to distribution
        ``core_x``, ``core_y``, ``core_sigma`` (along the longer axis), ``core_amplitude``,
        ``axis_ratio`` (short over long axis), ``position_angle`` (of the longer axis).
        Each class may also have ``rms``: the noise of an `Observation`, in units of the peak.

    Raises
    ------
    ValueError
        If a distribution is missing or a name is unknown.
    TypeError
        If a value is neither a distribution nor a number.
    """

    FRI: Mapping[str, Distribution | float]
    FRII: Mapping[str, Distribution | float]
    bent: Mapping[str, Distribution | float]
    compact: Mapping[str, Distribution | float]

    def __post_init__(self) -> None:
        needed = {"FRI": EXTENDED, "FRII": EXTENDED, "bent": ("fr_type", "bending_angle"), "compact": COMPACT}
        for name, names in needed.items():
            given = dict(getattr(self, name))
            allowed = (*names, *(EXTENDED if name == "bent" else ()), "rms")
            missing = ", ".join(key for key in names if key not in given)
            check(not missing, f"the population of {name} lacks {missing}; it needs {', '.join(names)}")
            unknown = ", ".join(repr(key) for key in given if key not in allowed)
            check(not unknown, f"unknown parameter {unknown} of {name}; allowed are {', '.join(allowed)}")
            for key, value in given.items():
                fault = f"{key} of {name} is {value!r}; give a frozen scipy.stats distribution or a number"
                check(isinstance(value, float | int) or hasattr(value, "rvs"), fault, TypeError)
            object.__setattr__(self, name, given)

    def replace(self, name: str, **distributions: Distribution | float) -> Population:
        """Return a population with some distributions of one class replaced.

        Parameters
        ----------
        name : str
            Class, as in `radiosynth.taxonomy.CLASSES`.
        **distributions : distribution or float
            New distributions by name of the parameter.

        Returns
        -------
        Population
            The changed copy.

        Raises
        ------
        ValueError
            If the class or a parameter is unknown.

        Examples
        --------
        >>> import scipy.stats
        >>> tails = report_population().replace("bent", bending_angle=scipy.stats.norm(90, 10))
        """
        name = CLASS_NAMES[class_code(name)]
        return dataclasses.replace(self, **{name: {**getattr(self, name), **distributions}})


def report_population() -> Population:
    """Return the population of the report (section "Geometric simulation").

    The report's lobes are 1.5 pixels wide across the jet and 2.5 along it. It calls compact sources
    nearly round without giving numbers; here their axis ratio is uniform between 0.8 and 1. All numbers
    are in ``populations.toml`` beside this module.

    Nothing enforces the definition of the classes: at a contour of 5 % of the peak, R < 0.5 holds for 89 % of
    the FR I and R > 0.5 for 78 % of the FR II sources.

    Returns
    -------
    Population
        The report's distributions.
    """
    return _read("report")


def wide_population() -> Population:
    """Return distributions that hold whatever a source of FIRST may look like: where a fit begins.

    Widths and distances are even in the logarithm, from less than the beam to a third of the image. The
    first lobe has the amplitude 1, as images are scaled to their peak.

    Returns
    -------
    Population
        The distributions, those of bent sources in full.
    """
    return _read("wide")


def _read(name: str) -> Population:
    """Return a population from ``populations.toml``."""
    tables = tomllib.loads(files(__package__).joinpath("populations.toml").read_text("utf-8"))[name]
    classes: dict[str, dict[str, Distribution | float]] = {}
    for morphology in CLASS_NAMES:
        own = tables[morphology]
        values = tables.get(own.pop("like", None), {}) | own
        drawn = {key: getattr(stats, v[0])(*v[1:]) for key, v in values.items() if isinstance(v, list)}
        classes[morphology] = values | drawn
    return Population(**classes)


def draw_values(
    distribution: Distribution | float, n: int, rng: np.random.Generator | None
) -> NDArray[np.float64]:
    """Draw `n` values; a number does not vary, and needs no generator."""
    if isinstance(distribution, float | int):
        return np.full(n, float(distribution))
    check_rng(rng)
    return np.asarray(distribution.rvs(size=n, random_state=rng), dtype=np.float64)  # type: ignore[arg-type]


def draw_parameters(
    per_class: int | Mapping[str, int] = 6000,
    *,
    population: Population | None = None,
    rng: np.random.Generator,
) -> Table:
    """Draw the parameters of sources.

    Each class has its own stream of random numbers, so that what is drawn for one does not depend on
    how many of another are asked for.

    Parameters
    ----------
    per_class, population, rng
        As for `simulate`.

    Returns
    -------
    `~astropy.table.Table`
        One row per source: ``name``, ``class``, ``fr_type`` (1, 2; 0 for compact) and the parameters
        as in `Population`, with ``lobe_c2``, ``lobe_amplitude_1`` and ``lobe_amplitude_2`` for the
        factors and amplitudes that follow from those drawn. NaN where a parameter does not apply.
        The second amplitude is kept above 1 % of the first.

    Raises
    ------
    ValueError
        If a class is unknown or a number negative.
    """
    check_rng(rng)
    population = report_population() if population is None else population
    given = per_class if isinstance(per_class, Mapping) else dict.fromkeys(CLASS_NAMES, per_class)
    counts = {CLASS_NAMES[code]: n for code, n in numbers_by_code(given).items()}
    refuse_beyond_memory((sum(counts.values()), 2 * len(COLUMNS)), "ask for fewer sources")
    parts = []
    for name, stream in zip(CLASS_NAMES, rng.spawn(len(CLASS_NAMES)), strict=True):
        n = counts.get(name, 0)
        names = np.array([f"{name}_{i}" for i in range(n)], str)
        parts.append(Table({"name": names, "class": np.full(n, name), **_draw(population, name, n, stream)}))
    return vstack(parts).filled(np.nan)  # the noise may be drawn for some classes only


def _draw(population: Population, name: str, n: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Draw the columns of `n` sources of one class."""
    values = functools.partial(draw_values, n=n, rng=rng)
    own = getattr(population, name)
    columns: dict[str, NDArray[Any]] = dict.fromkeys(("fr_type", *COLUMNS), np.full(n, np.nan))
    if "rms" in own:
        columns["rms"] = values(own["rms"])
    if name == "compact":
        return columns | {"fr_type": np.zeros(n, np.int64)} | {key: values(own[key]) for key in COMPACT}
    # Of bent sources both kinds are drawn, and the FR type chooses: as many numbers whatever it is.
    if name == "bent":
        fr_type = values(own["fr_type"])
        fault = "fr_type of bent gave values other than 1 and 2; let it give 1 for FR I and 2 for FR II"
        check(np.isin(fr_type, (1, 2)).all(), fault)
        kinds = [{**base, **own} for base in (population.FRI, population.FRII)]
        drawn = {key: np.where(fr_type == 1, *[values(kind[key]) for kind in kinds]) for key in EXTENDED}
    else:
        fr_type = np.full(n, 1 if name == "FRI" else 2)
        drawn = {key: values(own[key]) for key in EXTENDED}
    # The report draws the long side and the second lobe relative to the short side and the first lobe.
    first = drawn["lobe_amplitude"]
    columns |= {key: drawn[key] for key in EXTENDED if key in COLUMNS}
    return columns | {
        "fr_type": fr_type.astype(np.int64),
        "lobe_c2": drawn["lobe_c1"] * drawn["lobe_c2_over_c1"],
        "lobe_amplitude_1": first,
        "lobe_amplitude_2": np.maximum(first + drawn["lobe_amplitude_difference"], 0.01 * first),
    }
