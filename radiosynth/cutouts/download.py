"""Fetch a cutout for each position into a folder, in a batch that may be stopped at any moment."""

from __future__ import annotations

import functools
import threading
import time
import warnings
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

from radiosynth._io import PathLike, check, log, told
from radiosynth.catalogues.angles import degrees
from radiosynth.cutouts.files import LARGEST
from radiosynth.cutouts.manifest import FINAL, OUTCOME, alone, file_name, resumed, write_manifest
from radiosynth.cutouts.replies import checked, sign
from radiosynth.cutouts.write import write_fits
from radiosynth.sample import check_count
from radiosynth.surveys import First, SkyView, Survey

BACKOFF = 2.0
"""Seconds to wait before a request is first repeated; twice as long before each further time."""


GIVE_UP = 20
"""Sources that fail in a row for reasons of the server or the network until the rest is left for later."""


def download_cutouts(
    table: Table,
    folder: PathLike,
    *,
    survey: Survey | Sequence[Survey] | None = None,
    width: float | None = None,
    concurrency: int = 4,
    rate: float = 4,
    retries: int = 3,
) -> Table:
    """Fetch a cutout for each position into a folder: FITS files and a manifest that says how each went.

    The batch may be stopped at any moment, also by killing it, and the same call resumes it: what the
    manifest lists, which is written every second, is not fetched again. A failure concerns one source only,
    but after twenty in a row for reasons of the server or the network the rest is left for another call. Each
    reply is checked to be a FITS file of the right size and field with finite pixels.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Positions, as from `radiosynth.read_positions`; ``name``, ``ra`` and ``dec`` at least.
    folder : path-like
        Where to write. Another call with other positions adds to the folder; surveys and width have to be
        the same.
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
        ``status``, ``message`` and ``survey``. The status is "ok", or "nan edge" (fetched, but partly outside
        of the survey), "outside survey", "server error", "html page", "no answer", "not fits", "wrong size",
        "wrong field" or "not tried". All but the first three are tried again by the next call.

    Raises
    ------
    ValueError
        If a column is missing, an argument is out of range, or the folder holds cutouts of another width or
        of other surveys.
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
    table, folder = placed(table), Path(folder)
    # Python silences warnings for all threads at once, so it is done here and not where files are opened.
    with alone(folder), warnings.catch_warnings(action="ignore", category=AstropyWarning):
        rows, results = resumed(table, folder, width, [each.name for each in surveys])
        return _Batch(folder, rows, results, surveys, width, rate, retries).run(concurrency)


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
    pace: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.places = SkyCoord(self.rows["ra"], self.rows["dec"], unit="deg")
        used = {result["file"].lower() for result in self.results}
        named = zip(self.rows["name"], self.results, strict=True)
        self.files = [result["file"] or file_name(self.folder, name, used) for name, result in named]

    def run(self, concurrency: int) -> Table:
        """Fetch what is to be fetched until too many fail in a row, and return the manifest."""
        from astroquery import cache_conf
        from tqdm import tqdm

        save = functools.partial(write_manifest, self.folder, self.rows, self.results)
        manifest, saved, failed = save(), time.monotonic(), 0
        todo = [i for i, result in enumerate(self.results) if result["status"] not in FINAL]
        # astroquery would keep an error page for a week. This holds for all threads.
        with cache_conf.set_temp("cache_active", False), ThreadPoolExecutor(concurrency) as pool:
            fetched = pool.map(self.fetch, todo)
            try:
                for status in tqdm(fetched, total=len(todo), unit="cutout", disable=None):
                    failed = 0 if status in FINAL else failed + 1
                    if failed == GIVE_UP:
                        log.warning("%d sources in a row failed, the last with %s: stopped", failed, status)
                        break
                    if time.monotonic() - saved > 1:
                        manifest, saved = save(), time.monotonic()
            finally:
                # Also after Ctrl-C: what is under way is finished, nothing else begun.
                self.stopped.set()
                pool.shutdown(cancel_futures=True)
                manifest = save()
        return manifest

    def fetch(self, i: int) -> str:
        """Fetch one cutout, keep what the manifest shall say and return the status."""
        self.results[i] = self.ask(i)
        return str(self.results[i]["status"])

    def ask(self, i: int) -> dict[str, Any]:
        """Ask one survey after the other for a cutout, write it, and return what the manifest shall say."""
        result, place = OUTCOME, self.places[i]
        for survey in self.surveys:
            for attempt in range(self.retries + 1):
                if attempt and self.stopped.wait(BACKOFF * 2 ** (attempt - 1)):
                    return result
                with self.pace:  # one thread at a time
                    time.sleep(1 / self.rate)
                try:
                    content = survey.fetch(place, self.width)
                    hdu, status, message = checked(content, place, self.width, survey)
                # Whatever goes wrong with one source must not end the batch.
                except Exception as error:
                    answered = getattr(error, "response", None) is not None
                    hdu, status, message = None, "server error" if answered else "no answer", told(error)
                said = {"status": status, "message": " ".join(message.split())[:200], "survey": survey.name}
                if hdu is not None:
                    sign(hdu.header, self.rows["name"][i], survey)
                    write_fits(self.folder / self.files[i], hdu)
                    return said | {"file": self.files[i]}
                # That the first survey has no image there is worth more than that the second is down.
                if result["status"] not in FINAL:
                    result = OUTCOME | said
                if status in FINAL:
                    break
        return result


def placed(table: Table) -> Table:
    """Return the table with positions in degrees, or say what is wrong with them."""
    rows = table.copy()
    given = f"{len(rows)} rows with the columns {', '.join(rows.colnames)}"
    complete = {"name", "ra", "dec"} <= set(rows.colnames) and len(rows)
    check(complete, f"{given}; name, ra and dec are needed: read your list with radiosynth.read_positions")
    for axis in ("ra", "dec"):
        rows[axis] = degrees(axis, rows[axis]) * u.deg
    return rows
