"""The review page, driven by keyboard in a real Chromium without a window."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.table import Table

from radiosynth import selection
from radiosynth.sample import Sample

if TYPE_CHECKING:
    from playwright import sync_api as playwright

SIZE = 40
NASTY = '</script><img src=x onerror="document.title=1">, "quoted"'
NAMES = ["J0001", "J0002", "J0003", NASTY, "J0005", "J0006"]


def make_sample(n: int = 6, size: int = SIZE) -> Sample:
    """Return noise with a source in the north-east quarter of each image: high row, low column."""
    rng = np.random.default_rng(0)
    images = rng.normal(0, 1, (n, size, size)).astype("f4")
    images[:, int(0.8 * size) : int(0.8 * size) + 4, 5:9] += 200
    names = NAMES if n == len(NAMES) else [f"J{i:04}" for i in range(n)]
    table = Table({"name": names, "catalogue": ["FRICAT"] * n, "ra": rng.random(n) * 300, "dec": [3.0] * n})
    table.meta["skipped"] = [("J9999", "outside the survey")]
    return Sample(images, np.arange(n) % 4, table)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return selection.review_page(make_sample(), tmp_path_factory.mktemp("page") / "review.html")


@pytest.fixture
def page(browser: playwright.Browser, page_file: Path) -> Iterator[playwright.Page]:
    """Open the page, and fail the test if it asks for anything or meets an error."""
    context = browser.new_context(viewport={"width": 1300, "height": 800})
    opened, wrong = context.new_page(), []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda message: wrong.append(message.text))
    opened.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "blob:")) else wrong.append(request.url),
    )
    opened.goto(page_file.as_uri())
    wait_for_picture(opened)
    yield opened
    context.close()
    assert not wrong


def until(page: playwright.Page, condition: str) -> None:
    """Wait for a condition; the page's own rules forbid playwright's way of doing so."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"not within ten seconds: {condition}")


def wait_for_picture(page: playwright.Page) -> None:
    until(page, "[...document.querySelectorAll('#pictures canvas')].every(c => c.drawn)")


def press(page: playwright.Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def name(page: playwright.Page) -> str:
    return page.inner_text("#name")


def status(page: playwright.Page) -> list[int]:
    """Return the numbers decided, of all, kept, relabelled and dropped."""
    return [int(n) for n in re.findall(r"\d+", page.inner_text("#status"))[:5]]


def exported(page: playwright.Page, folder: Path) -> Path:
    with page.expect_download() as download:
        press(page, "e")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_images_have_north_up_and_east_left(page: playwright.Page) -> None:
    for stretch in (0, 1):
        x, y = page.evaluate(
            """which => {
                const canvas = document.querySelectorAll("#pictures canvas")[which];
                const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                let best = 0;
                for (let i = 0; i < data.length; i += 4)
                    if (data[i] + data[i + 1] > data[best] + data[best + 1]) best = i;
                return [best / 4 % canvas.width, Math.floor(best / 4 / canvas.width)];
            }""",
            stretch,
        )
        assert 5 <= x < 9
        assert SIZE - 1 - 36 < y <= SIZE - 1 - 32
    assert page.inner_text("#place") == "1 of 6 · FR I · FRICAT"
    assert re.fullmatch(r"\d\dh\d\dm[\d.]+s \+03d00m00\.0s", page.inner_text("#note"))
    assert "off the middle" in page.inner_text("#numbers")


@pytest.mark.parametrize(("scale", "text", "length"), [(1.8, "10″", 10 / 1.8), (3.6, "1′", 60 / 3.6)])
def test_a_scale_bar_that_fits(
    browser: playwright.Browser, tmp_path: Path, scale: float, text: str, length: float
) -> None:
    path = selection.review_page(
        make_sample(), tmp_path / "page.html", cuts=selection.Cuts(pixel_scale=scale)
    )
    page = browser.new_page()
    page.goto(path.as_uri())
    widths = page.eval_on_selector_all(
        "#pictures svg path:first-child", "all => all.map(p => p.getBBox().width)"
    )
    assert widths == pytest.approx([length] * 2, rel=1e-3)
    assert page.text_content("#pictures svg text") == text
    page.close()


def test_deciding_by_keyboard_to_a_file_that_is_applied(page: playwright.Page, tmp_path: Path) -> None:
    press(page, "k", "1", "g", "k", "9")
    assert status(page) == [5, 6, 2, 1, 2]
    assert name(page) == "J0006"
    page.fill("#reader", "Ann Example")
    press(page, "Enter")
    path = exported(page, tmp_path)
    assert path.name.startswith("decisions-Ann_Example-")
    decisions = selection.read_decisions(path)
    assert decisions["name"].tolist() == NAMES[:5]
    assert decisions["decision"].tolist() == ["keep", "drop", "relabel", "keep", "drop"]
    assert decisions["reason"].tolist() == ["", "duplicate", "", "", "other"]
    assert decisions["class"].tolist() == ["FRI", "FRII", "FRII", "compact", "FRI"]
    assert set(decisions["reader"]) == {"Ann Example"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", decisions["time"][0])
    kept = selection.apply_decisions(make_sample(), decisions, undecided="drop")
    assert kept.table["name"].tolist() == ["J0001", "J0003", NASTY]
    assert kept.labels.tolist() == [0, 1, 3]


def test_a_key_held_down_decides_once_and_moves_on(page: playwright.Page) -> None:
    for _ in range(3):
        page.keyboard.down("k")
    page.keyboard.up("k")
    assert status(page)[0] == 1
    for _ in range(3):
        page.keyboard.down("ArrowRight")
    assert name(page) == "J0005"


def test_relabelling_to_its_own_class_keeps(page: playwright.Page) -> None:
    press(page, "f")
    assert status(page) == [1, 6, 1, 0, 0]


def test_undo_and_redo(page: playwright.Page) -> None:
    assert page.is_disabled("#undo")
    press(page, "k", "2", "z")
    assert (status(page)[0], name(page)) == (1, "J0002")
    press(page, "Control+z", "z")
    assert (status(page)[0], name(page)) == (0, "J0001")
    press(page, "y", "Control+y", "Control+Shift+z")
    assert status(page) == [2, 6, 1, 0, 1]
    press(page, "z", "k")
    assert page.is_disabled("#redo")
    press(page, "ArrowLeft", "x")
    assert status(page) == [1, 6, 1, 0, 0]


def test_decisions_outlive_the_page(page: playwright.Page, page_file: Path) -> None:
    press(page, "k", "k", "3")
    page.reload()
    assert status(page) == [3, 6, 2, 0, 1]
    assert name(page) == NASTY
    other = page.context.new_page()
    other.goto(page_file.as_uri())
    other.keyboard.press("k")
    until(page, "document.title.startsWith('4/6')")  # two tabs show the same
    assert page.title() == "4/6 Review of sources"


def test_each_reader_has_decisions_of_their_own(page: playwright.Page) -> None:
    def sign(who: str) -> None:
        page.fill("#reader", who)
        press(page, "Enter")

    press(page, "k", "k")
    sign("Ann")
    assert status(page)[0] == 2  # what she decided before she gave her name is hers
    sign("Bob")
    assert status(page)[0] == 0
    press(page, "1")
    sign("Ann")
    assert status(page) == [2, 6, 2, 0, 0]
    page.reload()
    assert page.input_value("#reader") == "Ann"


def test_import_is_checked_and_can_be_undone(page: playwright.Page, tmp_path: Path) -> None:
    press(page, "k", "1", "b", "5")
    path = exported(page, tmp_path)
    press(page, "z", "z", "z", "z")
    page.set_input_files("#file", path)
    until(page, "document.title.startsWith('4/6')")
    press(page, "z")
    assert status(page)[0] == 0
    bad = tmp_path / "bad.csv"
    bad.write_text("name,decision\nJ0001,keep\nelsewhere,keep\n")
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.accept()))
    page.set_input_files("#file", bad)
    page.wait_for_timeout(200)
    assert "unknown source “elsewhere”" in said[0]
    assert status(page)[0] == 0
    press(page, "Home", "8")
    page.set_input_files("#file", path)
    until(page, "document.title.startsWith('4/6')")
    assert said[1].startswith("1 of your decisions differ")


def test_filters_and_going_to(page: playwright.Page) -> None:
    press(page, "k", "1", "Home")
    page.select_option("#filter", "undecided")
    assert name(page) == "J0003"
    press(page, "k")
    assert name(page) == NASTY
    press(page, "ArrowLeft")
    assert name(page) == NASTY  # the first that is left
    page.select_option("#filter", "class 1")
    press(page, "End")
    assert name(page) == "J0006"
    page.select_option("#filter", "drop")
    assert name(page) == "J0002"
    page.select_option("#filter", "flag off_centre")
    assert "6 in the list" not in page.inner_text("#status")
    page.select_option("#filter", "all")
    for text, found in (("5", "J0005"), ("j0002", "J0002"), ("006", "J0006")):
        press(page, "/")
        page.keyboard.type(text)
        press(page, "Enter")
        assert name(page) == found
    press(page, "Home", "u")
    assert name(page) == NASTY


def test_the_overview_by_keyboard(page: playwright.Page) -> None:
    press(page, "v")
    until(page, "document.querySelectorAll('#cells canvas').length === 6")
    assert page.evaluate("document.activeElement.i") == 0
    press(page, "ArrowRight", "4")
    assert status(page) == [1, 6, 0, 0, 1]
    assert page.evaluate("document.activeElement.i") == 2
    assert "dropped" in (page.get_attribute("#cells .cell:nth-child(2)", "aria-label") or "")
    press(page, "Enter")
    assert (page.is_visible("#one"), name(page)) == (True, "J0003")
    press(page, "v", "Escape")
    assert page.is_visible("#one")


def test_help_and_theme(page: playwright.Page) -> None:
    press(page, "?")
    assert page.is_visible("#helptext")
    assert "1 sources have no image" in page.inner_text("#skipped")
    press(page, "k")  # decides nothing behind the help
    press(page, "Escape")
    assert status(page)[0] == 0
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_typing_a_name_decides_nothing(page: playwright.Page) -> None:
    page.click("#reader")
    page.keyboard.type("kk1fx")
    press(page, "Escape")
    assert status(page)[0] == 0


def test_everything_can_be_reached_and_has_a_name(page: playwright.Page) -> None:
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input:not([hidden]), select")]
            .filter(e => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length))
            .map(e => e.outerHTML)"""
    )
    assert not nameless
    reached = set()
    for _ in range(40):
        press(page, "Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"view", "filter", "goto", "export", "import", "reader", "theme", "help"} <= reached
    assert {"kKeep", "1same source twice", "cCompact"} <= reached


def test_a_browser_that_keeps_nothing_warns(browser: playwright.Browser, page_file: Path) -> None:
    context = browser.new_context()
    context.add_init_script("Storage.prototype.setItem = () => { throw new Error('full'); }")
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert "Export your decisions before you close it" in page.inner_text("#warning")
    page.keyboard.press("k")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.click("#name")  # browsers ask only where the reader has touched the page
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert asked == ["beforeunload"]
    context.close()


def test_nothing_is_wider_than_a_phone(browser: playwright.Browser, page_file: Path) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto(page_file.as_uri())
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.keyboard.press("v")
    context.close()


def test_colours_have_contrast_in_both_themes(page_file: Path) -> None:
    def luminance(colour: str) -> float:
        digits = colour if len(colour) == 6 else "".join(c * 2 for c in colour)
        parts = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    pairs = dict(re.findall(r"--(\w+): light-dark\(#(\w+, #\w+)\)", page_file.read_text("utf-8")))
    assert {"ink", "soft", "keep", "drop", "relabel", "flag"} <= set(pairs)
    for text in ("ink", "soft", "keep", "drop", "relabel", "flag"):
        for ground in ("page", "card"):
            for one, other in zip(pairs[text].split(", #"), pairs[ground].split(", #"), strict=True):
                dark, bright = sorted([luminance(one), luminance(other)])
                assert (bright + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {ground}"


def test_fifteen_hundred_sources_open_and_answer_at_once(browser: playwright.Browser, tmp_path: Path) -> None:
    path = selection.review_page(make_sample(1500, 150), tmp_path / "many.html")
    assert path.stat().st_size < 30e6
    page = browser.new_page(viewport={"width": 1300, "height": 800})
    page.goto(path.as_uri())
    wait_for_picture(page)
    assert page.evaluate("performance.now()") < 5000  # 750 ms on two cores that did nothing else
    took = page.evaluate(
        """async () => {
            const times = [], frame = () => new Promise(requestAnimationFrame);
            for (const [before, keys] of [[null, "kk1kf"], ["v", "kk1kf"]]) {
                if (before) toggle();
                for (const key of keys) {
                    const begun = performance.now();
                    document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
                    await frame(); await frame();
                    times.push(performance.now() - begun);
                }
            }
            return times;
        }"""
    )
    assert np.median(took) < 200, took
    assert status(page)[0] == 10
    page.keyboard.press("End")
    until(page, "[...document.querySelectorAll('#cells .cell')].at(-1).firstChild.drawn")
    drawn = page.evaluate("[...document.querySelectorAll('#cells canvas')].filter(c => c.width).length")
    assert 10 < drawn < 400  # only what is seen is drawn
    page.close()
