"""Web server here that behaves like the FIRST cutout service, SkyView, HiPS and VizieR, at their worst."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import from_table, tree
from astropy.table import Table
from astropy.wcs import WCS

from radiosynth.surveys import HIPS

PAGE = b"<!DOCTYPE html><html><body><h1>%s</h1></body></html>"
SURVEY = "VLA FIRST (1.4 GHz)"
FORM = f"""<html><form action="runquery.pl" method="post"><input name="Position">
<select name="survey" id="FIRST"><option>{SURVEY}</option></select>
<select name="projection"><option value="Tan" selected="">Tan</option></select></form></html>"""


def fits_file(image: np.ndarray, ra: float, dec: float, *, scale: float = 1.8, **cards: Any) -> bytes:
    """Return a FITS file like those of FIRST: Jy/beam, SIN projection, a tab in a comment.

    It is part of the coadded image of a field, whose centre is the reference point: so the position is in the
    middle to half a pixel, and north is up to a degree from up.
    """
    field_dec = round(dec * 1.8) / 1.8  # fields are 46.5 by 34.5 arcmin
    narrow = 0.7 / np.cos(np.radians(field_dec))
    field_ra = (round(ra / narrow) * narrow) % 360
    header = fits.Header(
        {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": field_ra, "CRVAL2": field_dec}
    )
    header.update({"CDELT1": -scale / 3600, "CDELT2": scale / 3600, "CROTA1": 0.0, "CROTA2": 0.0})
    header.update({"BUNIT": "JY/BEAM ", "EQUINOX": 2000.0, "CRPIX1": 1.0, "CRPIX2": 1.0})
    x, y = WCS(header).world_to_pixel(SkyCoord(ra, dec, unit="deg", frame="fk5"))
    header["CRPIX1"] -= float(np.round(x - (image.shape[1] - 1) / 2))
    header["CRPIX2"] -= float(np.round(y - (image.shape[0] - 1) / 2))
    header.update(cards)
    header["COMMENT"] = "FIRST VLA 20cm?map"
    content = io.BytesIO()
    fits.PrimaryHDU(image.astype(">f4"), header).writeto(content)
    return content.getvalue().replace(b"20cm?map", b"20cm\tmap")


def key_of(ra: float, dec: float) -> tuple[int, int]:
    """Return what a position is found under, whatever way its digits came."""
    return round(ra * 3600), round(dec * 3600)


class SkyServer:
    """The server. Put images, faults and tables into its attributes before or while it is asked.

    ``faults[key_of(ra, dec)]`` lists what happens at one request after the other: "500", "busy", "html",
    "slow", "cut" (the connection ends within the file), "short" (the file ends early), "wrong field",
    "disconnect", "text", "small"; or, for good, "outside", "nan" and
    "blank" (as of a HiPS outside its survey). When it is empty, the image is served.
    """

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.files: dict[tuple[int, int], bytes] = {}
        self.faults: dict[tuple[int, int], list[str]] = defaultdict(list)
        self.vizier: dict[str, dict[str, Table]] = {}
        self.vizier_faults: list[str] = []
        self.skyview_down = False
        self.hips = {facts["hips"] for facts in HIPS.values()}
        self.slow = 1.0
        self.pause = 0.0
        self.log: list[tuple[str, Any, str, float]] = []
        self.forms: list[dict[str, str]] = []
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()

    def requests(self, kind: str = "first") -> list[tuple[Any, str]]:
        return [(key, outcome) for k, key, outcome, _ in self.log if k == kind]

    def served(self) -> Counter[Any]:
        """Return how often the file of each position was sent whole."""
        return Counter(key for key, outcome in self.requests() if outcome == "ok")

    def image(self, ra: float, dec: float, edge: int) -> np.ndarray:
        image = self.images[sum(key_of(ra, dec)) % len(self.images)]
        start = (image.shape[0] - edge) // 2
        return image[start : start + edge, start : start + edge]

    def cutout(self, ra: float, dec: float, edge: int, fault: str, scale: float = 1.8) -> bytes:
        """Return the file for a position, or what a fault makes of it."""
        if fault == "wrong field":
            dec += 0.1
        if fault == "small":
            edge -= 40
        image = self.image(ra, dec, edge)
        if fault == "nan":
            image = image.copy()
            image[:, :9] = np.nan
        if fault == "blank":
            image = np.full_like(image, np.nan)
        content = self.files.get(key_of(ra, dec)) or fits_file(image, ra, dec, scale=scale)
        return content[: len(content) // 2] if fault == "short" else content

    def votable(self, source: str, limit: str) -> bytes:
        tables = self.vizier[source]
        file = tree.VOTableFile()
        resource = tree.Resource(name=source)
        file.resources.append(resource)
        for name, table in tables.items():
            rows = table if limit == "unlimited" else table[: int(limit)]
            part = from_table(rows).get_first_table()
            part.name = f"{source}/{name}"
            resource.tables.append(part)
        content = io.BytesIO()
        file.to_xml(content)
        return content.getvalue()

    @contextmanager
    def running(self) -> Iterator[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"sky": self}))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    sky: SkyServer
    protocol_version = "HTTP/1.1"
    timeout = 5

    def log_message(self, *_: Any) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError, TimeoutError):  # of a client that was killed, or has had enough
            super().handle()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/cgi-bin/firstcutout":
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self.sky.forms.append(form)
            assert form["ImageType"] == "FITS File"
            hours, dec = map(float, form["RA"].split())
            edge = int(float(form["ImageSize"]) * 60 / 1.8 + 1e-6)
            self.cutout("first", hours * 15, dec, edge)
        elif self.path == "/viz-bin/votable":
            self.table(dict(line.partition("=")[::2] for line in body.splitlines()))
        else:
            self.answer(404, PAGE % b"Not Found")

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/hips2fits":
            self.sky.forms.append(query)
            if query["hips"] not in self.sky.hips:
                said = {"title": "Bad Request", "description": f"no HiPS matches {query['hips']}"}
                self.answer(400, json.dumps(said).encode())
                return
            assert (query["format"], query["projection"], query["coordsys"]) == ("fits", "TAN", "icrs")
            assert query["width"] == query["height"]
            scale = float(query["fov"]) * 3600 / int(query["width"])
            self.cutout("hips", float(query["ra"]), float(query["dec"]), int(query["width"]), scale)
        elif self.sky.skyview_down:
            self.answer(500, PAGE % b"SkyView is down")
        elif url.path == "/skyview/form.pl":
            self.answer(200, FORM.encode())
        elif url.path == "/skyview/runquery.pl":
            ra, dec = query["Position"].split()
            self.sky.forms.append(query)
            link = f"image.fits?ra={ra}&amp;dec={dec}&amp;pixels={query['pixels']}"
            self.answer(200, f"<html><a href='{link}'>FITS</a></html>".encode())
        elif url.path == "/skyview/image.fits":
            self.cutout("skyview", float(query["ra"]), float(query["dec"]), int(query["pixels"]))
        else:
            self.answer(404, PAGE % b"Not Found")

    def cutout(self, kind: str, ra: float, dec: float, edge: int, scale: float = 1.8) -> None:
        sky, key = self.sky, key_of(ra, dec)
        with sky.lock:
            faults = sky.faults[key] if kind in ("first", "hips") else []
            fault = (
                "" if not faults else faults[0] if faults[0] in ("outside", "nan", "blank") else faults.pop(0)
            )
            sky.busy += 1
            sky.most_busy = max(sky.most_busy, sky.busy)
        time.sleep(sky.slow if fault == "slow" else sky.pause)
        with sky.lock:
            sky.busy -= 1  # before the answer, upon which the next request may come
        content = sky.cutout(ra, dec, edge, fault, scale)
        outcome = fault or "ok"
        try:
            if fault == "500":
                self.answer(500, PAGE % b"Internal Server Error")
            elif fault == "busy":
                self.answer(503, PAGE % b"Busy", {"Retry-After": "1"})
            elif fault == "html":
                self.answer(200, PAGE % b"The archive is being maintained")
            elif fault == "outside":
                self.answer(200, PAGE % b"Sorry, this position is outside the FIRST survey region")
            elif fault == "text":
                self.answer(200, b"ERROR -17\n")
            elif fault == "disconnect":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            elif fault == "cut":
                self.head(200, len(content), {})
                self.wfile.write(content[: len(content) // 3])
                self.close_connection = True
            else:
                self.answer(200, content)
        except OSError:
            outcome = "lost"
            self.close_connection = True
        with sky.lock:
            sky.log.append((kind, key, outcome, time.monotonic()))

    def table(self, script: dict[str, str]) -> None:
        with self.sky.lock:
            fault = self.sky.vizier_faults.pop(0) if self.sky.vizier_faults else ""
            self.sky.log.append(("vizier", script["-source"], fault or "ok", time.monotonic()))
        content = self.sky.votable(script["-source"], "50" if fault == "50 rows" else script["-out.max"])
        if fault == "500":
            self.answer(500, PAGE % b"Internal Server Error")
        elif fault == "html":
            self.answer(200, PAGE % b"VizieR is being maintained")
        elif fault == "disconnect":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self.answer(200, content[: len(content) // 2] if fault == "short" else content)

    def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.head(status, len(content), headers or {})
        self.wfile.write(content)

    def head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
