"""The page of classified sources, driven by keyboard in a real Chromium without a window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.table import Table
from test_review_page import NASTY, make_sample, press, until

from radiosynth import CLASS_NAMES
from radiosynth.classification.page import class_page

if TYPE_CHECKING:
    from playwright import sync_api as playwright

SURE = [0.5, 0.9, 0.4, 0.7, 0.8]
FOUND = [0, 1, 2, 3, 1]


def classified() -> Table:
    """Return what a classifier may say of five of the six sources."""
    sample = make_sample()
    table = Table({"name": sample.table["name"][:5], "class": [CLASS_NAMES[code] for code in FOUND]})
    for code, name in enumerate(CLASS_NAMES):
        table[name] = [
            sure if code == found else (1 - sure) / 3 for sure, found in zip(SURE, FOUND, strict=True)
        ]
    table["score"] = np.arange(5)
    table.meta = {
        "model": "mine",
        "skipped": [("gone.fits", "is damaged")],
        "left_out": [("J0006", "no pixel above the noise")],
        "notes": [("J0002", "pixels of 3″")],
    }
    return table


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_page(make_sample(), classified(), tmp_path_factory.mktemp("page") / "classes.html")


@pytest.fixture
def page(browser: playwright.Browser, page_file: Path) -> Iterator[playwright.Page]:
    """Open the page, and fail the test if it asks for anything or meets an error."""
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    opened, wrong = context.new_page(), []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda message: wrong.append(message.text))
    opened.on("request", lambda asked: None if asked.url.startswith("file:") else wrong.append(asked.url))
    opened.goto(page_file.as_uri())
    until(opened, "[...document.querySelectorAll('#cells canvas')].every(canvas => canvas.drawn)")
    yield opened
    context.close()
    assert not wrong


def shown(page: playwright.Page) -> list[str]:
    return page.eval_on_selector_all("#cells .cell", "all => all.map(cell => cell.title)")


def test_it_shows_image_class_probabilities_and_flags(page: playwright.Page) -> None:
    assert shown(page) == ["J0001", "J0002", "J0003", NASTY, "J0005"]
    assert page.eval_on_selector_all("#cells b", "all => all.map(b => b.textContent)") == [
        *("FR I 50 %", "FR II 90 %", "Bent-tailed 40 %", "Compact 70 %", "FR II 80 %")
    ]
    second = page.locator("#cells .cell").nth(1)
    assert "pixels of 3″" in second.inner_text()
    widths = second.locator(".bar i").evaluate_all("all => all.map(i => parseFloat(i.style.width))")
    assert widths == pytest.approx([10 / 3, 90, 10 / 3, 10 / 3], abs=0.01)
    assert page.inner_text("#status") == "5 of 5 sources · mine"
    page.click("#left summary")
    assert page.inner_text("#left li:first-of-type") == "gone.fits: is damaged"
    assert "J0006: no pixel above the noise" in page.inner_text("#left ul")


def test_it_is_sorted_filtered_and_searched(page: playwright.Page) -> None:
    press(page, "s")
    assert shown(page) == ["J0003", "J0001", NASTY, "J0005", "J0002"]
    page.select_option("#sort", label="Most certain first")
    page.select_option("#filter", label="FR II (2)")
    assert shown(page) == ["J0002", "J0005"]
    press(page, "Escape", "0", "/")
    page.keyboard.type("j0003")
    assert shown(page) == ["J0003"]
    page.fill("#find", "nowhere")
    assert page.is_visible("#empty")


def test_a_source_is_opened_and_left_by_keyboard(page: playwright.Page) -> None:
    page.focus("#cells .cell")
    press(page, "ArrowRight", "Enter")
    until(page, "[...document.querySelectorAll('#pictures canvas')].every(canvas => canvas.drawn)")
    assert page.inner_text("#name") == "J0002"
    assert page.inner_text("#said tr:nth-child(2)").split("\t")[:2] == ["FR II", "0.900"]
    assert "score 1" in page.inner_text("#note")
    assert "pixels of 3″" in page.inner_text("#flags")
    box, picture = page.locator("#one").bounding_box(), page.locator("#pictures").bounding_box()
    assert box
    assert picture
    assert picture["height"] > 200  # nothing lies over anything else
    assert picture["y"] + picture["height"] <= box["y"] + box["height"]
    press(page, "ArrowRight", "i")
    assert page.inner_text("#name") == "J0003"
    press(page, "Escape")
    assert not page.is_visible("#one")
    until(page, "document.activeElement.title === 'J0003'")  # the browser tells of the closing a moment later


def test_nothing_is_wider_than_a_phone(browser: playwright.Browser, page_file: Path) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.tap("#cells .cell")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()


def test_what_the_page_refuses(tmp_path: Path) -> None:
    path = tmp_path / "classes.html"
    path.write_text("<!DOCTYPE html>\n<title>mine</title>")
    with pytest.raises(ValueError, match="exists, and is not what would be written"):
        class_page(make_sample(), classified(), path)
    with pytest.raises(ValueError, match="a table of 5 and a sample of 3 sources"):
        class_page(make_sample()[:3], classified(), tmp_path / "other.html")
    twice = make_sample()
    twice.table["name"][1] = twice.table["name"][0]
    with pytest.raises(ValueError, match="two sources are named J0001: give each its own name"):
        class_page(twice, classified(), tmp_path / "other.html")
    other = classified()
    other["class"] = "spiral"
    lacking = classified()
    lacking.remove_column("bent")
    for table in (other, lacking):
        with pytest.raises(ValueError, match="the table others: write it alone"):
            class_page(make_sample(), table, tmp_path / "other.html")
    class_page(make_sample(), classified(), tmp_path / "again.html")
    class_page(make_sample(), classified(), tmp_path / "again.html")
