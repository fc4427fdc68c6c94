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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table, vstack

from radiosynth.cutouts.files import LARGEST, CutoutError, fits_image, image_hdu
from radiosynth.cutouts.write import (
    _NEW,
    _OUTCOME,
    MANIFEST,
    _ascii,
    _read_manifest,
    _stems,
    _write_fits,
    _write_manifest,
)
from radiosynth.sample import floats
from radiosynth.surveys import (
    HTML_PAGE,
    NAN_EDGE,
    NO_ANSWER,
    NOT_FITS,
    OK,
    OUTSIDE,
    SERVER_ERROR,
    TRUNCATED,
    WRONG_FIELD,
    WRONG_SIZE,
    First,
    Refusal,
    SkyView,
    Survey,
)

__all__ = ["download_cutouts"]

log = logging.getLogger("radiosynth")


# What another request would not change.
_FINAL = (OUTSIDE, NAN_EDGE)


# A page with these words says that there is no image, any other that something went wrong.
_OUTSIDE = re.compile(r"outside|not (been )?(covered|observed|in)\b|no (image|data|coverage|field)", re.I)


_QUIET = threading.Lock()
"""Held while warnings are silenced, which Python does for all threads at once."""


_OFFSET = 5
"""Largest distance in pixels between the middle of an image and the position asked for."""


def download_cutouts(
    table: Table,
    folder: str | os.PathLike[str],
    *,
    survey: Survey | Sequence[Survey] | None = None,
    width: float = 4.5,
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
        Width of the cutouts in arcmin. The report's are 4.5.
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
    limits = {"width": width, "concurrency": concurrency, "rate": rate, "give_up": give_up}
    wrong = [f"{name} is {value}" for name, value in limits.items() if not 0 < value < np.inf]
    if wrong or not (retries >= 0 and 0 <= backoff < np.inf) or not surveys:
        msg = f"{', '.join(wrong) or 'retries, backoff or survey is out of range'}; give positive numbers"
        raise ValueError(msg)
    if max(each.pixels(width) for each in surveys) > LARGEST:
        msg = f"width is {width} arcmin, more than {LARGEST} pixels; give that of a cutout, such as 4.5"
        raise ValueError(msg)
    table = _placed(table)
    folder = Path(folder)
    with _alone(folder):
        rows, results, stems = _plan(table, folder, width)
        places = SkyCoord(rows["ra"], rows["dec"], unit="deg")
        new = [i for i, result in enumerate(results) if not result["file"]]
        for i, stem in enumerate(stems):
            _look_on_disk(folder / f"{stem}.fits", results[i], places[i], width, surveys)
        # What is there without being one of ours keeps its name.
        others = [i for i in new if not results[i]["file"] and os.path.lexists(folder / f"{stems[i]}.fits")]
        taken = [*stems, *(path.stem for path in folder.glob("*.fits"))]
        for i, stem in zip(others, _stems(rows["name"][others], taken), strict=True):
            stems[i] = stem
        _write_manifest(folder, rows, results)
        todo = [i for i, result in enumerate(results) if result["status"] not in (OK, *_FINAL)]
        log.info(
            "%d cutouts, %d to fetch: %.0f minutes or more at %g a second",
            *(len(rows), len(todo), len(todo) / rate / 60, rate),
        )
        pace = _Pace(rate)

        def fetch(i: int) -> dict[str, Any]:
            path = folder / f"{stems[i]}.fits"
            return _fetch(path, rows["name"][i], places[i], width, surveys, pace, retries, backoff)

        def keep() -> Table:
            with _QUIET:
                return _write_manifest(folder, rows, results)

        try:
            _fetch_all(todo, fetch, results, keep, pace=pace, concurrency=concurrency, give_up=give_up)
        finally:
            manifest = keep()
    counts = Counter(manifest["status"].tolist())
    log.info("%s: %s", folder, ", ".join(f"{n} {status}" for status, n in counts.most_common()))
    return manifest


def _fetch_all(
    todo: list[int],
    fetch: Callable[[int], dict[str, Any]],
    results: list[dict[str, Any]],
    keep: Callable[[], object],
    *,
    pace: _Pace,
    concurrency: int,
    give_up: int,
) -> None:
    """Fetch what is to be fetched, several at a time, and keep the manifest as it grows."""
    from astroquery import cache_conf
    from tqdm import tqdm

    in_a_row, counting = 0, threading.Lock()

    def watched(i: int) -> dict[str, Any]:
        nonlocal in_a_row
        outcome = fetch(i)
        # Counted by the thread that asked: so the others stop at once, however busy this machine is.
        with counting:
            in_a_row = 0 if outcome["status"] in (OK, *_FINAL) else in_a_row + 1
            if in_a_row >= give_up and not pace.stop.is_set():
                pace.stop.set()
                log.warning(
                    "%d sources in a row failed, the last with %s (%s): the rest is left for later",
                    *(in_a_row, outcome["status"], outcome["message"]),
                )
        return outcome

    def settle(future: Future[dict[str, Any]]) -> None:
        result, outcome = results[under_way.pop(future)], future.result()
        result.update(outcome, attempts=result["attempts"] + outcome["attempts"])

    kept = time.monotonic()
    # astroquery would keep an error page for a week. This holds for all threads.
    with cache_conf.set_temp("cache_active", False), ThreadPoolExecutor(concurrency) as pool:
        under_way = {pool.submit(watched, i): i for i in todo}
        shown = tqdm(total=len(todo), unit="cutout", disable=not sys.stderr.isatty())
        try:
            for future in as_completed(list(under_way)):
                settle(future)
                shown.update()
                if pace.stop.is_set():
                    break
                if time.monotonic() - kept > 1:
                    keep()
                    kept = time.monotonic()
        finally:
            # Also after Ctrl-C: what is under way is finished, nothing else begun.
            shown.close()
            pace.stop.set()
            pool.shutdown(cancel_futures=True)
            for future in list(under_way):
                if not future.cancelled() and future.exception() is None:
                    settle(future)


class _Pace:
    """Lets requests begin at a steady rate, all threads together, until it is stopped."""

    def __init__(self, rate: float) -> None:
        self.interval, self.free, self.lock = 1 / rate, time.monotonic(), threading.Lock()
        self.stop = threading.Event()

    def wait(self, hold: float = 0) -> bool:
        """Wait for one's turn, and `hold` back all requests for so many seconds; return False if stopped."""
        with self.lock:
            begin = max(time.monotonic(), self.free) + hold
            self.free = begin + self.interval
        return not self.stop.wait(max(0, begin - time.monotonic()))


def _fetch(
    path: Path,
    name: str,
    position: SkyCoord,
    width: float,
    surveys: Sequence[Survey],
    pace: _Pace,
    retries: int,
    backoff: float,
) -> dict[str, Any]:
    """Ask one survey after the other for a cutout, write it, and return what the manifest shall say."""
    result, attempts, hold = dict(_NEW), 0, 0.0
    for survey in surveys:
        for attempt in range(retries + 1):
            if (attempt and pace.stop.wait(backoff * 2 ** (attempt - 1))) or not pace.wait(hold):
                return result | {"attempts": attempts}
            attempts, hold = attempts + 1, 0
            try:
                content = survey.fetch(position, width)
                with _QUIET:
                    hdu, status, message = _checked(content, position, width, survey)
            except Refusal as refusal:
                status, message, hold = refusal.reason, refusal.message, refusal.wait
            # Whatever goes wrong with one source must not end the batch.
            except Exception as error:
                answered = getattr(error, "response", None) is not None
                cut = "IncompleteRead" in str(error)
                status = TRUNCATED if cut else SERVER_ERROR if answered else NO_ANSWER
                message = f"{type(error).__name__}: {error}"[:200]
            else:
                with _QUIET:
                    _sign(hdu.header, name, position, survey)
                    digest = _write_fits(path, hdu)
                done = {"file": path.name, "sha256": digest, "survey": survey.name}
                return result | done | {"status": status, "message": message, "attempts": attempts}
            # That the first survey has no image there is worth more than that the second is down.
            if result["status"] not in _FINAL:
                result |= {"status": status, "message": " ".join(message.split()), "survey": survey.name}
            if status in _FINAL:
                break
    return result | {"attempts": attempts}


def _checked(content: bytes, position: SkyCoord, width: float, survey: Survey) -> tuple[Any, str, str]:
    """Return the image of a reply as an HDU, with status and message, or raise why it is none."""
    start = content[:2000].lstrip()
    if start.startswith(b"<"):
        page = re.sub(r"<[^>]*>", " ", content.decode("utf-8", "replace"))
        raise Refusal(OUTSIDE if _OUTSIDE.search(page) else HTML_PAGE, " ".join(page.split()))
    if not start.startswith(b"SIMPLE"):
        found = f"{len(content)} bytes that begin with {content[:30]!r}"
        raise Refusal(OUTSIDE if _OUTSIDE.search(str(start)) else NOT_FITS, found)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            fits.open(io.BytesIO(content), memmap=False) as hdus,
        ):
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
    offset = middle.separation(position).arcsec
    if not offset <= _OFFSET * survey.pixel_scale:
        raise Refusal(WRONG_FIELD, f"the image is centred {offset:.0f} arcsec away")
    finite = np.isfinite(pixels)
    if not finite.any() or np.ptp(pixels[finite]) == 0:
        raise Refusal(OUTSIDE, "the image is blank")
    hdu = fits.PrimaryHDU(data, header)
    if not finite.all():
        return hdu, NAN_EDGE, f"{(~finite).sum()} of {finite.size} pixels are not finite"
    return hdu, OK, ""


def _sign(header: fits.Header, name: str, position: SkyCoord, survey: Survey) -> None:
    """Say in the header where the image comes from."""
    from importlib.metadata import version

    header["SRCNAME"] = (_ascii(name), "name of the source asked for")
    header["RA_REQ"] = (position.ra.deg, "[deg] right ascension asked for, ICRS")
    header["DEC_REQ"] = (position.dec.deg, "[deg] declination asked for, ICRS")
    header["SRVNAME"] = (_ascii(survey.name), "survey asked")
    header["RETRIEVD"] = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "when")
    header.add_history(f"fetched and checked by radiosynth {version('radiosynth')}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from filling the folder at the same time; a killed process lets go of it."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        msg = f"another process is fetching cutouts into {folder}; wait for it or give another folder"
        raise OSError(msg) from error


def _placed(table: Table) -> Table:
    """Return the table with positions in degrees, or say what is wrong with them."""
    rows = table.copy()
    missing = [name for name in ("name", "ra", "dec") if name not in rows.colnames]
    if missing or not len(rows):
        msg = (
            f"the table has {len(rows)} rows and the columns {', '.join(rows.colnames)}; name, ra and dec "
            "(degrees) are needed: read your list with radiosynth.read_positions"
        )
        raise ValueError(msg)
    try:
        for name in ("ra", "dec"):
            rows[name] = (floats(rows, name) * (rows[name].unit or u.deg)).to(u.deg)
        fine = np.isfinite(rows["ra"]) & (abs(rows["dec"]) <= 90 * u.deg)
    except (ValueError, TypeError) as error:
        msg = f"ra and dec are no angles ({error}); read your list with radiosynth.read_positions"
        raise ValueError(msg) from error
    if not fine.all():
        names = ", ".join(map(str, rows["name"][~fine][:3]))
        msg = f"{(~fine).sum()} sources have no position on the sky ({names}); correct or leave out"
        raise ValueError(msg)
    return rows


def _plan(table: Table, folder: Path, width: float) -> tuple[Table, list[dict[str, Any]], list[str]]:
    """Return the rows of the manifest, what is known of each, and the names of their files."""
    rows = table.copy()
    rows.remove_columns([name for name in _OUTCOME if name in rows.colnames])
    for name in ("class", "catalogue", "catalogue_class"):
        if name not in rows.colnames:
            rows[name] = ""
    rows.meta["width"] = width
    known: dict[tuple, dict[str, Any]] = {}
    if (folder / MANIFEST).exists():
        before = _read_manifest(folder, ("name", "ra", "dec", "class", "catalogue", *_OUTCOME))
        if before.meta.get("width") != width:
            msg = (
                f"{folder} holds cutouts of {before.meta.get('width')} arcmin, {width} are asked for; "
                "give another folder"
            )
            raise ValueError(msg)
        results = [{name: row[name] for name in _OUTCOME} for row in before]
        before.remove_columns(_OUTCOME)
        known = dict(zip(_keys(before), results, strict=True))
        asked = set(_keys(rows))
        others = before[[key not in asked for key in known]]
        if len(others):
            rows = vstack([others, rows], metadata_conflicts="silent")
            rows.meta["width"] = width
    results = [dict(known.get(key, _NEW)) for key in _keys(rows)]
    kept = [Path(str(result["file"])).stem for result in results if result["file"]]
    fresh = _stems(
        [name for name, result in zip(rows["name"], results, strict=True) if not result["file"]], kept
    )
    stems = [Path(str(result["file"])).stem if result["file"] else next(fresh) for result in results]
    return rows, results, stems


def _keys(rows: Table) -> list[tuple]:
    """Return what tells the rows apart; of rows alike, also which one it is."""
    seen: Counter[tuple] = Counter()
    keys = []
    for row in rows:
        key = (
            str(row["name"]),
            f"{row['ra']:.5f}",
            f"{row['dec']:.5f}",
            str(row["class"]),
            str(row["catalogue"]),
        )
        seen[key] += 1
        keys.append((*key, seen[key]))
    return keys


def _look_on_disk(
    path: Path, result: dict[str, Any], position: SkyCoord, width: float, surveys: Sequence[Survey]
) -> None:
    """Correct what the manifest says of a file that is there, damaged or gone."""
    content = b""
    with suppress(OSError):
        content = path.read_bytes() if path.is_file() else b""
    digest = hashlib.sha256(content).hexdigest()
    if digest == result["sha256"] or not (content or result["file"]):
        return
    result.update(_NEW, attempts=result["attempts"])
    # Killed between writing the file and the manifest, if it is good.
    for survey in surveys:
        with suppress(Refusal):
            hdu, status, message = _checked(content, position, width, survey)
            if hdu.header.get("SRVNAME") == _ascii(survey.name):
                about = {"status": status, "message": message, "survey": survey.name, "sha256": digest}
                result.update(about, file=path.name)
