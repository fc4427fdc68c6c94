"""Read the files of saved runs and studies; one that is damaged or missing is named, with what to do."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from radiosynth._io import cache_folder

__all__ = ["check", "read_arrays", "read_json", "read_table", "readable", "runs_root", "saved_runs"]

PACKAGED_RUNS = Path(__file__).parent / "runs"
"""Those that come with the package, for who has saved none."""

AGAIN = "remove its folder and run it again, or fetch the folder again"
DAMAGED = "is damaged, or another kind of file"


def runs_root() -> Path:
    """Return the folder that runs are written to.

    That is ``RADIOSYNTH_RUNS`` if set, else ``paper/runs`` of the source tree, else a folder beside the
    cached data.
    """
    if chosen := os.environ.get("RADIOSYNTH_RUNS"):
        return Path(chosen).expanduser()
    tree = Path(__file__).resolve().parents[1] / "paper" / "runs"
    return tree if tree.is_dir() else cache_folder() / "runs"


def saved_runs() -> dict[str, Path]:
    """Return the folders of the finished runs, the packaged ones and those of `runs_root`, by name."""
    finished = (path for root in (PACKAGED_RUNS, runs_root()) for path in root.glob("*/provenance.json"))
    return {path.parent.name: path.parent for path in finished}


@contextlib.contextmanager
def readable(path: Path, advice: str = AGAIN, fault: str = DAMAGED) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into one message.

    Parameters
    ----------
    path : Path
        The file.
    advice : str
        What to do then.
    fault : str
        What is said of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or is something else.
    """
    try:
        yield
    except FileNotFoundError as error:
        msg = f"{path} is missing: {advice}"
        raise FileNotFoundError(msg) from error
    except Exception as error:  # readers of damaged files raise what they like
        msg = f"{path} {fault} ({error!r}): {advice}"
        raise ValueError(msg) from error


def read_json(
    path: Path, keys: Iterable[str] = (), advice: str = AGAIN, fault: str = DAMAGED
) -> dict[str, Any]:
    """Return the JSON object in a file, which has to have these keys."""
    with readable(path, advice, fault):
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict):
            msg = f"a JSON object is needed, not {type(found).__name__}"
            raise TypeError(msg)
        _check_names(keys, found)
        return found


def read_arrays(
    path: Path, names: Iterable[str] = (), advice: str = AGAIN, fault: str = DAMAGED
) -> dict[str, NDArray[Any]]:
    """Return the arrays in an npz file, among which have to be these, all of one length."""
    with readable(path, advice, fault), path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        found = {name: stored[name] for name in stored.files}
        _check_names(names, found)
        lengths = {name: found[name].shape[:1] for name in names}
        check(len(set(lengths.values())) < 2, f"lengths {lengths}")
        return found


def read_table(path: Path, rows: int | None = None, advice: str = AGAIN) -> Table:
    """Return the table in a CSV file, which has to have so many rows and a value in every cell."""
    with readable(path, advice):
        text = path.read_text("utf-8")
        found = Table.read(text.splitlines(), format="ascii.csv")
        empty = [name for name in found.colnames if getattr(found[name], "mask", np.False_).any()]
        asked = len(found) if rows is None else rows
        whole = text.endswith("\n") and not empty and len(found) == asked
        check(whole, f"cut: {len(found)} of {asked} rows, empty cells in {empty or 'the last row'}")
        return found


def check(right: bool, fault: str) -> None:
    """Raise ValueError, for `readable`, unless something is right."""
    if not right:
        raise ValueError(fault)


def _check_names(wanted: Iterable[str], found: dict[str, Any]) -> None:
    lacking = [name for name in wanted if name not in found]
    check(not lacking, f"it lacks {', '.join(lacking)}")
