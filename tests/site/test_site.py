"""The built site: what every page must have, and what it does in a real browser.

``tox -e docs`` builds the site and then runs these; without a site to look at, or without Chromium, they
are skipped. No socket is opened: what the browser asks for is read from the folder.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image
from samples import ROOT
from visiting import ORIGIN, PHONE, Visitor

from radiosynth import load_report_candidates
from radiosynth.metrics import class_mean
from radiosynth.reproduction import analysis, protocol, verdict
from radiosynth.taxonomy import CLASS_NAMES

PAGES = [
    "index.html",
    "report.html",
    "learn.html",
    "extend.html",
    "contributing.html",
    "errata.html",
    "methods/simulation.html",
    "methods/gan.html",
    "methods/runs_and_scales.html",
    "howto/colab.html",
    "howto/cluster.html",
    "howto/citing.html",
    "interactive/index.html",
    "interactive/classify.html",
    "interactive/generator.html",
    "interactive/simulator.html",
    "notebooks/train_a_gan.html",
    "notebooks/explore_the_simulation.html",
    "notebooks/review_a_sample.html",
    "gallery.html",
    "gallery/report/index.html",
    "gallery/studies/index.html",
    "gallery/extensions/index.html",
    "gallery/report/plot_fig09_gan_training.html",
    "gallery/report/plot_fig12_training_curves.html",
    "gallery/report/plot_table3_split.html",
    "api/index.html",
    "api/generated/radiosynth.simulate.html",
]


# What the files say ----------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Collect what a page shows, links to and loads."""

    LOADING = ("script", "img", "source", "video", "iframe", "embed")

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.images: list[tuple[str, str]] = []
        self.headings = 0
        self.language = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        values = {key: value or "" for key, value in attributes}
        self.ids.update(values[key] for key in ("id", "name") if key in values)
        self.headings += tag == "h1"
        if tag == "html":
            self.language = values.get("lang", "")
        if tag == "img":
            self.images.append((values.get("src", ""), values.get("alt", "")))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") not in ("canonical", "search", "index", "next", "prev"):
            self.loaded.append(values.get("href", ""))
        if tag in self.LOADING and "src" in values:
            self.loaded.append(values["src"])


@cache
def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text("utf-8"))
    return reader


def written(site: Path) -> list[Path]:
    """Return the pages that Sphinx wrote, without those of packages that ship pages as static files."""
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


@pytest.mark.browser
def test_every_picture_has_a_description(site: Path) -> None:
    bare = [
        f"{page.relative_to(site)}: {source[:80]}"
        for page in written(site)
        for source, text in read(page).images
        if not text.strip()
    ]
    assert bare == []


@pytest.mark.browser
def test_no_picture_is_blank(site: Path) -> None:
    blank = []
    for path in sorted((site / "_images").glob("*.png")):
        picture = Image.open(path).convert("RGBA")
        page = Image.new("RGBA", picture.size, "white")
        page.alpha_composite(picture)
        dark, light = page.convert("L").getextrema()
        if light - dark < 25:
            blank.append(path.name)
    assert blank == []


@pytest.mark.browser
def test_no_page_shows_a_warning_or_a_path_of_the_machine(site: Path) -> None:
    mark = re.compile(rf"\b[A-Z]\w*Warning: |{re.escape(str(ROOT))}|site-packages")
    pages = {path: mark.search(unescape(path.read_text("utf-8"))) for path in written(site)}
    assert {str(path.relative_to(site)): found[0] for path, found in pages.items() if found} == {}


@pytest.mark.browser
def test_internal_links_lead_somewhere(site: Path) -> None:
    broken = []
    for page in written(site):
        for link in read(page).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith("data:"):
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if target.is_dir():
                target /= "index.html"
            missing = not target.exists()
            if not missing and parts.fragment and target.suffix == ".html":
                missing = unquote(parts.fragment) not in read(target).ids
            if missing:
                broken.append(f"{page.relative_to(site)}: {link}")
    assert broken == []


@pytest.mark.browser
def test_pages_load_nothing_from_another_host(site: Path) -> None:
    remote = [
        f"{page.relative_to(site)}: {address}"
        for page in written(site)
        for address in read(page).loaded
        if re.match(r"(https?:)?//", address)
    ]
    remote += [
        f"{sheet.relative_to(site)}: {address}"
        for sheet in site.rglob("*.css")
        for address in re.findall(
            r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')]+)""", sheet.read_text("utf-8")
        )
    ]
    assert remote == []


@pytest.mark.browser
def test_pages_have_a_language_and_one_heading(site: Path) -> None:
    wrong = {
        str(page.relative_to(site)): (read(page).language, read(page).headings)
        for page in written(site)
        if page.name not in ("genindex.html", "search.html")
        and (read(page).language, read(page).headings) != ("en", 1)
    }
    assert wrong == {}


@pytest.mark.browser
@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("notebooks/")])
def test_pages_describe_themselves(site: Path, name: str) -> None:
    said = re.search(r'<meta name="description" content="([^"]*)"', (site / name).read_text("utf-8"))
    assert said
    assert 20 < len(said[1]) < 200


@pytest.mark.browser
def test_animations_can_be_still_and_figures_open_alone(site: Path) -> None:
    for name, wanted in (
        ("index.html", r'<source media="\(prefers-reduced-motion: reduce\)" srcset="([^"]*\.still\.png)"'),
        ("gallery/report/plot_fig12_training_curves.html", r'<a class="enlarge" href="([^"]*\.png)"'),
    ):
        found = re.search(wanted, (site / name).read_text("utf-8"))
        assert found
        assert (site / name).parent.joinpath(found[1]).resolve().exists()


@pytest.mark.browser
def test_the_figure_comes_before_its_code(site: Path) -> None:
    for page in sorted((site / "gallery").glob("*/plot_*.html")):
        text = page.read_text("utf-8").partition("<article")[2]
        picture = text.find("sphx-glr-single-img")
        assert picture == -1 or picture < text.index('class="highlight'), page.name


@pytest.mark.browser
def test_the_interactive_pages_are_small(site: Path) -> None:
    shared = ("sky.js", "colours.js")
    for own in (["generator.js"], ["simulator.js"], ["classify.js", "network.js"]):
        scripts = [site / "_static" / name for name in (*own, *shared)]
        assert sum(path.stat().st_size for path in scripts if path.exists()) < 15e6


@pytest.mark.browser
def test_gallery_pages_can_be_downloaded_and_say_how_long_they_take(site: Path) -> None:
    pages = sorted((site / "gallery" / "report").glob("plot_*.html"))
    assert len(pages) >= 19
    for page in pages:
        links = read(page).links
        assert any(link.endswith(f"{page.stem}.py") for link in links), page.name
        assert any(link.endswith(f"{page.stem}.ipynb") for link in links), page.name
        text = page.read_text("utf-8")
        assert "Total running time of the script" in text
        notebook = (site / "notebooks" / f"{page.stem}.ipynb").read_text("utf-8")
        assert "%pip install" in notebook
    trained = site / "gallery" / "report" / "plot_fig12_training_curves.html"
    told = r"Training time of the \w+-scale runs on this page</strong>.*\d+ minutes? on a"
    assert re.search(told, trained.read_text("utf-8"))


@pytest.mark.browser
def test_the_report_page_lists_every_figure_with_its_record(site: Path) -> None:
    page = read(site / "report.html")
    for script in sorted((ROOT / "examples").glob("*/plot_*.py")):
        assert f"gallery/{script.parent.name}/{script.stem}.html" in page.links
        record = script.stem.removeprefix("plot_")
        assert any(link.endswith(f"/{record}.json") for link in page.links), record


@pytest.mark.browser
@pytest.mark.parametrize("page", ["index", "report", "methods/studies", "paper"])
def test_the_finding_is_that_of_the_comparison(site: Path, page: str) -> None:
    text = re.sub(r"<[^>]+>", "", unescape((site / f"{page}.html").read_text("utf-8")))
    text = " ".join(text.replace("’", "'").split())
    said = analysis.verdict(ROOT / "paper" / "runs" / "verdict", brief=page in ("index", "paper"))
    assert " ".join(said.split()) in text


@pytest.mark.browser
def test_the_report_page_puts_published_numbers_beside_those_of_the_records(site: Path) -> None:
    from radiosynth.reproduction import published

    text = re.sub(r"<[^>]+>", "", (site / "report.html").read_text("utf-8"))
    assert re.search(r"real \+ GAN: 0\.92 → 0\.\d{3}", text)
    for count in published.published()["parameters"].values():
        assert f"parameters: {count:,} → {count:,}" in text


@pytest.mark.browser
def test_no_notebook_is_stored_with_outputs() -> None:
    for notebook in (ROOT / "docs" / "notebooks").glob("*.ipynb"):
        text = notebook.read_text("utf-8")
        assert '"outputs": []' in text
        assert '"output_type"' not in text


# What the browser shows ------------------------------------------------------------------------------


@pytest.fixture
def generator(site: Path) -> None:
    """Skip where the site was built without npm."""
    if not (site / "_static" / "generator.js").exists():
        pytest.skip("the site was built without npm: its generator is a still picture")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_load_without_errors_and_fit_a_phone(visitor: Visitor, scheme: str) -> None:
    page = visitor.page(viewport=PHONE, color_scheme=scheme)
    wide = []
    for name in PAGES:
        page.goto(f"{ORIGIN}/{name}")
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wide.append(name)
    assert wide == []


WIDE = """() => [...document.querySelectorAll(".bd-article div.highlight pre")]
  .filter((shown) => !shown.closest(".sphx-glr-script-out, .nboutput"))
  .filter((shown) => shown.scrollWidth > shown.clientWidth)
  .map((shown) => shown.innerText.slice(0, 60))"""


@pytest.mark.browser
@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("api/generated")])
def test_code_is_not_wider_than_its_page(visitor: Visitor, name: str) -> None:
    page = visitor.page()
    page.goto(f"{ORIGIN}/{name}")
    assert page.evaluate(WIDE) == []


MOST = {"index.html": 1.5e6, "gallery.html": 3e6}
"""Bytes that a page may send, with all that it shows; the others 8 MB, and above 3 MB they say so."""


@pytest.mark.browser
@pytest.mark.parametrize("name", [*PAGES, "paper.html"])
def test_pages_are_light(visitor: Visitor, site: Path, name: str) -> None:
    visitor.page().goto(f"{ORIGIN}/{name}")
    sent = sum(visitor.sent.values())
    assert f"/{name}" in visitor.sent
    assert sent < MOST.get(name, 8e6), sorted(visitor.sent.items(), key=lambda each: -each[1])[:5]
    assert sent < 3e6 or re.search(r"\d MB", (site / name).read_text("utf-8"))


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("index.html", "img[src$='training.gif']"),
        ("gallery/report/plot_fig09_gan_training.html", "img[src$='.gif']"),
        ("notebooks/train_a_gan.html", "img[src$='training.gif']"),
    ],
)
def test_the_training_moves(visitor: Visitor, name: str, picture: str) -> None:
    page = visitor.page()
    page.goto(f"{ORIGIN}/{name}")
    image = page.locator(picture).first
    image.scroll_into_view_if_needed()
    seen = set()
    for _ in range(20):
        seen.add(image.screenshot())
        if len(seen) > 1:
            break
        page.wait_for_timeout(300)
    assert len(seen) > 1


@pytest.mark.browser
def test_the_search_finds(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto(f"{ORIGIN}/search.html?q=parabola")
    page.wait_for_selector("#search-results li a")
    found = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.href)")
    assert any("methods/simulation" in link for link in found)


@pytest.mark.browser
@pytest.mark.parametrize("name", ["index.html", "howto/citing.html"])
def test_copy_buttons_copy(visitor: Visitor, name: str) -> None:
    page = visitor.page()
    page.goto(f"{ORIGIN}/{name}")
    block = page.locator("div.highlight:has(button.copybtn)").first
    block.hover()
    block.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()").strip()
    shown = block.locator("pre").inner_text().strip()
    assert copied == shown.replace("$ ", "")


@pytest.mark.browser
def test_the_theme_can_be_switched_by_keyboard(visitor: Visitor) -> None:
    page = visitor.page(color_scheme="light")
    page.goto(f"{ORIGIN}/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText").strip() == "Skip to main content"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('theme-switch-button')"):
            break
    for key in ("Enter", "ArrowDown", "ArrowDown", "ArrowDown", "Enter"):  # as the system, light, dark
        page.keyboard.press(key)
        page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.browser
@pytest.mark.parametrize("name", ["generator", "simulator"])
def test_a_still_picture_stands_where_scripts_are_off(visitor: Visitor, name: str) -> None:
    page = visitor.page(java_script_enabled=False)
    page.goto(f"{ORIGIN}/interactive/{name}.html")
    picture = page.locator(f"#{name} img")
    assert picture.is_visible()
    assert picture.bounding_box()["width"] > 200


@pytest.mark.browser
@pytest.mark.usefixtures("generator")
def test_the_generator_draws_what_keras_draws(visitor: Visitor) -> None:
    import radiosynth
    from radiosynth.reproduction import runs

    page = visitor.page()
    page.goto(f"{ORIGIN}/interactive/generator.html")
    page.wait_for_function("window.radiosynthGenerator !== undefined")
    name = page.evaluate("radiosynthGenerator.run")
    places = Path(radiosynth.__file__).parent / "runs", ROOT / "paper" / "runs"
    run = runs.find_run(next(place / name for place in places if (place / name).is_dir()))
    noise = np.random.default_rng(5).standard_normal((8, run.config.settings.latent_dim)).astype(np.float32)
    labels = np.arange(8) % 4
    expected = run.model().predict([noise, labels], verbose=0)[..., 0]
    drawn = [
        page.evaluate("([z, c]) => Array.from(radiosynthGenerator.generate(z, c))", [z.tolist(), int(c)])
        for z, c in zip(noise, labels, strict=True)
    ]
    assert expected.std() > 0.05
    np.testing.assert_allclose(np.reshape(drawn, expected.shape), expected, atol=1e-3)


PICTURE = "document.querySelector('.sky-image canvas').toDataURL()"


@pytest.mark.browser
@pytest.mark.usefixtures("generator")
def test_the_generator_answers_to_keys_and_clicks(visitor: Visitor) -> None:
    page = visitor.page(viewport=PHONE, has_touch=True)
    page.goto(f"{ORIGIN}/interactive/generator.html")
    page.wait_for_function("window.radiosynthGenerator !== undefined")
    pictures = [page.evaluate(PICTURE)]

    def changed(act: Callable[[], object]) -> None:
        act()
        pictures.append(page.evaluate(PICTURE))
        assert pictures[-1] != pictures[-2]

    slider = page.get_by_label("Direction 1")
    slider.focus()
    changed(lambda: [page.keyboard.press("ArrowRight") for _ in range(20)])
    changed(lambda: page.get_by_label("Bent-tailed").check())
    changed(lambda: page.get_by_role("button", name="Draw another").tap())
    walk = page.get_by_role("button", name="Walk from galaxy to galaxy")
    walk.click()
    changed(lambda: page.wait_for_timeout(400))
    page.get_by_role("button", name="Stop").click()
    assert "Bent-tailed" in page.locator(".sky-image canvas").get_attribute("aria-label")


@pytest.mark.browser
def test_the_simulator_draws_what_radiosynth_renders(visitor: Visitor) -> None:
    from radiosynth import simulation

    page = visitor.page()
    page.goto(f"{ORIGIN}/interactive/simulator.html")
    table = simulation.draw_parameters(4, rng=np.random.default_rng(3))
    names = table.colnames[2:]
    for trajectory, size in (("ray", 56), ("parabola", 75)):
        expected = simulation.render(table, size, trajectory=trajectory)
        for row, image in zip(table, expected, strict=True):
            values = {name: None if np.isnan(row[name]) else float(row[name]) for name in names}
            drawn = page.evaluate(
                "([p, n, t]) => Array.from(radiosynthSimulator.render(p, n, { trajectory: t }))",
                [values, size, trajectory],
            )
            np.testing.assert_allclose(np.reshape(drawn, (size, size)), image, atol=1e-4)


@pytest.mark.browser
def test_the_simulator_answers_to_keys_and_tells_the_python_for_it(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto(f"{ORIGIN}/interactive/simulator.html")
    before = page.evaluate(PICTURE)
    page.get_by_label("Bending angle").focus()
    page.keyboard.press("End")
    assert page.evaluate(PICTURE) != before
    page.get_by_label("FR I", exact=True).check()
    page.get_by_label("curved").check()
    page.get_by_text("The same source in Python").click()
    page.get_by_role("button", name="Copy these lines").click()
    lines = page.evaluate("navigator.clipboard.readText()")
    assert '"bending_angle": [180]' in lines
    assert 'trajectory="parabola"' in lines
    made: dict[str, Any] = {}
    exec(lines, made)
    assert made["image"].shape == (56, 56)


@pytest.mark.browser
def test_noise_and_size_change_the_simulated_image(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto(f"{ORIGIN}/interactive/simulator.html")
    quiet, loud = (
        page.evaluate(
            """noise => {
              const p = { fr_type: 0, core_x: 28, core_y: 28, core_sigma: 1, core_amplitude: 1, axis_ratio: 1,
                          position_angle: 0 };
              return Array.from(radiosynthSimulator.render(p, 56, { noise }));
            }""",
            noise,
        )
        for noise in (0, 0.2)
    )
    assert np.std(quiet[:560]) < 1e-6
    # Uniform from 0 to a fifth of the peak, on a scale of 2 from the darkest to the brightest pixel.
    assert np.std(loud[:560]) == pytest.approx(2 * 0.2 / np.sqrt(12), rel=0.2)


# What the pages tell to do ---------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(("status", "again"), [(0, False), (1, False), (75, True)])
def test_the_array_job_goes_back_into_the_queue_when_it_was_stopped(
    tmp_path: Path, status: int, again: bool
) -> None:
    for name, does in (("radiosynth", f"exit {status}"), ("scontrol", f'echo "$@" > {tmp_path}/said')):
        command = tmp_path / name
        command.write_text(f"#!/bin/sh\n{does}\n")
        command.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "SLURM_ARRAY_JOB_ID": "41",
        "SLURM_ARRAY_TASK_ID": "3",
    }
    done = subprocess.run(
        ["bash", str(ROOT / "docs" / "howto" / "array_job.sh")], env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == status
    said = tmp_path / "said"
    assert (said.read_text() if said.exists() else "") == ("requeue 41_3\n" if again else "")


# What the pages say ----------------------------------------------------------------------------------


def test_the_report_page_counts_each_source_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    import report_table

    monkeypatch.setattr(report_table, "last_row", lambda name: {"final": "1094", "with image": "1013"})
    assert report_table.NUMBERS["table2_selection"]({})[0] == ("sources kept", "1094", "1094")


def test_the_methods_say_which_sources_lie_outside_the_sample() -> None:
    sources, candidates = verdict.external_sources(), load_report_candidates()
    dropped = (candidates["decision"] == "drop") & (candidates["griese_match"] == "close")
    rejected = sources[np.isin(sources.table["griese_key"], candidates["griese_key"][dropped])]
    other = sources[np.isin(sources.table["catalogue"], ["MiraBest", "Baldi2018"])]
    text = " ".join((ROOT / "docs/methods/studies.rst").read_text("utf-8").split())
    bent = [part.counts()["bent"] for part in (sources, rejected, other)]
    assert f"only {bent[2]} of the {bent[0]} bent ones" in text
    assert f"{len(rejected)} of the {len(sources)}, among them {bent[1]} of the bent ones" in text


def test_the_methods_state_what_the_comparison_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(ROOT / "paper" / "runs"))
    text = " ".join((ROOT / "docs/methods/studies.rst").read_text("utf-8").split())
    table = analysis.comparison("external")
    real, observed = ({k: 100 * row[k] for k in SCORES} for row in table[[0, 3]])
    assert table["condition"][3] == "observed"
    assert f"rises from {real['recall bent']:.0f} to {observed['recall bent']:.0f} %" in text
    falls = sorted(real[f"recall {name}"] - observed[f"recall {name}"] for name in ("FRI", "FRII", "compact"))
    assert f"falls by {falls[0]:.1f} to {falls[2]:.1f} points" in text
    assert f"the accuracy rises by {observed['accuracy'] - real['accuracy']:.1f}" in text
    errors = (each["calibration_error"] / 100 for each in (observed, real))
    assert "calibration error {:.2f} in place of {:.2f}".format(*errors) in text
    rises = {}
    for condition in ("real", "geometric", "observed", "gan"):
        trials = [trial for trial in protocol.trials("main") if trial.condition == condition]
        curves = 100 * analysis.validation_curves(trials)[:, 10:]  # of 15 epochs
        each = np.array([np.polyfit(range(5), curve, 1)[0] for curve in curves]) * 4
        rises[condition] = each.mean(), each.std(ddof=1) / np.sqrt(len(each))
    low, *_, high = sorted(rise for rise, _ in list(rises.values())[:3])
    assert f"by {low:.1f} to {high:.1f} points" in text
    assert "by {:.1f} ± {:.1f} points with GAN images".format(*rises["gan"]) in text


def test_the_methods_state_what_was_found_with_few_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(ROOT / "paper" / "runs"))
    text = " ".join((ROOT / "docs/methods/studies.rst").read_text("utf-8").split())
    rows = {
        (test, row["condition"], row["fraction"]): row
        for test in analysis.TESTS
        for row in analysis.comparison(test, "few-labels")
    }
    for fraction in (0.05, 0.25):
        real, observed = (rows["external", name, fraction] for name in ("real", "observed"))
        assert observed["found"] == "gain"
        both = [100 * row["balanced_accuracy"] for row in (real, observed)]
        assert "from {:.1f} to {:.1f} %, by ".format(*both) in text
        rises = [observed[f"recall {name}"] - real[f"recall {name}"] for name in CLASS_NAMES]
        assert np.argmax(rises) == CLASS_NAMES.index("bent")
        assert (min(rises) > 0) == (fraction == 0.05)
        bent = [100 * row["recall bent"] for row in (real, observed)]
        assert "from {:.0f} to {:.0f} %".format(*bent) in text
        errors = [row["calibration_error"] for row in (real, observed)]
        assert "from {:.2f} to {:.2f}".format(*errors) in text
    told = [("external", "observed", 0.05), ("external", "observed", 0.25), ("external", "pretrained", 0.05)]
    told += [("external", "geometric", 0.05), ("test", "observed", 0.05), ("test", "observed", 0.25)]
    for key in told:
        points = [100 * rows[key][name] for name in ("value", "low", "high")]
        p = rows[key]["adjusted_p"]
        said = f"{{:.1f}} points ({{:.1f}} to {{:.1f}}; adjusted p = {p:.{1 if p < 0.1 else 2}g})"
        assert said.format(*points).replace("-", "−") in text, key
    found = {key for key, row in rows.items() if row["found"] == "gain"}
    assert found == set(told[:3])
    alone = 100 * analysis.comparison("external")["balanced_accuracy"][0]
    assert f"as with all sources and no simulations ({alone:.1f} %)" in text
    least = [100 * rows["test", "observed", fraction]["detectable"] for fraction in (0.05, 0.25)]
    assert "changes smaller than {:.1f} and {:.1f} points, before adjustment".format(*least) in text
    number = {t.fraction: len(verdict.sources_of(t)[0]) for t in protocol.trials("few-labels")[:8]}
    assert "one in twenty ({:d}) and one in four ({:d})".format(*number.values()) in text
    # Together with the comparisons with all labels, the same are significant.
    every = [row for row in analysis.comparison("external") if row["condition"] != "real"]
    every += [row for key, row in rows.items() if key[0] == "external" and key[1] != "real"]
    every += [row for row in analysis.comparison("external", "ratio") if row["condition"] != "real"]
    assert len(every) == 16
    kept = [p < 0.05 for p in analysis.holm([row["p"] for row in every])]
    assert kept == [row["found"] in ("gain", "loss") for row in every]
    assert sum(kept) == 4
    scores = [rows["test", "real", fraction]["balanced_accuracy"] for fraction in (0.05, 0.25)]
    scores.append(analysis.comparison("test")["balanced_accuracy"][0])
    slopes = np.diff(np.log1p(-np.array(scores))) / np.diff(np.log([*number.values(), 810]))
    assert slopes[0] < slopes[1] < 0  # the error falls less and less


def test_the_methods_state_what_was_found_with_other_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(ROOT / "paper" / "runs"))
    text = " ".join((ROOT / "docs/methods/studies.rst").read_text("utf-8").split())
    held_out, outside = (analysis.comparison(test, "ratio") for test in analysis.TESTS)
    for table in (held_out, outside):
        assert table["ratio"].tolist() == [0, 0.5, 1, 2, 4]
        assert [*table["found"][1:]] == ["no effect detected"] * 4
    assert f"real images alone reach {100 * held_out['balanced_accuracy'][0]:.1f} % with these" in text
    half, *more = (100 * held_out["value"][1:]).tolist()
    low, high = (100 * held_out[name] for name in ("low", "high"))
    said = f"are {half:.1f} points ({low[1]:.1f} to {high[1]:+.1f}) at a ratio of ½ and {min(more):+.1f}"
    said += f" to {max(more):+.1f} points at 1 to 4 (at 4: {low[4]:.1f} to {high[4]:+.1f}; adjusted p ="
    assert f"{said} {held_out['adjusted_p'][4]:.2f})".replace("-", "−") in text
    spans = [100 * outside[name][1:] for name in ("value", "low", "high")]
    said = f"between {min(spans[0]):.1f} and {max(spans[0]):+.1f} points, with 95 % intervals between"
    assert f"{said} {min(spans[1]):.1f} and {max(spans[2]):+.1f}".replace("-", "−") in text
    least = [100 * table["detectable"][1:] for table in (held_out, outside)]
    said = f"smaller than {min(least[0]):.1f} to {max(least[0]):.1f} points on held-out sources, and"
    assert f"{said} {min(least[1]):.1f} to {max(least[1]):.1f} outside" in text
    errors = [table["calibration_error"][row] for table in (held_out, outside) for row in (4, 0)]
    said = "error is {:.2f} in place of {:.2f} on held-out sources, and {:.2f} in place of {:.2f} outside"
    assert said.format(*errors) in text
    every = {trial.name: trial for part in protocol.protocol()["parts"] for trial in protocol.trials(part)}
    hours = sum(map(analysis.seconds, every.values())) / 3600
    assert f"The {len(every)} networks took {hours:.0f} hours of one processor core" in text


def test_the_methods_state_what_was_found_with_a_catalogue_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(ROOT / "paper" / "runs"))
    text = " ".join((ROOT / "docs/methods/studies.rst").read_text("utf-8").split())
    real, geometric = analysis.comparison("test", "left-out-catalogue")
    assert geometric["found"] == "no effect detected"
    inside = 100 * analysis.comparison("test")["balanced_accuracy"][0]
    alone, added = (f"{100 * row['balanced_accuracy']:.1f} %" for row in (real, geometric))
    assert f"balanced accuracy of {alone}, in place of {inside:.1f} % on held-out sources" in text
    change = "{:+.1f} points ({:+.1f} to {:+.1f})"
    found = change.format(*(100 * geometric[key] for key in ("value", "low", "high"))).replace("-", "−")
    assert f"it is {added}, a change of {found}" in text
    p = f"p = {geometric['p']:.2f}; by the corrected t test over the six catalogues"
    assert f"{p} {geometric['corrected_p']:.2f}" in text
    assert f"a change of {100 * geometric['detectable']:.1f} points would have been found" in text
    bent = []
    for condition in ("real", "geometric"):
        trials = [each for each in protocol.trials("left-out-catalogue") if each.condition == condition]
        networks = analysis.read([each for each in trials if each.left_out == "Proctor_Tab1"], "test")
        bent.append(100 * analysis.scores(networks)["recall bent"])
    assert "(Proctor 2011), from {:.0f} to {:.0f} %".format(*bent) in text


def test_the_methods_state_what_was_found_with_a_residual_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_RUNS", str(ROOT / "paper" / "runs"))
    text = " ".join((ROOT / "docs/methods/studies.rst").read_text("utf-8").split())
    rows = [analysis.comparison(test, "residual") for test in analysis.TESTS]
    accuracy = [[100 * row["balanced_accuracy"] for row in both] for both in rows]
    assert "on held-out sources is {:.1f} % with real images alone and {:.1f} %".format(*accuracy[0]) in text
    assert "Outside the sample it is {:.1f} and {:.1f} %".format(*accuracy[1]) in text
    for _, added in rows:
        assert added["found"] == "no effect detected"
        found = "{:+.1f} points ({:+.1f} to {:+.1f}".format(
            *(100 * added[key] for key in ("value", "low", "high"))
        )
        assert f"a change of {found}; p = {added['p']:.2f})".replace("-", "−") in text
    recalls = [[100 * row[f"recall {name}"] for row in rows[1]] for name in ("compact", "FRII")]
    assert "compact sources rises from {:.0f} to {:.0f} %".format(*recalls[0]) in text
    assert "FR II sources falls from {:.0f} to {:.0f} %".format(*recalls[1]) in text
    least = [100 * added["detectable"] for _, added in rows]
    assert "changes smaller than {:.1f} and {:.1f} points would often have been missed".format(*least) in text


def test_the_methods_state_how_the_default_network_does_on_catalogues_left_out() -> None:
    text = " ".join((ROOT / "docs/methods/best.rst").read_text("utf-8").split())
    named = protocol.protocol()["parts"]["left-out-catalogue"]["catalogues"]
    labels, hits = {}, {"before": {}, "after": {}}
    for name, part in itertools.product(named, hits):
        with np.load(ROOT / "paper" / "runs" / "left-out" / f"{name}-{part}-seed0.npz") as stored:
            labels[name] = stored["labels"]
            hits[part][name] = (stored["probabilities"].argmax(axis=1) == stored["labels"]).astype(float)
    every = np.concatenate([labels[name] for name in named])
    before, after = (np.concatenate([hits[part][name] for name in named]) for part in hits)
    scores = [100 * class_mean(every, each)[0] for each in (before, after)]
    assert "accuracy is {:.1f} % if they learn the images as they are, and {:.1f} %".format(*scores) in text
    change = "{:+.1f} points ({:+.1f} to {:+.1f})".format(*100 * np.array(class_mean(every, after - before)))
    assert f"a change of {change}" in text
    each = {name: class_mean(labels[name], hits["after"][name] - hits["before"][name])[0] for name in named}
    least, most = min(each, key=each.__getitem__), max(each, key=each.__getitem__)
    said = f"from {100 * each[least]:+.1f} points ({least}) to {100 * each[most]:+.1f} points".replace(
        "-", "−"
    )
    assert said in text
    assert f"compact sources of {most}" in text


SCORES = ("accuracy", "calibration_error", *(f"recall {name}" for name in CLASS_NAMES))


def test_pages_state_the_beam_and_how_many_sources_the_southern_one_concerns() -> None:
    table = load_report_candidates()
    kept = table[(table["decision"] == "keep") & (table["griese_match"] == "close")]
    south = int((kept["dec"] < 4 + 33 / 60).sum())
    text = " ".join((ROOT / "docs/methods/data_and_selection.rst").read_text("utf-8").split())
    assert f"{south} of the {len(kept)} sources" in text
    assert "6.4″ × 5.4″" in text
