"""Every number that the report states, beside the one that comes out here.

The published numbers are those of ``published.toml``, read leaf by leaf. For each there is a number that was
computed (`radiosynth.reproduction.reproduced`) or a reason why there is none. A number that has neither is an
error, so that the table is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
from astropy.table import Table

from radiosynth._io import read_json
from radiosynth.reproduction import reproduced
from radiosynth.reproduction.reproduced import WRITTEN, Reproduced
from radiosynth.reproduction.runs import Run
from radiosynth.reproduction.scales import asked_scale
from radiosynth.reproduction.studies import study_folder
from radiosynth.taxonomy import CLASS_NAMES

__all__ = ["Reproduced", "compare", "published", "published_numbers", "study_summary"]

REASONS: dict[str, str] = WRITTEN["reasons"]
"""Why a number, or all of a part, has no counterpart. A number that was reproduced needs none."""


MEASURED = ("accuracy.", "confusion.", "notebook_accuracy.", "training.gain ")
"""How the numbers begin that a training decides."""


NO_RUN = dict.fromkeys(("accuracy", "confusion", "training"), "its run is not saved")


MISLABELLED = "change in training: FR I generator for FR II"
"""What explains the training accuracy of the report's set (c), where a study has measured it."""


def published() -> dict[str, Any]:
    """Return the numbers that the report states, as nested dictionaries."""
    return WRITTEN["stated"]


def published_numbers() -> dict[str, float]:
    """Return every number that the report states, by the path to it in ``published.toml``."""
    return {key: float(value) for key, value in _stated().items()}


def _stated() -> dict[str, float | Decimal]:
    """Return the numbers of the report with the decimals that it gives."""
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


def study_summary(name: str, scale: str | None = None) -> dict[str, Any]:
    """Return the summary of a study, that is of many runs taken together.

    Parameters
    ----------
    name : str
        Name of the study.
    scale : str, optional
        Scale at which it was done; `radiosynth.reproduction.scales.current_scale` if not given.

    Returns
    -------
    dict
        Contents of ``<scale>-study-<name>/summary.json`` under `radiosynth.reproduction.runs.runs_root`. Its
        ``numbers`` map names to ``value``, ``low`` and ``high``, the ends of the 95 % interval; and the
        ``scale``.

    Raises
    ------
    FileNotFoundError
        If the study is not saved at that scale.
    """
    scale = asked_scale(scale)
    path, advice = study_folder(name, scale) / "summary.json", f"`radiosynth study {name} --scale {scale}`"
    return {**read_json(path, ["name", "numbers"], advice=f"make it by {advice}"), "scale": scale}


def compare(runs: Iterable[Run[Any]] = (), study: dict[str, Any] | None = None) -> Table:
    """Set every number that the report states beside the one that comes out here.

    Parameters
    ----------
    runs : iterable of Run
        Classifiers, one for each training set.
    study : dict, optional
        What `study_summary` returns of ``published-code``: it explains one of the accuracies.

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
    stated, found = _stated(), _found(list(runs), study)
    rows = []
    for key, value in stated.items():
        section, _, name = key.partition(".")
        ours, verdict, kind = found.get(key), "cannot be reproduced", ""
        if ours:
            verdict = "agrees" if ours.agrees(value) else "differs"
            kind = "measured" if key.startswith(MEASURED) else "by construction"
        else:
            reason = REASONS.get(key) or REASONS.get(section) or NO_RUN.get(section)
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


def _found(runs: list[Run[Any]], study: dict[str, Any] | None) -> dict[str, Reproduced]:
    """Return all numbers that come out here."""
    found = reproduced.from_code() | reproduced.from_simulation() | reproduced.from_tables()
    for run in runs:
        found |= reproduced.from_run(run)
    sets = {run.config.training_set: run for run in runs}
    if sets.keys() >= {"real", "real+gan"}:
        found["training.gain of real+gan"] = reproduced.gain(sets["real"], sets["real+gan"])
    explained = "accuracy.real+gan.training"
    if study and MISLABELLED in study["numbers"] and explained in found:
        remark = (
            "± 0.01; images of FR I under the label FR II, as in the published code, change it by "
            f"{study['numbers'][MISLABELLED]['value']:+.3f} ({study['name']}, {study['scale']} scale)"
        )
        found[explained] = replace(found[explained], remark=remark)
    return found
