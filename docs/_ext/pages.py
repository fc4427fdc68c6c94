"""What every page gets: a description, figures that enlarge, animations that can be still.

``.. markdown:: ../CONTRIBUTING.md`` shows a file of the repository as a page, ``.. model-card::`` the card of
the default classifier.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypandoc
from docutils import nodes
from PIL import Image
from sphinx.util.docutils import SphinxDirective

from radiosynth import load_classifier
from radiosynth.classification.exporting import model_card

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class Markdown(SphinxDirective):
    """The directive ``markdown``: the text below the first heading of a Markdown file."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return its sections."""
        _, _, below = self.text().partition("\n")
        made = pypandoc.convert_text(below, "rst", format="gfm")
        return self.parse_text_to_nodes(made, allow_section_headings=True)

    def text(self) -> str:
        """Return what the file holds."""
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        return Path(path).read_text("utf-8")


class ModelCard(Markdown):
    """The directive ``model-card``: the card of the default classifier, as `Classifier.export` writes it."""

    required_arguments = 0

    def text(self) -> str:
        """Return the card."""
        shown = load_classifier()
        return model_card(shown.card, shown.predictions, odd=shown.oddness is not None)


def describe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give a page the first paragraph that is a sentence as its description for search engines."""
    if doctree is None or "body" not in context:
        return
    texts = (" ".join(paragraph.astext().split()) for paragraph in doctree.findall(nodes.paragraph))
    text = next((text for text in texts if len(text) > 60 and not text.startswith("Go to the end")), "")
    short = text if len(text) <= 160 else text[:157].rsplit(" ", 1)[0] + " …"
    if short:
        context["metatags"] += f'<meta name="description" content="{escape(short, quote=True)}">\n'


def enlarge(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let a click on a figure of the gallery open it alone, and keep animations still for those who ask."""

    def link(match: re.Match[str]) -> str:
        image, source = match[0], re.search(r'src="([^"]+)"', match[0])
        assert source is not None
        if source[1].endswith(".gif") and "_images/" in source[1]:
            still = source[1].removesuffix(".gif") + ".still.png"
            other = f'<source media="(prefers-reduced-motion: reduce)" srcset="{still}">'
            image = f"<picture>{other}{image}</picture>"
        if "sphx-glr-single-img" in match[0] or "sphx-glr-multi-img" in match[0]:
            image = f'<a class="enlarge" href="{source[1]}" title="Open the figure at full size">{image}</a>'
        return image

    if "body" in context:
        context["body"] = re.sub(r"<img\b[^>]*>", link, context["body"])
    if page.endswith("plot_published_reproduced"):
        app.add_js_file("filter.js", loading_method="defer")


def finish(app: Sphinx, error: Exception | None) -> None:
    """Write the still picture of each animation, its last frame."""
    if error is not None or app.builder.format != "html":
        return
    for path in (Path(app.outdir) / "_images").glob("*.gif"):
        with Image.open(path) as animation:
            animation.seek(animation.n_frames - 1)
            animation.convert("RGB").save(path.with_suffix(".still.png"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive and what is done to each page."""
    app.add_directive("markdown", Markdown)
    app.add_directive("model-card", ModelCard)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", enlarge)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
