"""A browser that is given the files of the built site."""

from __future__ import annotations

import gzip
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

ORIGIN = "http://localhost"  # clipboard and the like work here as they do on https
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


class Visitor:
    """A browser that is given the site's files, and a record of what went wrong and what was sent."""

    def __init__(self, browser: Browser, site: Path) -> None:
        self.browser, self.site = browser, site
        self.wrong: list[str] = []
        self.sent: dict[str, int] = {}

    def page(self, **options: Any) -> Page:
        """Open a window."""
        context = self.browser.new_context(**{"viewport": DESKTOP, **options})
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=ORIGIN)
        page = context.new_page()
        page.route("**/*", self.answer)
        page.on("console", self.listen)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        return page

    def listen(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def answer(self, route: Route) -> None:
        """Give the file that is asked for, and note what is not of this site."""
        parts = urlsplit(route.request.url)
        file = self.site / unquote(parts.path).lstrip("/")
        if f"{parts.scheme}://{parts.netloc}" != ORIGIN:
            self.wrong.append(f"asks another host: {route.request.url}")
            route.abort()
        elif not file.is_file():
            if parts.path != "/favicon.ico":
                self.wrong.append(f"not there: {route.request.url}")
            route.fulfill(status=404, body="")
        else:
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            content = file.read_bytes()
            # Servers compress text, as pictures and fonts are already.
            text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
            self.sent[parts.path] = len(gzip.compress(content) if text else content)
            route.fulfill(body=content, content_type=kind)
