"""Pages of the built site as axe-core sees them: readable, named and usable by everyone."""

from __future__ import annotations

import pytest
from samples import ROOT
from visiting import DESKTOP, ORIGIN, PHONE, Visitor

AXE = ROOT / "docs" / "_made" / "axe.min.js"
PAGES = [
    "index.html",
    "report.html",
    "learn.html",
    "gallery.html",
    "gallery/report/plot_fig12_training_curves.html",
    "methods/gan.html",
    "methods/simulation.html",
    "howto/own_data.html",
    "interactive/classify.html",
    "interactive/simulator.html",
    "notebooks/explore_the_simulation.html",
    "api/generated/radiosynth.simulate.html",
]
FOUND = """async () => {
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  const told = (id, { html, any }) =>
    [id, html.slice(0, 160), ...any.map(({ message }) => message)].join(" | ");
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => told(id, node)));
}"""


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_serious_keeps_anyone_out(visitor: Visitor, name: str, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("the site was built without npm, which brings axe-core")
    page = visitor.page(viewport=PHONE if scheme == "dark" else DESKTOP, color_scheme=scheme)
    page.goto(f"{ORIGIN}/{name}")
    if name.endswith("classify.html"):
        page.get_by_role("button", name="At the edge").click()
        page.wait_for_selector(".classify-bars")
    page.add_script_tag(content=AXE.read_text("utf-8"))
    assert page.evaluate(FOUND) == []
