"""Every number that the report states, beside the one that comes out here.

The published numbers are those of ``published.toml``, read leaf by leaf. For each there is a number that was
computed (`radiosynth.reproduction.reproduced`) or a reason why there is none. A number that has neither is an
error, so that the table is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
from astropy.table import Table

from radiosynth.reproduction import reproduced
from radiosynth.reproduction.reproduced import WRITTEN, Reproduced
from radiosynth.reproduction.runs import Run
from radiosynth.taxonomy import CLASS_NAMES

REASONS: dict[str, str] = WRITTEN["reasons"]
"""Why a number, or all of a part, has no counterpart. A number that was reproduced needs none."""


MEASURED = ("accuracy.", "confusion.", "notebook_accuracy.", "training.gain ")
"""How the numbers begin that a training decides."""


def published() -> dict[str, Any]:
    """Return the numbers that the report states, as nested dictionaries."""
    return WRITTEN["stated"]


def published_numbers() -> dict[str, float | Decimal]:
    """Return every number that the report states, by the path to it in ``published.toml``.

    Those that are no integers have the decimals that the report gives.
    """
    parts = reproduced.read(Decimal)["stated"]
    return dict(leaf for section in WRITTEN["sections"] for leaf in _leaves(section, parts[section]))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, float | Decimal]]:
    if isinstance(value, list):
        names = WRITTEN["columns"].get(path.partition(".")[0], CLASS_NAMES)
        if isinstance(value[0], dict):
            names = [part["survey"] for part in value]
        value = dict(zip(names, value, strict=True))
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(f"{path}.{name}", part)
    elif not isinstance(value, str):
        yield path, value


def compare(runs: Iterable[Run[Any]] = ()) -> Table:
    """Set every number that the report states beside the one that comes out here.

    Parameters
    ----------
    runs : iterable of Run
        Classifiers, one for each training set.

    Returns
    -------
    ~astropy.table.Table
        One row for each number: ``section``, ``number``, ``published``, ``reproduced``, ``low``, ``high``
        (masked where there is none), ``verdict`` (``agrees``, ``differs`` or ``cannot be reproduced``),
        ``source``, ``remark`` and ``kind``: ``measured`` if a training decides the number,
        ``by construction`` if it is a setting, a drawn parameter, a layer or a count that follows from the
        report's own tables. That the latter agree says that the report was copied correctly, no more.

    Raises
    ------
    KeyError
        If there is neither a number nor a reason why there is none.
    """
    found = reproduced.from_code() | reproduced.from_simulation() | reproduced.from_tables()
    sets = {run.config.training_set: run for run in runs}
    for run in sets.values():
        found |= reproduced.from_run(run)
    if sets.keys() >= {"real", "real+gan"}:
        found["training.gain of real+gan"] = reproduced.gain(sets["real"], sets["real+gan"])
    rows = []
    for key, value in published_numbers().items():
        section, _, name = key.partition(".")
        ours, kind = found.get(key), ""
        if ours:
            verdict = "agrees" if ours.agrees(value) else "differs"
            kind = "measured" if key.startswith(MEASURED) else "by construction"
        else:
            verdict, reason = "cannot be reproduced", REASONS.get(key) or REASONS.get(section)
            if reason is None:
                msg = f"{key}: neither reproduced nor a reason why not; add it to reproduction/published.toml"
                raise KeyError(msg)
            ours = Reproduced(np.nan, remark=reason)
        row = {"section": WRITTEN["sections"][section], "number": name, "published": float(value)}
        row |= {"reproduced": ours.value, "low": ours.low, "high": ours.high, "verdict": verdict}
        rows.append(row | {"source": ours.source, "remark": ours.remark, "kind": kind})
    table = Table(rows=rows, masked=True)
    for name in ("reproduced", "low", "high"):
        table[name] = np.ma.masked_invalid(np.asarray(table[name], float))
    return table
