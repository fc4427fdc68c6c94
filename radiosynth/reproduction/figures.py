"""Figures and tables of the report, with a record of where they come from."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from astropy.table import Table
from matplotlib.figure import Figure

from radiosynth import datasets
from radiosynth._io import write_atomically, write_json, write_table
from radiosynth.reproduction import scales
from radiosynth.reproduction.comparisons import StudyResult
from radiosynth.reproduction.provenance import commit, versions
from radiosynth.reproduction.runs import Run

Shown = Iterable[Run[Any] | StudyResult]
"""What figures and tables show."""


FIRST = f"FIRST images, doi:{datasets.DOI}"
"""The data of most figures."""


SCHEMATIC = "a schematic, no data"
"""The data of figures that explain."""


_BEGUN = time.monotonic()


def paper_folder() -> Path:
    """Return where figures and tables go: ``RADIOSYNTH_PAPER``, or ``paper`` of the source tree."""
    if chosen := os.environ.get("RADIOSYNTH_PAPER"):
        return Path(chosen).expanduser()
    tree = Path(__file__).resolve().parents[2] / "paper"
    return tree if tree.is_dir() else Path.cwd() / "paper"


def _sidecar(name: str, used: list[Any], data: str | None, **extra: Any) -> dict[str, Any]:
    """Return what is kept beside a figure or a table: where its numbers come from."""
    scale = " and ".join(dict.fromkeys(run.config.scale for run in used)) or scales.current_scale()
    return {
        "figure": name,
        "scale": scale,
        "loaded": bool(used) and all(run.loaded for run in used),
        "data": data,
        "data_sha256": datasets.ARCHIVE_SHA256 if data == FIRST else None,
        "runs": [run.folder.name for run in used],
        "seed": used[0].config.settings.seed if used else None,
        "versions": versions(),
        "commit": commit(),
        "seconds": round(time.monotonic() - _BEGUN, 1),
        **extra,
    }


def save_figure(
    figure: Figure, name: str, *, runs: Shown = (), data: str | None = FIRST, **extra: Any
) -> Path:
    """Write a figure as ``.pdf``, ``.png`` and a ``.json`` that says where its numbers come from.

    Parameters
    ----------
    figure : ~matplotlib.figure.Figure
        The figure. What it was made of is printed small below it.
    name : str
        Its base name, such as ``"fig12_training_curves"``.
    runs : iterable of Run or StudyResult
        The runs that it shows.
    data : str, optional
        The data that it shows; None if it shows none.
    **extra
        Further numbers to keep in the ``.json``, such as the ``seed`` of what it shows if there are no runs.

    Returns
    -------
    Path
        The ``.png`` file.
    """
    folder, runs = paper_folder() / "figures", list(runs)
    record = _sidecar(name, runs, data, **extra)
    if data != SCHEMATIC:
        saved = "a saved run" if len(runs) == 1 else "saved runs"
        source = f", loaded from {saved}" if record["loaded"] else ""
        narrower = _narrower(runs)
        scale = f"scale: {scales.shown(record['scale'])}{narrower}{source}"
        text = ("\n" if narrower else " · ").join([f"data: {data or 'none, simulated'}", scale])
        figure.supxlabel(text, fontsize=6, color="0.4", x=0.995, ha="right")
    for suffix in (".pdf", ".png"):
        write_atomically(folder / f"{name}{suffix}", figure.savefig)
    write_json(folder / f"{name}.json", record)
    return folder / f"{name}.png"


def _narrower(runs: Shown) -> str:
    """Say in what classifiers fall short of the report's, if all of a figure do so alike; studies differ."""
    single = [run.config for run in runs if isinstance(run, Run)]
    classifiers = [config.settings for config in single if config.kind == "classifier"]
    found = {(each.width_multiplier, each.epochs, each.precision) for each in classifiers}
    width, epochs, precision = found.pop() if len(found) == 1 else (1, 0, "")
    said = f" (classifier: {width:g} × the channels, {epochs} epochs, {precision.removeprefix('mixed_')})"
    return said if width < 1 else ""


def save_table(table: Table, name: str, *, runs: Shown = (), data: str | None = FIRST, **extra: Any) -> Table:
    """Write a table as ``.csv``, as ``.tex`` and with a ``.json`` as figures have.

    Parameters
    ----------
    table : ~astropy.table.Table
        The table.
    name : str
        Its base name, such as ``"table3_split"``.
    runs, data, **extra
        As for `save_figure`.

    Returns
    -------
    ~astropy.table.Table
        The same table, to be shown.
    """
    folder = paper_folder() / "tables"
    write_table(folder / f"{name}.csv", table)
    write_table(folder / f"{name}.tex", table, "ascii.latex")
    write_json(folder / f"{name}.json", _sidecar(name, list(runs), data, **extra))
    return table
