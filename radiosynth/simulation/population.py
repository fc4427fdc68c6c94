"""Populations: distributions from which the parameters of sources are drawn."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from radiosynth.taxonomy import CLASS_NAMES, class_code


class Distribution(Protocol):
    """What a population is made of; frozen distributions of `scipy.stats` are such."""

    def rvs(self, size: int, random_state: np.random.Generator) -> Any:
        """Return `size` random values."""


COMPACT = ("core_x", "core_y", "core_sigma", "core_amplitude", "axis_ratio", "position_angle")


EXTENDED = (
    "core_x", "core_y", "core_sigma", "core_amplitude", "position_angle", "bending_angle", "lobe_distance",
    "lobe_sigma_across", "lobe_sigma_along", "lobe_c1", "lobe_c2_over_c1", "lobe_amplitude",
    "lobe_amplitude_difference", "halo_sigma", "halo_amplitude",
)  # fmt: skip


@dataclass(frozen=True)
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
    consistent : bool, default False
        Draw anew each source whose `fr_ratio` contradicts its FR type (not the report's way).

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
    consistent: bool = False

    def __post_init__(self) -> None:
        needed: dict[str, tuple[str, ...]] = dict.fromkeys(("FRI", "FRII"), EXTENDED)
        needed |= {"bent": ("fr_type", "bending_angle"), "compact": COMPACT}
        for name, names in needed.items():
            given = dict(getattr(self, name))
            allowed = (*names, *(EXTENDED if name == "bent" else ()), "rms")
            if missing := [key for key in names if key not in given]:
                msg = f"the population of {name} lacks {', '.join(missing)}; it needs {', '.join(names)}"
                raise ValueError(msg)
            if unknown := [key for key in given if key not in allowed]:
                msg = f"unknown parameter {unknown[0]!r} of {name}; allowed are {', '.join(allowed)}"
                raise ValueError(msg)
            for key, value in given.items():
                if not isinstance(value, float | int) and not hasattr(value, "rvs"):
                    msg = f"{key} of {name} is {value!r}; give a frozen scipy.stats distribution or a number"
                    raise TypeError(msg)
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
        changed = {name: {**getattr(self, name), **distributions}}
        return dataclasses.replace(self, **changed)  # type: ignore[arg-type]


def report_population(*, consistent: bool = False) -> Population:
    """Return the population of the report (section "Geometric simulation").

    The report's lobes are 1.5 pixels wide across the jet and 2.5 along it. It calls compact sources
    nearly round without giving numbers; here their axis ratio is uniform between 0.8 and 1.

    Parameters
    ----------
    consistent : bool, default False
        Draw anew each source whose `fr_ratio` contradicts its FR type. The report does not: at a
        contour of 5 % of the peak, R < 0.5 holds for 89 % of its FR I and R > 0.5 for 78 % of
        its FR II sources.

    Returns
    -------
    Population
        The report's distributions.
    """
    return dataclasses.replace(_read("report"), consistent=consistent)


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
        classes[morphology] = {
            key: getattr(stats, value[0])(*value[1:]) if isinstance(value, list) else value
            for key, value in values.items()
        }
    return Population(**classes)  # type: ignore[arg-type]


def draw_values(distribution: Distribution | float, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw `n` values; a number does not vary."""
    if isinstance(distribution, float | int):
        return np.full(n, float(distribution))
    return np.asarray(distribution.rvs(size=n, random_state=rng), dtype=np.float64)
