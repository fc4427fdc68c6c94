"""The page that classifies: it says of a file what Python says: probabilities, notes and errors."""

from __future__ import annotations

import gzip
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray
from PIL import Image
from samples import ROOT
from visiting import ORIGIN, PHONE, Visitor

from radiosynth import Sample, read_cutouts
from radiosynth.simulation import Observation, draw_parameters, render

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from radiosynth import Classifier

pytestmark = pytest.mark.browser
DONE = "window.radiosynthClassify.last !== undefined"


@pytest.fixture(scope="module")
def shown(site: Path) -> Iterator[Classifier]:
    """Return the classifier of the page, as Python has it."""
    if not (site / "_static" / "classify.js").exists():
        pytest.skip("the site was built without npm: its page does not classify")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs" / "_ext"))
        import classify_page

        yield classify_page.shown_classifier()


@pytest.fixture(scope="module")
def guest(browser: Browser, site: Path, shown: Classifier) -> Iterator[Visitor]:
    """Visit the site; after all tests nothing may have gone wrong."""
    visitor = Visitor(browser, site)
    yield visitor
    assert visitor.wrong == []


def test_the_examples_are_what_they_are_called(shown: Classifier) -> None:
    import classify_page

    images = classify_page.examples()
    names = Table({"name": list(classify_page.EXAMPLES)})
    table = shown.classify(Sample(images, np.full(len(images), -1), names))
    assert table["class"].tolist() == [kind for kind, *_ in classify_page.EXAMPLES.values()]
    assert table.meta["notes"] == []


@pytest.fixture(scope="module")
def page(guest: Visitor) -> Page:
    return opened(guest)


def opened(guest: Visitor, **options: Any) -> Page:
    made = guest.page(**options)
    made.goto(f"{ORIGIN}/interactive/classify.html")
    return made


def seen(kind: str = "FRII", size: int = 200, rms: float = 0.01, seed: int = 1) -> NDArray[np.float32]:
    """Return a simulated source with the noise of a telescope, in Jy/beam."""
    rng = np.random.default_rng(seed)
    telescope = Observation(rms=rms, pixel_scale=1.8)
    parameters = draw_parameters({kind: 1}, rng=rng)
    return render(parameters, size, observation=telescope, scale=False, rng=rng)[0] * 0.01


def header(size: int, scale: float = 1.8, degrees: float = 0.0, **more: Any) -> fits.Header:
    """Return coordinates half a degree from their reference point, as cutouts of FIRST have them."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    step = scale / 3600
    cards = {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 150.0, "CRVAL2": 40.0, "EQUINOX": 2000.0}
    cards |= {"CRPIX1": size / 2 + 1000, "CRPIX2": size / 2 + 0.5}
    cards |= {"CD1_1": -step * cosine, "CD1_2": step * sine, "CD2_1": step * sine, "CD2_2": step * cosine}
    return fits.Header({key.replace("__", "-"): value for key, value in (cards | more).items()})


def written(image: NDArray[Any], cards: fits.Header | None = None, *, extension: bool = False) -> bytes:
    file = io.BytesIO()
    if extension:
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, cards)]).writeto(file)
    else:
        fits.PrimaryHDU(image, cards).writeto(file)
    return file.getvalue()


def picture(image: NDArray[np.float32], **options: Any) -> bytes:
    grey = np.rint(255 * np.clip(image / image.max(), 0, 1)).astype(np.uint8)[::-1]
    file = io.BytesIO()
    Image.fromarray(grey).save(file, format="PNG", **options)
    return file.getvalue()


def edged(value: float, columns: int = 40) -> NDArray[np.float32]:
    image = seen("compact")
    image[:, :columns] = value
    return image


GOOD: dict[str, Callable[[], bytes]] = {
    "raw.fits": lambda: written(seen(), header(200)),
    "without coordinates.fits": lambda: written(seen("bent", 151)),
    "packed.fits.gz": lambda: gzip.compress(written(seen("FRI"), header(200))),
    "faint.fits": lambda: written(seen(rms=0.1), header(200)),
    "very faint.fits": lambda: written(seen(rms=0.23), header(200)),
    "nan at the border.fits": lambda: written(edged(np.nan), header(200)),
    "zeros at the border.fits": lambda: written(edged(0), header(200)),
    "a value at the border.fits": lambda: written(edged(1e-9), header(200)),
    "-9999 at the border.fits": lambda: written(edged(-9999), header(200)),
    "two blank values.fits": lambda: written(np.where(edged(0, 3) == 0, 1e20, edged(-9999)), header(200)),
    "offset.fits": lambda: written((seen() + 7) * 1e-20, header(200)),
    "axes of length one.fits": lambda: written(seen("bent")[None, None], header(200)),
    "extension.fits": lambda: written(seen().astype(">f8"), header(200), extension=True),
    "integers.fits": lambda: written(np.rint(seen() * 1e5).astype(np.int16), header(200)),
    "mirrored.fits": lambda: written(seen("bent")[:, ::-1], header(200, CD1_1=1.8 / 3600)),
    "turned by 90.fits": lambda: written(np.rot90(seen("bent")), header(200, degrees=90)),
    "turned by 30.fits": lambda: written(seen("bent", 230), header(230, degrees=30)),
    "turned by 30, too small.fits": lambda: written(seen("bent", 150), header(150, degrees=30)),
    "oblong pixels.fits": lambda: written(seen("bent", 220), header(220, CD2_2=1.7 / 3600)),
    "pixels of another width.fits": lambda: written(seen(), header(200, 1.5)),
    "a coarse beam.fits": lambda: written(seen(), header(200, BMAJ=45 / 3600)),
    "a sharp beam.fits": lambda: written(seen(), header(200, BMAJ=2.5 / 3600)),
    "picture.png": lambda: picture(seen("bent", rms=0.005)),
    "thresholded.png": lambda: picture(np.where(seen("FRI") > 0.001, seen("FRI"), 0)),
    "stretched.png": lambda: picture(np.sqrt(np.clip(seen(rms=0.02), 0, None))),
    "saturated.png": lambda: picture(np.minimum(seen(rms=0.002), 0.3)),
    "transparent.png": lambda: picture(edged(0, 40) + 0.001, transparency=0),
}

BAD: dict[str, Callable[[], bytes]] = {
    "too small.fits": lambda: written(seen(size=100), header(100)),
    "blank.fits": lambda: written(np.zeros((200, 200), np.float32), header(200)),
    "noise below the threshold.fits": lambda: written(np.where(np.indices((200, 200))[0] % 2, 1.0, 2.0)),
    "all nan.fits": lambda: written(np.full((200, 200), np.nan), header(200)),
    "through the source.fits": lambda: written(edged(np.nan, 100), header(200)),
    "large constant.fits": lambda: written(seen().astype(float) + 1e6),
    "a cube.fits": lambda: written(np.array([seen(), seen()]), header(200)),
    "no image.fits": lambda: written(None, None),
    "half of it.fits": lambda: written(seen(), header(200))[:60_000],
    "half of the header.fits": lambda: written(seen(), header(200))[:300],
    "page.fits": lambda: b"\n<!DOCTYPE html><html><body>Error 500</body></html>",
    "empty.fits": lambda: b"",
    "table.csv": lambda: b"ra,dec\n1,2\n",
    "half.png": lambda: picture(seen())[:500],
    "a matrix and an angle.fits": lambda: written(seen(), header(200, CROTA1=30.0)),
    "no types.fits": lambda: written(seen(), fits.Header({"CRVAL1": 180.0, "CRVAL2": 30.0})),
    "no reference.fits": lambda: written(seen(), fits.Header({**header(200), "CRPIX1": "x"})),
    "tiny pixels.fits": lambda: written(seen(), header(200, 5e-4)),
}


def answer(page: Page, name: str, content: bytes) -> dict[str, Any]:
    """Give a file to the page, and return what it answers."""
    page.evaluate("window.radiosynthClassify.last = undefined")
    page.set_input_files("#classify-file", {"name": name, "mimeType": "", "buffer": content})
    page.wait_for_function(DONE)
    return page.evaluate(
        "({ ...radiosynthClassify.last, image: [...(radiosynthClassify.last.image ?? [])] })"
    )


@pytest.mark.parametrize("name", GOOD)
def test_a_file_gets_the_probabilities_and_notes_of_python(
    page: Page, shown: Classifier, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(GOOD[name]())
    with caplog.at_level(logging.WARNING, "radiosynth"):
        table = shown.classify([path])
    found = answer(page, name, path.read_bytes())
    assert "error" not in found
    expected = [float(table[kind][0]) for kind in shown.card["classes"]]
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-3)
    ready = shown.prepare(shown.read([path])).images[0].ravel()
    np.testing.assert_allclose(found["image"], ready, atol=1e-4)
    notes = [doubt for _, doubt in table.meta["notes"]]
    assert found["notes"][: len(notes)] == notes
    warned = [record.getMessage() for record in caplog.records]
    more = found["notes"][len(notes) :]
    assert len(set(more)) == len(set(warned))
    for note in more:
        assert any(note.split(";")[0] in text or note in text for text in warned), (note, warned)
    assert page.locator(".classify-notes li").all_inner_texts() == found["notes"]


@pytest.mark.parametrize("name", BAD)
def test_an_error_is_that_of_python(page: Page, shown: Classifier, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BAD[name]())
    with pytest.raises(ValueError, match=r".") as error:
        shown.prepare(read_cutouts([path], size=shown.card["crop"], nan="keep"))
    found = answer(page, name, path.read_bytes())
    said = str(error.value).replace("npy, ", "")  # which the page does not read
    fault, _, advice = found["error"].partition("; ")
    assert fault.split(":")[0] in said
    assert advice.split(" (")[0] in said
    assert page.locator(".classify-error").inner_text() == f"{name}: {found['error']}"
    assert "probabilities" not in found


@pytest.mark.parametrize(
    ("name", "cards", "said"),
    [
        ("galactic", {"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN"}, "CTYPE1 is 'GLON-SIN'"),
        ("another projection", {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR"}, "CTYPE1 is 'RA---CAR'"),
        ("old", {"EQUINOX": 1950.0}, "EQUINOX is '1950'"),
    ],
)
def test_what_only_python_reads_is_named(page: Page, name: str, cards: dict[str, Any], said: str) -> None:
    found = answer(page, f"{name}.fits", written(seen(), fits.Header({**header(200), **cards})))
    assert said in found["error"]
    assert "classify it with Python" in found["error"]


@pytest.mark.parametrize(("bits", "said"), [("16", "16 bits"), ("fpack", "funpack")])
def test_other_files_that_only_python_reads_are_named(page: Page, bits: str, said: str) -> None:
    file = io.BytesIO()
    if bits == "16":
        Image.fromarray((seen() * 1e6).clip(0, 65535).astype(np.uint16)).save(file, format="PNG")
    else:
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(seen())]).writeto(file)
    assert said in answer(page, "file", file.getvalue())["error"]


def test_options_are_those_of_the_command_line(guest: Visitor, shown: Classifier, tmp_path: Path) -> None:
    page, path = opened(guest), tmp_path / "other.fits"
    path.write_bytes(written(seen("bent", 260), header(260, 1.5)))
    assert "pixels of 1.50 arcsec" in answer(page, path.name, path.read_bytes())["notes"][0]
    page.get_by_text("Options").click()
    page.get_by_label("Resample").check()
    page.wait_for_function(DONE)
    page.get_by_label("Central pixels").fill("120")
    page.get_by_label("Central pixels").blur()
    page.wait_for_function("radiosynthClassify.last?.notes.every((note) => !note.startsWith('pixels of'))")
    table = shown.classify([path], crop=120, pixel_scale=1.8)
    expected = [float(table[kind][0]) for kind in shown.card["classes"]]
    np.testing.assert_allclose(page.evaluate("radiosynthClassify.last.probabilities"), expected, atol=1e-3)
    page.get_by_label("Central pixels").fill("7")
    page.get_by_label("Central pixels").blur()
    page.wait_for_function("radiosynthClassify.last?.error !== undefined")
    assert "from 16 to 192" in page.get_by_role("status").inner_text()


def test_the_network_is_loaded_when_it_is_needed_and_its_size_is_said(guest: Visitor) -> None:
    page = guest.page(viewport=PHONE, color_scheme="dark")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{ORIGIN}/interactive/classify.html")
    page.wait_for_selector("#classify.ready")
    assert not any("network.js" in url for url in asked)
    size = (guest.site / "_static" / "network.js").stat().st_size / 1e6
    assert f"{size:.1f} MB" in page.locator("#classify").inner_text()
    page.get_by_role("button", name="Compact").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(DONE)
    assert sum("network.js" in url for url in asked) == 1
    said = page.get_by_role("status")
    assert said.get_attribute("aria-live") == "polite"
    for label in ("FR I", "FR II", "Bent-tailed", "Compact", "%"):
        assert label in said.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    picture = page.locator("#classify canvas").bounding_box()
    assert picture
    assert picture["y"] < PHONE["height"]


def test_each_example_is_classified(page: Page) -> None:
    names = page.evaluate("radiosynthClassify.card.examples")
    assert len(names) == 6
    for name in names:
        page.get_by_role("button", name=name, exact=True).click()
        page.wait_for_function(f"radiosynthClassify.last?.name === {name!r}")
        assert sum(page.evaluate("radiosynthClassify.last.probabilities")) == pytest.approx(1)


def test_a_file_can_be_dropped(page: Page) -> None:
    page.evaluate("window.radiosynthClassify.last = undefined")
    page.evaluate(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.fits"));
          const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
          document.querySelector(".classify-drop").dispatchEvent(event);
        }""",
        list(written(seen(), header(200))),
    )
    page.wait_for_function(DONE)
    assert "dropped.fits" in page.get_by_role("status").inner_text()


def test_a_flag_of_the_network_is_shown(guest: Visitor) -> None:
    page = opened(guest)
    page.get_by_role("button", name="Compact").click()
    page.wait_for_function(DONE)
    page.evaluate(
        """() => {
          const { predict } = window.radiosynthNetwork;
          window.radiosynthNetwork.predict = async (image) => ({ ...await predict(image), oddness: [2.5] });
        }"""
    )
    page.get_by_role("button", name="Bent-tailed").click()
    page.wait_for_selector(".classify-notes li")
    assert "an oddness of 2.5: it fits none of the classes" in page.get_by_role("status").inner_text()
