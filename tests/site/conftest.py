"""What the tests of the built site share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from visiting import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def site() -> Path:
    """Return the folder of the built site."""
    folder = Path(os.environ.get("RADIOSYNTH_SITE", "/nowhere"))
    if not (folder / "index.html").exists():
        pytest.skip("no built site: `tox -e docs` builds one and names it in RADIOSYNTH_SITE")
    return folder


@pytest.fixture
def visitor(browser: Browser, site: Path) -> Iterator[Visitor]:
    """Visit the site; at the end of a test nothing may have gone wrong."""
    visitor = Visitor(browser, site)
    yield visitor
    for context in browser.contexts:
        context.close()
    assert visitor.wrong == []
