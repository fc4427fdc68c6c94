"""What all tests share: nothing is written outside of temporary folders, whatever the environment says."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from samples import ROOT

import radiosynth

if TYPE_CHECKING:
    from playwright.sync_api import Browser

os.environ["MPLBACKEND"] = "agg"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # radiosynth does so, but tests import Keras before it
# The same examples every time; `pytest --hypothesis-profile default` looks for others.
with suppress(ImportError):  # tests of the site need no examples
    import hypothesis

    hypothesis.settings.register_profile("fixed", derandomize=True)
    hypothesis.settings.load_profile("fixed")
# A shell starts background jobs deaf to Ctrl-C, and processes that tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep runs, figures and tables of tests away from those of the source tree."""
    # The package keeps what it is asked for first: not what a test has put in its place for a while.
    assert radiosynth.load_first_dataset
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADIOSYNTH_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setenv("RADIOSYNTH_PAPER", str(tmp_path_factory.mktemp("paper")))
        patch.setenv("RADIOSYNTH_SCALE", "smoke")
        yield


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the root of the source tree."""
    return ROOT


@pytest.fixture(scope="module")  # two at a time in one process would be refused
def browser() -> Iterator[Browser]:
    """Start Chromium."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="install playwright: pip install radiosynth[browser]"
    )
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium on this machine")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()
