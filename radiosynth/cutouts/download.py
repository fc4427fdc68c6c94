"""Fetch a cutout for each position into a folder, in a batch that may be stopped at any moment."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from radiosynth.cutouts.files import LARGEST, CutoutError, fits_image, image_hdu
from radiosynth.cutouts.manifest import (
    FINAL,
    HTML_PAGE,
    NAN_EDGE,
    NO_ANSWER,
    NOT_FITS,
    OK,
    OUTCOME,
    SERVER_ERROR,
    TRUNCATED,
    WRONG_FIELD,
    WRONG_SIZE,
    alone,
    resumed,
    stems,
    write_manifest,
)
from radiosynth.cutouts.write import as_ascii, write_fits
from radiosynth.sample import floats
from radiosynth.surveys import OUTSIDE, First, Refusal, SkyView, Survey

__all__ = ["download_cutouts"]

log = logging.getLogger("radiosynth")


# A page with these words says that there is no image, any other that something went wrong.
_OUTSIDE = re.compile(r"outside|not (been )?(covered|observed|in)\b|no (image|data|coverage|field)", re.I)


_OFFSET = 5
"""Largest distance in pixels between the middle of an image and the position asked for."""


def download_cutouts(
    table: Table,
    folder: str | os.PathLike[str],
    *,
    survey: Survey | Sequence[Survey] | None = None,
    width: float | None = None,
    concurrency: int = 4,
    rate: float = 4,
    retries: int = 3,
    backoff: float = 2,
    give_up: int = 20,
) -> Table:
    """Fetch a cutout for each position into a folder: FITS files and a manifest that says how each went.

    The batch may be stopped at any moment, also by killing it, and is taken up where it was by the same
    call: what the folder holds is not fetched again. A failure concerns one source only. Each reply is
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
        How often a request is repeated after a failure that may pass.
    backoff : float
        Seconds to wait before the first repetition; twice as long before each further one.
    give_up : int
        Number of sources that fail in a row for reasons of the server or the network after which the rest is
        left for another call.

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
        If a column is missing, an argument is out of range, or the folder holds cutouts of another width.
    OSError
        If the folder cannot be written, or another process is filling it.
    """
    surveys = [First(), SkyView()] if survey is None else [survey] if isinstance(survey, Survey) else survey
    if not surveys:
        msg = "survey is empty; give at least one, or leave it out"
        raise ValueError(msg)
    width = surveys[0].field if width is None else width
    above = {"width": width, "concurrency": concurrency, "rate": rate, "give_up": give_up}
    wrong = [f"{name} is {value}" for name, value in above.items() if not 0 < value < np.inf]
    least = {"retries": retries, "backoff": backoff}
    wrong += [f"{name} is {value}" for name, value in least.items() if not 0 <= value < np.inf]
    if wrong:
        msg = f"{', '.join(wrong)}; give positive numbers"
        raise ValueError(msg)
    if max(each.pixels(width) for each in surveys) > LARGEST:
        msg = f"width is {width} arcmin, more than {LARGEST} pixels; give that of a cutout, such as 4.5"
        raise ValueError(msg)
    table, folder = _placed(table), Path(folder)
    # Python silences warnings for all threads at once, so it is done here and not where files are opened.
    with alone(folder), warnings.catch_warnings(action="ignore", category=AstropyWarning):
        rows, results = resumed(table, folder, width)
        batch = _Batch(folder, rows, results, surveys, width, rate, retries, backoff, give_up)
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
    backoff: float
    give_up: int
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
            if self.in_a_row >= self.give_up and not self.stop.is_set():
                self.stop.set()
                log.warning(
                    "%d sources in a row failed, the last with %s (%s): the rest is left for later",
                    *(self.in_a_row, result["status"], result["message"]),
                )

    def ask(self, i: int) -> dict[str, Any]:
        """Ask one survey after the other for a cutout, write it, and return what the manifest shall say."""
        path, place, hold = self.folder / self.files[i], self.places[i], 0.0
        result: dict[str, Any] = OUTCOME | {"attempts": self.results[i]["attempts"]}
        for survey in self.surveys:
            for attempt in range(self.retries + 1):
                pause = self.backoff * 2 ** (attempt - 1) if attempt else 0
                if self.stop.wait(pause) or not self.turn(hold):
                    return result
                result["attempts"] += 1
                try:
                    content = survey.fetch(place, self.width)
                    hdu, status, message = _checked(content, place, self.width, survey)
                # Whatever goes wrong with one source must not end the batch.
                except Exception as error:
                    status, message, hold = _fault(error)
                else:
                    _sign(hdu.header, self.rows["name"][i], place, survey)
                    done = {"file": path.name, "sha256": write_fits(path, hdu), "survey": survey.name}
                    return result | done | {"status": status, "message": message}
                # That the first survey has no image there is worth more than that the second is down.
                if result["status"] not in FINAL:
                    result |= {"status": status, "message": message, "survey": survey.name}
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
        kept = [Path(result["file"]).stem for result in self.results if result["file"]]
        unlisted = [i for i, result in enumerate(self.results) if not result["file"]]
        files = [result["file"] for result in self.results]
        for i, stem in zip(unlisted, stems(self.rows["name"][unlisted], kept), strict=True):
            files[i] = f"{stem}.fits"
        for i, name in enumerate(files):
            self.results[i] = self._on_disk(i, name)
        # What is there without being one of ours keeps its name.
        others = [
            i for i in unlisted if not self.results[i]["file"] and os.path.lexists(self.folder / files[i])
        ]
        taken = [Path(name).stem for name in (*files, *self.folder.glob("*.fits"))]
        for i, stem in zip(others, stems(self.rows["name"][others], taken), strict=True):
            files[i] = f"{stem}.fits"
        return files

    def _on_disk(self, i: int, name: str) -> dict[str, Any]:
        """Return what the manifest shall say of a source by the file that is there, if there is any."""
        result, content = self.results[i], b""
        with suppress(OSError):
            content = (self.folder / name).read_bytes() if (self.folder / name).is_file() else b""
        digest = hashlib.sha256(content).hexdigest()
        if digest == result["sha256"] or not (content or result["file"]):
            return result
        new = OUTCOME | {"attempts": result["attempts"]}
        # Killed between writing the file and the manifest, if it is good.
        for survey in self.surveys:
            with suppress(Refusal):
                hdu, status, message = _checked(content, self.places[i], self.width, survey)
                if hdu.header.get("SRVNAME") == as_ascii(survey.name):
                    new |= {"file": name, "sha256": digest, "survey": survey.name}
                    new |= {"status": status, "message": message}
        return new


def _fault(error: Exception) -> tuple[str, str, float]:
    """Return status and message of a failed attempt, and the seconds that the server asks to be left alone."""
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    if isinstance(error, Refusal):
        return error.status, " ".join(error.message.split())[:200], 0
    response = getattr(error, "response", None)
    status = NO_ANSWER if response is None else SERVER_ERROR
    hold = 0.0
    if response is not None and "Retry-After" in response.headers:
        with suppress(InvalidHeader):
            hold = min(Retry().parse_retry_after(response.headers["Retry-After"]), 300)
    status = TRUNCATED if "IncompleteRead" in str(error) else status
    return status, " ".join(f"{type(error).__name__}: {error}".split())[:200], hold


def _checked(content: bytes, place: SkyCoord, width: float, survey: Survey) -> tuple[Any, str, str]:
    """Return the image of a reply as an HDU, with status and message, or raise why it is none."""
    start = content[:2000].lstrip()
    if start.startswith(b"<"):
        page = re.sub(r"<[^>]*>", " ", content.decode("utf-8", "replace"))
        raise Refusal(OUTSIDE if _OUTSIDE.search(page) else HTML_PAGE, page)
    if not start.startswith(b"SIMPLE"):
        found = f"{len(content)} bytes that begin with {content[:30]!r}"
        raise Refusal(OUTSIDE if _OUTSIDE.search(str(start)) else NOT_FITS, found)
    try:
        with fits.open(io.BytesIO(content), memmap=False) as hdus:
            image = image_hdu(hdus)
            opened = fits_image(image)
            data, pixels = image.data, opened.cut(slice(None), slice(None))
            # Headers of FIRST hold tabs, which FITS forbids and other readers complain of.
            header = fits.Header.fromstring(re.sub(r"[^ -~]", " ", image.header.tostring()))
    except CutoutError as error:
        raise Refusal(NOT_FITS, str(error)) from error
    except Exception as error:  # whatever astropy says of half a file
        raise Refusal(TRUNCATED, f"{len(content)} bytes: {error}") from error
    edge = survey.pixels(width)
    # Servers round up or down, or add the pixel in the middle.
    if not all(edge <= n <= edge + 2 for n in pixels.shape):
        raise Refusal(WRONG_SIZE, f"{pixels.shape[1]}×{pixels.shape[0]} pixels instead of {edge}×{edge}")
    if opened.wcs is None:
        raise Refusal(WRONG_FIELD, "the image has no celestial coordinates")
    middle = opened.wcs.pixel_to_world((pixels.shape[1] - 1) / 2, (pixels.shape[0] - 1) / 2)
    offset = middle.separation(place).arcsec
    if not offset <= _OFFSET * survey.pixel_scale:
        raise Refusal(WRONG_FIELD, f"the image is centred {offset:.0f} arcsec away")
    finite = np.isfinite(pixels)
    if not finite.any() or np.ptp(pixels[finite]) == 0:
        raise Refusal(OUTSIDE, "the image is blank")
    hdu = fits.PrimaryHDU(data, header)
    if finite.all():
        return hdu, OK, ""
    return hdu, NAN_EDGE, f"{(~finite).sum()} of {finite.size} pixels are not finite"


def _sign(header: fits.Header, name: str, place: SkyCoord, survey: Survey) -> None:
    """Say in the header where the image comes from."""
    from importlib.metadata import version

    header["SRCNAME"] = (as_ascii(name), "name of the source asked for")
    header["RA_REQ"] = (place.ra.deg, "[deg] right ascension asked for, ICRS")
    header["DEC_REQ"] = (place.dec.deg, "[deg] declination asked for, ICRS")
    header["SRVNAME"] = (as_ascii(survey.name), "survey asked")
    header["RETRIEVD"] = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "when")
    header.add_history(f"fetched and checked by radiosynth {version('radiosynth')}")


def _placed(table: Table) -> Table:
    """Return the table with positions in degrees, or say what is wrong with them."""
    rows, advice = table.copy(), "read your list with radiosynth.read_positions"
    missing = {"name", "ra", "dec"} - set(rows.colnames)
    if missing or not len(rows):
        msg = (
            f"the table has {len(rows)} rows and the columns {', '.join(rows.colnames)}; name, ra and dec "
            f"(degrees) are needed: {advice}"
        )
        raise ValueError(msg)
    try:
        for name in ("ra", "dec"):
            rows[name] = (floats(rows, name) * (rows[name].unit or u.deg)).to(u.deg)
    except (ValueError, TypeError) as error:
        msg = f"ra and dec are no angles ({error}); {advice}"
        raise ValueError(msg) from error
    lost = ~(np.isfinite(rows["ra"]) & (abs(rows["dec"]) <= 90 * u.deg))
    if lost.any():
        names = ", ".join(map(str, rows["name"][lost][:3]))
        msg = f"{lost.sum()} sources have no position on the sky ({names}); correct or leave out"
        raise ValueError(msg)
    return rows
