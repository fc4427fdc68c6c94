"""Simulated radio galaxies: draw the parameters of sources from a population, then render them.

A source is a sum of Gaussians: a core and, unless it is compact, two lobes of unequal inner and
outer length, each inside a round halo (report, section "Geometric simulation"). The two steps,
`draw_parameters` and `render`, are joined by `simulate`, and either can be replaced.

Lengths are in pixels of the report's frame of 56 × 56 pixels, which spans 0 to 56 on both axes with
its centre at 28, whatever the size of the rendered image. Angles are in degrees; position angles
run from north (up, towards higher rows) through east (left), as on the sky.
"""

from __future__ import annotations

import dataclasses
import functools
import numbers
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import factorial
from typing import Any, Literal, Protocol

import numba
import numpy as np
from astropy.stats import gaussian_fwhm_to_sigma
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage, stats

from ._io import refuse_beyond_memory
from .preprocessing import noise_threshold
from .sample import Sample, check_rng
from .taxonomy import CLASS_NAMES, class_code

__all__ = [
    "Observation",
    "Population",
    "draw_parameters",
    "fr_ratio",
    "render",
    "report_population",
    "simulate",
]

FRAME = 56.0
"""Edge of the report's frame, in its pixels: the unit of every length."""

FIELD = 270.0
"""Edge of the report's cutouts in arcseconds: 150 pixels of 1.8 arcsec."""

_CHUNK_PIXELS = 64 * 56**2  # large enough to hide Python's overhead, small enough for the cache
_LARGEST_EDGE = 8192  # of an image in work: 270 MB, once or twice for each processor
_MAX_REDRAWS = 1000
_LARGEST = 1e30  # sums of such numbers still fit single precision

Trajectory = Literal["ray", "parabola"]
Columns = Mapping[str, NDArray[np.float64]]
Gaussians = tuple[NDArray[np.float64], NDArray[np.float64]]
_Kernel = tuple[NDArray[np.float32], NDArray[np.float32]]


class Distribution(Protocol):
    """What a population is made of; frozen distributions of `scipy.stats` are such."""

    def rvs(self, size: int, random_state: np.random.Generator) -> Any:
        """Return `size` random values."""


_COMPACT = ("core_x", "core_y", "core_sigma", "core_amplitude", "axis_ratio", "position_angle")
_EXTENDED = (
    "core_x", "core_y", "core_sigma", "core_amplitude", "position_angle", "bending_angle", "lobe_distance",
    "lobe_sigma_across", "lobe_sigma_along", "lobe_c1", "lobe_c2_over_c1", "lobe_amplitude",
    "lobe_amplitude_difference", "halo_sigma", "halo_amplitude",
)  # fmt: skip
_COLUMNS = (
    "core_x", "core_y", "core_sigma", "core_amplitude", "axis_ratio", "position_angle", "bending_angle",
    "lobe_distance", "lobe_sigma_across", "lobe_sigma_along", "lobe_c1", "lobe_c2", "lobe_amplitude_1",
    "lobe_amplitude_2", "halo_sigma", "halo_amplitude",
)  # fmt: skip
_NOT_NEGATIVE = {"core_amplitude", "halo_amplitude", "lobe_distance"}
_POSITIVE = {name for name in _COLUMNS if "sigma" in name or "lobe_c" in name or "lobe_amplitude" in name} | {
    "axis_ratio"
}


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
        needed = {
            "FRI": _EXTENDED,
            "FRII": _EXTENDED,
            "bent": ("fr_type", "bending_angle"),
            "compact": _COMPACT,
        }
        for name, names in needed.items():
            given = dict(getattr(self, name))
            allowed = (*(("fr_type", *_EXTENDED) if name == "bent" else names), "rms")
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
    uniform, normal = stats.uniform, stats.norm
    place = {"core_x": normal(28, 3), "core_y": normal(28, 3), "position_angle": uniform(0, 360)}
    extended = place | {
        "core_sigma": 1.5,
        "core_amplitude": uniform(0, 1),
        "bending_angle": uniform(0, 10),
        "lobe_sigma_across": 1.5,
        "lobe_sigma_along": 2.5,
        "lobe_c1": uniform(0.8, 0.5),
        "lobe_c2_over_c1": uniform(1, 1.2),
        "lobe_amplitude": uniform(0.5, 1),
        "lobe_amplitude_difference": normal(0, 0.1),
        "halo_amplitude": uniform(0, 1),
    }
    return Population(
        FRI=extended | {"lobe_distance": uniform(3, 5.6), "halo_sigma": uniform(0, 2.5)},
        FRII=extended | {"lobe_distance": uniform(4, 14), "halo_sigma": uniform(1, 4)},
        bent={"fr_type": stats.randint(1, 3), "bending_angle": uniform(20, 160)},
        compact=place
        | {
            "core_sigma": stats.halfnorm(0.4, 0.5),
            "core_amplitude": uniform(0.1, 1),
            "axis_ratio": uniform(0.8, 0.2),
        },
        consistent=consistent,
    )


@dataclass(frozen=True)
class Observation:
    """How a telescope sees the sources, and how its images are prepared. FIRST by default.

    Images are smoothed by the beam and given noise; then, as real ones, the pixels below `n_sigma` times
    the noise are set to that threshold, by `radiosynth.noise_threshold`.

    Parameters
    ----------
    beam_fwhm : float, default 5.4
        Full width at half maximum of the round restoring beam, in arcseconds (FIRST: 5.4 north of
        declination +4°33'; south of it the beam is 6.4 by 5.4).
    rms : float or distribution, default 0
        Noise of each image in units of its peak, correlated as the beam correlates it; finite, not negative.
        A distribution is as in `Population`: ``scipy.stats.loguniform(1e-3, 0.05)`` spans bright and faint
        sources of FIRST.
    pixel_scale : float, optional
        Arcseconds per pixel of the rendered image. Without it, images span the report's 4.5 arcmin.
    n_sigma : float or None, default 3
        Threshold of images that have noise and are scaled. None leaves the noise.

    Raises
    ------
    ValueError
        If the beam or the pixel scale is not positive and finite, or the rms is not such a number.
    """

    beam_fwhm: float = 5.4
    rms: Distribution | float = 0.0
    pixel_scale: float | None = None
    n_sigma: float | None = 3.0

    def __post_init__(self) -> None:
        rms = 0 if hasattr(self.rms, "rvs") else self.rms
        scale = 1.0 if self.pixel_scale is None else self.pixel_scale
        if not (0 < self.beam_fwhm < np.inf and 0 <= rms < np.inf and 0 < scale < np.inf):
            msg = f"{self}: beam_fwhm and pixel_scale must be positive, rms not negative, and all finite"
            raise ValueError(msg)

    def __str__(self) -> str:
        drawn = getattr(self.rms, "dist", None)  # of a frozen distribution of scipy.stats
        rms = self.rms if drawn is None else f"{drawn.name}{self.rms.args}"  # type: ignore[union-attr]
        return f"beam {self.beam_fwhm} arcsec, rms {rms}, pixels {self.pixel_scale}, n_sigma {self.n_sigma}"

    def beam_sigma(self, size: int) -> float:
        """Return the standard deviation of the beam in pixels of an image of `size` pixels."""
        scale = FIELD / size if self.pixel_scale is None else self.pixel_scale
        return self.beam_fwhm * gaussian_fwhm_to_sigma / scale


def simulate(
    per_class: int | Mapping[str, int] = 6000,
    size: int = 56,
    *,
    population: Population | None = None,
    classes: Iterable[str] = CLASS_NAMES,
    trajectory: Trajectory = "ray",
    noise: float = 0.0,
    observation: Observation | None = None,
    rng: np.random.Generator,
) -> Sample:
    """Draw sources from a population and render them: `draw_parameters`, then `render`.

    Parameters
    ----------
    per_class : int or mapping of str to int, default 6000
        Sources of each class, or of the classes named.
    size : int, default 56
        Edge of the images in pixels.
    population : Population, optional
        Distributions to draw from; the report's by default.
    classes : iterable of str, optional
        Classes to draw; all by default.
    trajectory : {"ray", "parabola"}
        Where the lobes lie, see `render`.
    noise : float, default 0
        Uniform noise from 0 to this fraction of the peak.
    observation : Observation, optional
        Beam and noise of a telescope, with the noise threshold of real images; none by default. At 150 px,
        the pixels of FIRST, `preprocess` then makes smaller images as it does of real ones.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    Sample
        Images in [-1, 1], in the order of the classes; the table holds every parameter, and with an
        observation ``rms``.

    Raises
    ------
    ValueError
        If a class is unknown, a number negative or a parameter out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> sample = simulate({"FRII": 2, "bent": 1}, rng=np.random.default_rng(1))
    >>> sample
    Sample(3 images of 56×56: FRI 0, FRII 2, bent 1, compact 0)
    >>> bool(sample.table["bending_angle"][2] >= 20)
    True
    """
    check_rng(rng)
    drawing, noising = rng.spawn(2)
    table = draw_parameters(per_class, population=population, classes=classes, rng=drawing)
    if observation is not None and "rms" not in table.colnames:
        table["rms"] = _values(observation.rms, len(table), noising)
    images = render(table, size, trajectory=trajectory, noise=noise, observation=observation, rng=noising)
    step = f"simulated at {size} px (trajectory={trajectory}, noise={noise}, observation={observation})"
    table.meta["history"] = [step, "scaled each image to [-1, 1]"]
    return Sample(images, [class_code(name) for name in table["class"]], table)


def draw_parameters(
    per_class: int | Mapping[str, int] = 6000,
    *,
    population: Population | None = None,
    classes: Iterable[str] = CLASS_NAMES,
    rng: np.random.Generator,
) -> Table:
    """Draw the parameters of sources.

    Each class has its own stream of random numbers, so that what is drawn for one does not depend on
    how many of another are asked for.

    Parameters
    ----------
    per_class, population, classes, rng
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
        If a class is unknown, a number negative, or no consistent source is found.
    """
    check_rng(rng)
    population = report_population() if population is None else population
    chosen = [CLASS_NAMES[class_code(name)] for name in classes]
    counts = (
        {CLASS_NAMES[class_code(name)]: n for name, n in per_class.items()}
        if isinstance(per_class, Mapping)
        else dict.fromkeys(chosen, per_class)
    )
    for name, n in counts.items():
        if not isinstance(n, numbers.Integral) or n < 0 or name not in chosen:
            msg = f"{n!r} sources of {name} asked for; give whole numbers, 0 or more, for {', '.join(chosen)}"
            raise ValueError(msg)
    refuse_beyond_memory((sum(counts.values()), 2 * len(_COLUMNS)), "ask for fewer sources")
    parts = []
    for name, stream in zip(CLASS_NAMES, rng.spawn(len(CLASS_NAMES)), strict=True):
        part = _draw(population, name, counts.get(name, 0), stream)
        if population.consistent and name != "compact":
            _redraw_contradictions(part, population, name, stream)
        parts.append(part)
    table = Table()
    numbered = [(name, i) for name in CLASS_NAMES for i in range(counts.get(name, 0))]
    table["name"] = np.array([f"{name}_{i}" for name, i in numbered], dtype=str)
    table["class"] = np.array([name for name, _ in numbered], dtype=str)
    for key in ("fr_type", *_COLUMNS, *(["rms"] if any("rms" in part for part in parts) else [])):
        table[key] = np.concatenate([part.get(key, np.full(len(part["fr_type"]), np.nan)) for part in parts])
    return table


def _values(distribution: Distribution | float, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw `n` values; a number does not vary."""
    if isinstance(distribution, float | int):
        return np.full(n, float(distribution))
    return np.asarray(distribution.rvs(size=n, random_state=rng), dtype=np.float64)


def _draw(population: Population, name: str, n: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Draw the columns of `n` sources of one class."""
    values = functools.partial(_values, n=n, rng=rng)
    columns: dict[str, NDArray[Any]] = dict.fromkeys(_COLUMNS, np.full(n, np.nan))
    if "rms" in getattr(population, name):
        columns["rms"] = values(getattr(population, name)["rms"])
    if name == "compact":
        columns |= {key: values(population.compact[key]) for key in _COMPACT}
        return columns | {"fr_type": np.zeros(n, dtype=np.int64)}
    if name == "bent":
        fr_type = values(population.bent["fr_type"])
        if not np.isin(fr_type, (1, 2)).all():
            msg = "fr_type of bent gave values other than 1 and 2; let it give 1 for FR I and 2 for FR II"
            raise ValueError(msg)
        kinds = [{**base, **population.bent} for base in (population.FRI, population.FRII)]
        drawn = {key: np.where(fr_type == 1, *[values(kind[key]) for kind in kinds]) for key in _EXTENDED}
    else:
        fr_type = np.full(n, 1 if name == "FRI" else 2)
        drawn = {key: values(getattr(population, name)[key]) for key in _EXTENDED}
    columns |= {key: drawn[key] for key in _EXTENDED if key in columns}
    first = drawn["lobe_amplitude"]
    return columns | {
        "fr_type": fr_type.astype(np.int64),
        "lobe_c2": drawn["lobe_c1"] * drawn["lobe_c2_over_c1"],
        "lobe_amplitude_1": first,
        "lobe_amplitude_2": np.maximum(first + drawn["lobe_amplitude_difference"], 0.01 * first),
    }


def _redraw_contradictions(
    columns: dict[str, NDArray[Any]], population: Population, name: str, rng: np.random.Generator
) -> None:
    """Draw sources anew, in place, until the FR ratio of each agrees with its FR type."""
    suspects = np.arange(len(columns["fr_type"]))
    for _ in range(_MAX_REDRAWS):
        ratio = fr_ratio({key: values[suspects] for key, values in columns.items()})
        suspects = suspects[np.where(columns["fr_type"][suspects] == 1, ratio >= 0.5, ratio <= 0.5)]
        if not len(suspects):
            return
        for key, values in _draw(population, name, len(suspects), rng).items():
            columns[key][suspects] = values
    msg = (
        f"{len(suspects)} {name} sources still contradict their FR type after {_MAX_REDRAWS} draws; make the "
        "lobes of FRI longer than their distance and those of FRII shorter, or set consistent=False"
    )
    raise ValueError(msg)


def _checked(parameters: Table | Mapping[str, Any], trajectory: str) -> dict[str, NDArray[Any]]:
    """Return the parameters as plain arrays, or raise if one is missing or out of its range."""
    if trajectory not in ("ray", "parabola"):
        msg = f"unknown trajectory {trajectory!r}; it is 'ray' or 'parabola'"
        raise ValueError(msg)
    if missing := [name for name in ("fr_type", *_COLUMNS) if name not in parameters.keys()]:  # noqa: SIM118
        msg = f"the parameters lack {', '.join(missing)}; start from the table of draw_parameters"
        raise ValueError(msg)
    fr_type = np.asarray(parameters["fr_type"])
    if not np.isin(fr_type, (0, 1, 2)).all():
        msg = f"fr_type holds {sorted(set(fr_type.tolist()))}; it is 1 or 2, and 0 for compact sources"
        raise ValueError(msg)
    columns = {"fr_type": fr_type}
    for name in _COLUMNS:
        values = columns[name] = np.asarray(parameters[name], dtype=float)
        used = np.full(len(fr_type), True)
        if name == "axis_ratio":
            used = fr_type == 0
        elif name not in _COMPACT:
            used = fr_type > 0
        floor: ArrayLike = -np.inf
        if name in _POSITIVE:
            floor = np.nextafter(0, 1)
        elif name in _NOT_NEGATIVE:  # the core of an extended source may be dark
            floor = np.where((fr_type == 0) & (name == "core_amplitude"), np.nextafter(0, 1), 0)
        if name == "bending_angle":
            floor = np.where(np.abs(values) <= 180, -180, np.inf)
        bad = np.flatnonzero(used & ~((np.abs(values) < _LARGEST) & (values >= floor)))
        if len(bad):
            msg = (
                f"{name} is {values[bad[0]]} in row {bad[0]} ({len(bad)} are bad); all must be below 1e30, "
                "widths and amplitudes positive (0 is allowed for cores and halos of extended sources), "
                "distances not negative, bending angles from -180 to 180"
            )
            raise ValueError(msg)
    return columns


def _galaxies(p: Columns, trajectory: str) -> Gaussians:
    """Return cores and halos, then lobes, of extended sources.

    The first array, of shape (n, 3, 4), holds round Gaussians (x, y, sigma, amplitude), core first;
    the second, of shape (n, 2, 7), holds two-sided ones (x, y, direction of the axis, sigma across it,
    sigma behind the peak, sigma ahead of it, amplitude), with the axis pointing away from the core.
    """
    # Position angles start at north and turn as angles from the x axis do, when east is left.
    half = np.radians(p["bending_angle"]) / 2
    first = np.radians(p["position_angle"] + 90)
    rays = np.stack([first, first + np.pi - 2 * half], axis=1)
    distance, axes = p["lobe_distance"], rays
    if trajectory == "parabola":
        # On y = kx² the chord to a point rises at `half` if kx = tan(half). The arc to it is then
        # x·[√(1 + 4 tan²)/2 + asinh(2 tan)/(4 tan)], and x = chord·cos(half).
        sine, cosine = np.sin(half), np.maximum(np.cos(half), 1e-12)
        straight = np.abs(sine) < 1e-6
        safe = np.where(straight, 1, sine)
        stretch = np.hypot(cosine, 2 * sine) / 2 + np.where(
            straight, 0.5, cosine**2 * np.arcsinh(2 * safe / cosine) / (4 * safe)
        )
        distance = distance / stretch
        turn = np.arctan2(2 * sine, cosine) - half
        axes = rays + np.stack([turn, -turn], axis=1)
    x = p["core_x"][:, None] + distance[:, None] * np.cos(rays)
    y = p["core_y"][:, None] + distance[:, None] * np.sin(rays)
    short, long = p["lobe_sigma_along"] * p["lobe_c1"], p["lobe_sigma_along"] * p["lobe_c2"]
    outward = p["fr_type"] == 1  # the long side of FR I lobes trails away, that of FR II lobes points back
    behind, ahead = np.where(outward, short, long), np.where(outward, long, short)
    core = [p[name] for name in ("core_x", "core_y", "core_sigma", "core_amplitude")]
    halos = [[x[:, i], y[:, i], p["halo_sigma"], p["halo_amplitude"]] for i in (0, 1)]
    lobes = [
        [x[:, i], y[:, i], axes[:, i], p["lobe_sigma_across"], behind, ahead, p[f"lobe_amplitude_{i + 1}"]]
        for i in (0, 1)
    ]
    return np.array([core, *halos]).transpose(2, 0, 1), np.array(lobes).transpose(2, 0, 1)


def _compacts(p: Columns) -> Gaussians:
    """Return the Gaussians of compact sources, in the form of `_galaxies`."""
    axis, long = np.radians(p["position_angle"] + 90), p["core_sigma"]
    shape = [p["core_x"], p["core_y"], axis, long * p["axis_ratio"], long, long, p["core_amplitude"]]
    return np.empty((len(axis), 0, 4)), np.array([shape]).transpose(2, 0, 1)


def render(
    parameters: Table | Mapping[str, Any],
    size: int = 56,
    *,
    trajectory: Trajectory = "ray",
    noise: float = 0.0,
    observation: Observation | None = None,
    scale: bool = True,
    out: NDArray[np.float32] | None = None,
    rng: np.random.Generator | None = None,
    workers: int | None = None,
) -> NDArray[np.float32]:
    """Render sources at any image size.

    The Gaussians are evaluated at the centres of the pixels, so that nothing is shifted or rotated on
    a grid. The result does not depend on the number of workers.

    Parameters
    ----------
    parameters : `~astropy.table.Table` or mapping of str to array
        The columns of `draw_parameters`; ``name`` and ``class`` are not used. A column ``rms`` takes the
        place of that of the observation.
    size : int, default 56
        Edge of the images in pixels, at least 2.
    trajectory : {"ray", "parabola"}
        ``"ray"``: the lobes lie at ``lobe_distance`` from the core on two rays that make an angle of
        180° minus the bending angle. ``"parabola"``: they lie on the same rays, on a parabola with its
        vertex at the core; ``lobe_distance`` is the length of the jet along it, and the lobes point
        along its tangent. Straight sources are the same in both.
    noise : float, default 0
        Uniform noise from 0 to this fraction of the peak (the report's optional noise).
    observation : Observation, optional
        Beam and noise of a telescope.
    scale : bool, default True
        Scale each image to [-1, 1], as the report does, noise of an observation being thresholded first.
        Otherwise, brightness in units of the amplitudes is returned.
    out : array of float32, shape (n, size, size), optional
        Array to write to, for example a `numpy.memmap` for images that do not fit into memory.
    rng : numpy.random.Generator, optional
        Source of random numbers; needed for noise only.
    workers : int, optional
        Number of threads; as many as processors by default.

    Returns
    -------
    array of float32, shape (n, size, size)
        The images, row 0 south; `out` if it was given.

    Raises
    ------
    ValueError
        If a parameter or argument is missing or out of its range, or a source misses its image.

    Notes
    -----
    All Gaussians of an image are summed in one compiled pass in single precision (numba). It is
    compiled on first use and kept beside the package, or in the user's cache where that is read-only.
    """
    columns = _checked(parameters, trajectory)
    n = len(columns["fr_type"])
    if not isinstance(size, numbers.Integral) or size < 2:
        msg = f"size is {size!r}; images have a whole number of pixels, at least 2, a side"
        raise ValueError(msg)
    if not 0 <= noise < np.inf:
        msg = f"noise is {noise}; give the fraction of the peak, a finite number of 0 or more"
        raise ValueError(msg)
    if out is None:
        refuse_beyond_memory((n, size, size), "ask for fewer or smaller images, or give a memmap as out")
        out = np.empty((n, size, size), dtype=np.float32)
    elif out.shape != (n, size, size) or out.dtype != np.float32 or not (out.flags.carray):
        msg = (
            f"out is {out.dtype} of shape {out.shape}; it must be float32 of shape {(n, size, size)}, in "
            "C order and writable"
        )
        raise ValueError(msg)
    drawn = observation is not None and "rms" not in parameters.keys()  # noqa: SIM118
    noisy = noise > 0 or (observation is not None and not (drawn and observation.rms == 0))
    if noisy and rng is None:
        msg = "noise needs random numbers; pass rng=numpy.random.default_rng(seed)"
        raise ValueError(msg)
    if rng is not None:
        check_rng(rng)
    rms = np.zeros(n)
    if observation is not None and noisy:
        rms = _values(observation.rms, n, rng) if drawn else np.asarray(parameters["rms"], float)
    if not (np.isfinite(rms) & (rms >= 0)).all():
        msg = f"rms holds {rms.min():g} to {rms.max():g}; give finite fractions of the peak, 0 or more"
        raise ValueError(msg)
    observed = bool(rms.any())

    # A beam that is narrow on the pixel grid is applied on a finer one that shares its pixel centres.
    beam = None if observation is None else observation.beam_sigma(size)
    fine = 1 if beam is None else 2 * max(0, int(np.ceil((1 / beam - 1) / 2))) + 1
    if size * fine > _LARGEST_EDGE:
        msg = (
            f"size={size} with {observation} has to be rendered at {size * fine} px, of which at most "
            f"{_LARGEST_EDGE} are possible: give fewer pixels, or a wider beam"
        )
        raise ValueError(msg)
    step = max(1, _CHUNK_PIXELS // (size * fine) ** 2)
    extended = columns["fr_type"] > 0
    chunks = []
    for rows in (np.flatnonzero(extended), np.flatnonzero(~extended)):
        p = {name: values[rows] for name, values in columns.items()}
        round_, lobes = _galaxies(p, trajectory) if extended[rows].any() else _compacts(p)
        spheres, tails = _single_precision(round_, lobes)
        starts = range(0, len(rows), step)
        chunks += [(rows[i : i + step], spheres[i : i + step], tails[i : i + step]) for i in starts]
    streams = rng.spawn(len(chunks)) if noisy and rng is not None else [None] * len(chunks)
    workers = max(1, min(workers or os.cpu_count() or 1, len(chunks)))

    def work(worker: int) -> list[int]:
        """Render every `workers`-th chunk and return the rows that stayed dark."""
        buffer = np.empty((step, size * fine, size * fine), dtype=np.float32)
        dark: list[int] = []
        for (rows, spheres, tails), stream in list(zip(chunks, streams, strict=True))[worker::workers]:
            # Rows without a gap are rendered where they belong, unless a beam makes other images of them.
            direct = beam is None and rows[-1] - rows[0] < len(rows)
            images = out[rows[0] : rows[-1] + 1] if direct else buffer[: len(rows)]
            _brightness(spheres, tails, images)
            if beam is not None:
                width = beam * fine
                images = ndimage.gaussian_filter(images, (0, width, width), mode="nearest")
                images = images[:, fine // 2 :: fine, fine // 2 :: fine]
            low, high = images.min(axis=(1, 2), keepdims=True), images.max(axis=(1, 2), keepdims=True)
            dark += rows[~(high > low)[:, 0, 0]].tolist()  # or not finite
            if stream is not None:
                peak = high
                if noise > 0:
                    images += peak * np.float32(noise) * stream.random(images.shape, dtype=np.float32)
                if observed and beam is not None:
                    heights = peak * rms[rows, None, None].astype(np.float32)
                    images += heights * _beam_noise(images.shape, beam, stream)
                if observed and scale and observation is not None and observation.n_sigma is not None:
                    images[:] = noise_threshold(images, observation.n_sigma)[0]
                low, high = images.min(axis=(1, 2), keepdims=True), images.max(axis=(1, 2), keepdims=True)
            if scale:
                # A little less than 2, so that rounding does not leave [-1, 1].
                gain = np.float32(2 - 1e-6) / np.maximum(high - low, np.finfo(np.float32).tiny)
                images *= gain
                images -= low * gain + 1
            if not direct:
                out[rows] = images
        return dark

    with ThreadPoolExecutor(workers) as pool:
        dark = sorted(row for rows in pool.map(work, range(workers)) for row in rows)
    if dark:
        msg = f"{len(dark)} sources leave no light on their image, row {dark[0]} first; move them into it"
        raise ValueError(msg)
    return out


def _single_precision(round_: NDArray[np.float64], lobes: NDArray[np.float64]) -> _Kernel:
    """Return the Gaussians of `_galaxies` in the form that `_brightness` takes.

    Round ones become x, y, -log2(e)/2σ², amplitude; two-sided ones x, y, cos, sin of the axis, the
    coefficients of v², of w² behind and of w² ahead, and log2 of the amplitude.
    """
    x, y, sigma, height = round_.transpose(2, 0, 1)
    spheres = [x, y, _coefficient(sigma), height]
    x, y, axis, across, behind, ahead, height = lobes.transpose(2, 0, 1)
    widths = [_coefficient(width) for width in (across, behind, ahead)]
    tails = [x, y, np.cos(axis), np.sin(axis), *widths, np.log2(height)]
    return tuple(np.stack(parts, axis=-1).astype(np.float32, order="C") for parts in (spheres, tails))  # type: ignore[return-value]


def _coefficient(sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return c for which exp(-d²/2σ²) is 2 to the power cd²."""
    return -0.5 / np.log(2) / np.maximum(sigma, 1e-15) ** 2  # still fits single precision


_ROUND = np.float32(1.5 * 2**23)  # adding it leaves the nearest integer in the lowest bits
_POWERS = tuple(np.float32(np.log(2) ** k / factorial(k)) for k in range(8))  # 2**f to 3e-8 for |f| ≤ 1/2
_LEAST = np.float32(-126)  # exponent of the smallest normal number
_jit = functools.partial(
    numba.njit, nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nnan", "ninf", "nsz"}
)


# The compiler cannot vectorise a call of the C library's exp2; of these few lines it makes 16 at a time.
@_jit(inline="always")
def _exp2(t):  # type: ignore[no-untyped-def]
    """Return 2 to the power t < 127 in single precision; 0 where that would not be a normal number."""
    shifted = t + _ROUND
    f = t - (shifted - _ROUND)
    c = _POWERS
    power = c[0] + f * (c[1] + f * (c[2] + f * (c[3] + f * (c[4] + f * (c[5] + f * (c[6] + f * c[7]))))))
    exponent = np.int32(np.float32(shifted).view(np.int32) << np.int32(23))
    scaled = np.int32(np.float32(power).view(np.int32) + exponent)
    return np.int32(scaled).view(np.float32) if t > _LEAST else np.float32(0)


@_jit()
def _add_lobe(image, x, y, x0, y0, cosine, sine, across, behind, ahead, level):  # type: ignore[no-untyped-def]
    """Add a two-sided Gaussian to a flat image whose pixels lie at x, y."""
    for i in range(len(image)):
        dx, dy = x[i] - x0, y[i] - y0
        v, w = dy * cosine - dx * sine, dx * cosine + dy * sine
        image[i] += _exp2(level + across * v * v + (behind if w < 0 else ahead) * w * w)


@_jit()
def _brightness(spheres, tails, images):  # type: ignore[no-untyped-def]
    """Write the sum of the Gaussians of each source, from `_single_precision`, to `images`."""
    size = images.shape[1]
    grid = ((np.arange(size) + 0.5) * (FRAME / size)).astype(np.float32)
    y, x = np.repeat(grid, size), np.repeat(grid, size).reshape(size, size).T.copy().ravel()
    columns, rows = np.empty(size, np.float32), np.empty(size, np.float32)
    for n in range(len(images)):
        image = images[n].reshape(-1)
        image[:] = 0
        for k in range(spheres.shape[1]):
            s = spheres[n, k]
            for i in range(size):
                dx, dy = grid[i] - s[0], grid[i] - s[1]
                columns[i], rows[i] = _exp2(s[2] * dx * dx), s[3] * _exp2(s[2] * dy * dy)
            for i in range(size):
                for j in range(size):
                    images[n, i, j] += rows[i] * columns[j]
        for k in range(tails.shape[1]):
            t = tails[n, k]
            _add_lobe(image, x, y, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7])


def _beam_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return Gaussian noise of rms 1 as correlated by a beam of `sigma` pixels, periodic at the edges."""
    # White noise behind a Gaussian beam has the autocorrelation exp(-r²/4σ²), a product over the axes.
    lag = fft.fftfreq(shape[-1], 1 / shape[-1])
    power = np.maximum(fft.fft(np.exp(-((lag / sigma) ** 2) / 4)).real, 0)
    transfer = np.sqrt(np.outer(power, power[: shape[-1] // 2 + 1])).astype(np.float32)
    white = rng.standard_normal(shape, dtype=np.float32)
    return fft.irfft2(fft.rfft2(white) * transfer, s=shape[1:])


def fr_ratio(
    parameters: Table | Mapping[str, Any], *, contour: float = 0.05, trajectory: Trajectory = "ray"
) -> NDArray[np.float64]:
    """Return the Fanaroff-Riley ratio R of sources, from their parameters.

    R is the distance between the brightest points on opposite sides of the core over the extent of
    the source at the lowest contour, on which it depends; the core does not count as a brightest point. FR I
    sources have R < 0.5, FR II sources R > 0.5 (Fanaroff & Riley 1974, MNRAS 167, 31P). Both lengths
    are measured along the jets, so that bending does not change their meaning.

    Parameters
    ----------
    parameters : `~astropy.table.Table` or mapping of str to array
        The columns of `draw_parameters`.
    contour : float, default 0.05
        Lowest contour as a fraction of the peak.
    trajectory : {"ray", "parabola"}
        As for `render`.

    Returns
    -------
    array of float, shape (n,)
        R of each source; NaN for compact ones.

    Raises
    ------
    ValueError
        If a parameter is missing or out of its range, or the contour is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> strict = report_population(consistent=True)
    >>> table = draw_parameters({"FRI": 2, "FRII": 2}, population=strict, rng=np.random.default_rng(0))
    >>> (fr_ratio(table) > 0.5).tolist()
    [False, False, True, True]
    """
    if not 0 < contour < 1:
        msg = f"contour is {contour}; give a fraction of the peak between 0 and 1"
        raise ValueError(msg)
    columns = _checked(parameters, trajectory)
    ratio = np.full(len(columns["fr_type"]), np.nan)
    extended = np.flatnonzero(columns["fr_type"] > 0)
    for rows in np.array_split(extended, len(extended) // 1024 + 1):
        p = {name: values[rows] for name, values in columns.items()}
        round_, lobes = _galaxies(p, trajectory)
        widest = np.max([*lobes[..., 4:6].max(axis=1).T, *round_[..., 2].T], axis=0)
        path = np.linspace(0, p["lobe_distance"] + 6 * widest, 512, axis=-1)
        beyond = path - p["lobe_distance"][:, None]
        arms = [
            _profile(round_, lobes, x + beyond * np.cos(axis), y + beyond * np.sin(axis))
            for x, y, axis in (lobes[:, i, :3, None].swapaxes(0, 1) for i in (0, 1))
        ]
        level = contour * np.max([(core + rest).max(axis=1) for core, rest in arms], axis=0)
        brightest, outermost = np.zeros(len(rows)), np.zeros(len(rows))
        for core, rest in arms:
            height = np.log(np.maximum((core + rest) / level[:, None], 1e-300))
            seen = np.flatnonzero((height > 0).any(axis=1))  # an arm below the contour has no length
            last = 510 - (height[seen, -2::-1] > 0).argmax(axis=1)  # the contour is crossed after this point
            inside, outside = height[seen, last], height[seen, last + 1]
            brightest[seen] += path[seen, np.where(height[seen] > 0, rest[seen], -1.0).argmax(axis=1)]
            outermost[seen] += path[seen, last] + path[seen, 1] * inside / (inside - outside)
        ratio[rows] = brightest / outermost
    return ratio


def _profile(
    round_: NDArray[np.float64], lobes: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the brightness of the core, and of all else, at points x, y of shape (n, points)."""
    cx, cy, sigma, amplitude = round_.transpose(2, 1, 0)[..., None]
    spheres = amplitude * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2))
    lx, ly, axis, across, behind, ahead, amplitude = lobes.transpose(2, 1, 0)[..., None]
    along = (x - lx) * np.cos(axis) + (y - ly) * np.sin(axis)
    aside = (y - ly) * np.cos(axis) - (x - lx) * np.sin(axis)
    width = np.where(along < 0, behind, ahead)
    tails = amplitude * np.exp(-(aside**2) / (2 * across**2) - along**2 / (2 * width**2))
    return spheres[0], spheres[1:].sum(axis=0) + tails.sum(axis=0)
