"""Draw the parameters of sources from a population."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray

from radiosynth._io import refuse_beyond_memory
from radiosynth.sample import check_choice, check_count, check_rng
from radiosynth.simulation.fanaroff_riley import fr_ratio
from radiosynth.simulation.gaussians import COLUMNS
from radiosynth.simulation.population import COMPACT, EXTENDED, Population, draw_values, report_population
from radiosynth.taxonomy import CLASS_NAMES, class_code

_MAX_REDRAWS = 1000


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
    given = per_class if isinstance(per_class, Mapping) else dict.fromkeys(chosen, per_class)
    counts = {CLASS_NAMES[class_code(name)]: n for name, n in given.items()}
    for name, n in counts.items():
        check_choice(name, "class", chosen)
        check_count(n, f"number of {name}")
    refuse_beyond_memory((sum(counts.values()), 2 * len(COLUMNS)), "ask for fewer sources")
    # Each class has its own stream: what is drawn for one does not depend on the others.
    parts = []
    for name, stream in zip(CLASS_NAMES, rng.spawn(len(CLASS_NAMES)), strict=True):
        part = _draw(population, name, counts.get(name, 0), stream)
        if population.consistent and name != "compact":
            _redraw_contradictions(part, population, name, stream)
        parts.append(Table(part))
    table = vstack(parts).filled(np.nan)  # the noise may be drawn for some classes only
    drawn = np.repeat(CLASS_NAMES, [len(part) for part in parts])
    names = [f"{name}_{i}" for name, part in zip(CLASS_NAMES, parts, strict=True) for i in range(len(part))]
    table.add_columns([np.array(names, str), drawn], indexes=[0, 0], names=["name", "class"])
    return table


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
        if not np.isin(fr_type, (1, 2)).all():
            msg = "fr_type of bent gave values other than 1 and 2; let it give 1 for FR I and 2 for FR II"
            raise ValueError(msg)
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
