"""Fetch a cutout for each position into a folder, in a batch that may be stopped at any moment."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from radiosynth._io import check
from radiosynth.catalogues.angles import degrees
from radiosynth.cutouts.files import LARGEST
from radiosynth.cutouts.manifest import FINAL, OUTCOME, alone, file_name, resumed, write_manifest
from radiosynth.cutouts.replies import checked, fault_of, sign
from radiosynth.cutouts.write import as_ascii, write_fits
from radiosynth.sample import check_count
from radiosynth.surveys import COARSEST_BEAM, First, SkyView, Survey

__all__ = ["download_cutouts"]

log = logging.getLogger("radiosynth")

BACKOFF = 2.0
"""Seconds to wait before a request is first repeated; twice as long before each further time."""


GIVE_UP = 20
"""Sources that fail in a row for reasons of the server or the network until the rest is left for later."""


def download_cutouts(
    table: Table,
    folder: str | os.PathLike[str],
    *,
    survey: Survey | Sequence[Survey] | None = None,
    width: float | None = None,
    concurrency: int = 4,
    rate: float = 4,
    retries: int = 3,
) -> Table:
    """Fetch a cutout for each position into a folder: FITS files and a manifest that says how each went.

    The batch may be stopped at any moment, also by killing it, and is taken up where it was by the same
    call: what the folder holds is not fetched again. A failure concerns one source only, but after twenty in
    a row for reasons of the server or the network the rest is left for another call. Each reply is
    checked to be a FITS file of the right size and field with finite pixels.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Positions, as from `radiosynth.read_positions`; ``name``, ``ra`` and ``dec`` at least.
    folder : path-like
        Where to write. Another call with other positions adds to the folder.
    survey : Survey or sequence of Survey, optional
        Whom to ask, in this order. Default: `First`, then `SkyView`.
    width : float
        Width of the cutouts in arcmin. Default: the field of the first survey, which is 4.5 for FIRST.
    concurrency : int
        Largest number of requests under way at once.
    rate : float
        Largest number of requests a second.
    retries : int
        How often a request is repeated after a failure that may pass, after 2 seconds, 4, 8 and so on.

    Returns
    -------
    `~astropy.table.Table`
        The manifest, as in ``manifest.ecsv``: the table with the columns ``file`` (empty if there is none),
        ``status``, ``message``, ``attempts``, ``survey`` and ``sha256``. The status is "ok", or "nan edge"
        (fetched, but partly outside of the survey), "outside survey", "server error", "html page", "no
        answer", "truncated", "not fits", "wrong size", "wrong field" or "not tried". All but the first three
        are tried anew by the next call.

    Raises
    ------
    ValueError
        If a column is missing, an argument is out of range, or the folder holds cutouts of another width, or
        of a survey that is not asked.
    OSError
        If the folder cannot be written, or another process is filling it.
    """
    surveys = [First(), SkyView()] if survey is None else [survey] if isinstance(survey, Survey) else survey
    check(surveys, "survey is empty; give at least one, or leave it out")
    width = surveys[0].field if width is None else width
    for name, value in (("width", width), ("rate", rate)):
        check(0 < value < np.inf, f"{name} is {value}; give a positive number")
    check_count(concurrency, "concurrency", 1)
    check_count(retries, "retries")
    pixels = max(each.pixels(width) for each in surveys)
    check(pixels <= LARGEST, f"width is {width} arcmin, more than {LARGEST} pixels; give less, such as 4.5")
    for each in surveys:
        if each.beam > COARSEST_BEAM:
            said = "%s has a beam of %g arcsec, coarser than FIRST's: classes of its images are no evidence"
            log.warning(said, each.name, each.beam)
    table, folder = placed(table), Path(folder)
    # Python silences warnings for all threads at once, so it is done here and not where files are opened.
    with alone(folder), warnings.catch_warnings(action="ignore", category=AstropyWarning):
        rows, results = resumed(table, folder, width, [each.name for each in surveys])
        batch = _Batch(folder, rows, results, surveys, width, rate, retries)
        manifest = batch.run(concurrency)
    counts = Counter(manifest["status"].tolist())
    log.info("%s: %s", folder, ", ".join(f"{n} {status}" for status, n in counts.most_common()))
    return manifest


@dataclass
class _Batch:
    """Sources whose cutouts several threads fetch, all at one pace and into one manifest.

    urllib3 and requests-ratelimiter see the status of a reply and not that it is an error page, half a file
    or another field, which servers send with the status 200; and a survey may fetch without them. So what is
    repeated and paced here is a whole attempt, with the checks of what came.
    """

    folder: Path
    rows: Table
    results: list[dict[str, Any]]
    surveys: Sequence[Survey]
    width: float
    rate: float
    retries: int
    in_a_row: int = 0
    free: float = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.places = SkyCoord(self.rows["ra"], self.rows["dec"], unit="deg")
        self.files = self._files()

    def run(self, concurrency: int) -> Table:
        """Fetch what is to be fetched, and return the manifest."""
        from astroquery import cache_conf
        from tqdm import tqdm

        write_manifest(self.folder, self.rows, self.results)
        todo = [i for i, result in enumerate(self.results) if result["status"] not in FINAL]
        log.info(
            "%d cutouts, %d to fetch: %.0f minutes or more at %g a second",
            *(len(self.rows), len(todo), len(todo) / self.rate / 60, self.rate),
        )
        kept = time.monotonic()
        try:
            # astroquery would keep an error page for a week. This holds for all threads.
            with cache_conf.set_temp("cache_active", False), ThreadPoolExecutor(concurrency) as pool:
                fetched = pool.map(self.fetch, todo)
                try:
                    for _ in tqdm(fetched, total=len(todo), unit="cutout", disable=not sys.stderr.isatty()):
                        if time.monotonic() - kept > 1:
                            write_manifest(self.folder, self.rows, self.results)
                            kept = time.monotonic()
                finally:
                    # Also after Ctrl-C: what is under way is finished, nothing else begun.
                    self.stop.set()
        finally:
            manifest = write_manifest(self.folder, self.rows, self.results)
        return manifest

    def fetch(self, i: int) -> None:
        """Fetch one cutout unless the batch is stopped, and stop it where too many fail in a row."""
        if self.stop.is_set():
            return
        self.results[i] = result = self.ask(i)
        with self.lock:
            self.in_a_row = 0 if result["status"] in FINAL else self.in_a_row + 1
            if self.in_a_row >= GIVE_UP and not self.stop.is_set():
                self.stop.set()
                log.warning(
                    "%d sources in a row failed, the last with %s (%s): the rest is left for later",
                    *(self.in_a_row, result["status"], result["message"]),
                )

    def ask(self, i: int) -> dict[str, Any]:
        """Ask one survey after the other for a cutout, write it, and return what the manifest shall say."""
        path, place = self.folder / self.files[i], self.places[i]
        result: dict[str, Any] = OUTCOME | {"attempts": self.results[i]["attempts"]}
        for survey in self.surveys:
            hold = 0.0
            for attempt in range(self.retries + 1):
                pause = BACKOFF * 2 ** (attempt - 1) if attempt else 0
                if self.stop.wait(pause) or not self.turn(hold):
                    return result
                result["attempts"] += 1
                try:
                    content, hold = survey.fetch(place, self.width), 0.0
                    hdu, status, message = checked(content, place, self.width, survey)
                # Whatever goes wrong with one source must not end the batch.
                except Exception as error:
                    hdu, (status, message, hold) = None, fault_of(error)
                said = {"status": status, "message": " ".join(message.split())[:200], "survey": survey.name}
                if hdu is not None:
                    sign(hdu.header, self.rows["name"][i], place, survey)
                    return result | said | {"file": path.name, "sha256": write_fits(path, hdu)}
                # That the first survey has no image there is worth more than that the second is down.
                if result["status"] not in FINAL:
                    result |= said
                if status in FINAL:
                    break
        return result

    def turn(self, hold: float) -> bool:
        """Wait for one's turn, and `hold` back all requests for so many seconds; return False if stopped."""
        with self.lock:
            begin = max(time.monotonic(), self.free) + hold
            self.free = begin + 1 / self.rate
        return not self.stop.wait(max(0, begin - time.monotonic()))

    def _files(self) -> list[str]:
        """Return the name of each file, and correct what the manifest says of those damaged, gone or new."""
        used = {result["file"].lower() for result in self.results}
        files = []
        for i, name in enumerate(self.rows["name"]):
            file = self.results[i]["file"] or file_name(name, used, functools.partial(self._free, i))
            self.results[i] = self._on_disk(i, file)
            files.append(file)
        return files

    def _free(self, i: int, name: str) -> bool:
        """Return whether a file may be written: what is there without being this cutout keeps its name."""
        return not os.path.lexists(self.folder / name) or self._on_disk(i, name)["file"] == name

    def _on_disk(self, i: int, name: str) -> dict[str, Any]:
        """Return what the manifest shall say of a source by the file that is there, if there is any."""
        result, path = self.results[i], self.folder / name
        content = path.read_bytes() if path.is_file() else b""
        digest = hashlib.sha256(content).hexdigest()
        if digest == result["sha256"] or not (content or result["file"]):
            return result
        new = OUTCOME | {"attempts": result["attempts"]}
        # Killed between writing the file and the manifest, if it is good.
        for survey in self.surveys:
            hdu, status, message = checked(content, self.places[i], self.width, survey)
            if hdu is not None and hdu.header.get("SRVNAME") == as_ascii(survey.name):
                said = {"status": status, "message": message, "survey": survey.name}
                return new | said | {"file": name, "sha256": digest}
        return new


def placed(table: Table) -> Table:
    """Return the table with positions in degrees, or say what is wrong with them."""
    rows = table.copy()
    told = f"{len(rows)} rows with the columns {', '.join(rows.colnames)}"
    complete = {"name", "ra", "dec"} <= set(rows.colnames) and len(rows)
    check(complete, f"{told}; name, ra and dec are needed: read your list with radiosynth.read_positions")
    for axis in ("ra", "dec"):
        rows[axis] = degrees(axis, rows[axis]) * u.deg
    return rows
