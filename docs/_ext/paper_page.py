"""The paper as a page: ``.. paper::`` puts its text there, made from the source that the PDF is made from.

It is made after the gallery, from the figures and tables that the gallery has just drawn. A record that is
missing is an error, unless the gallery was switched off.
"""

from __future__ import annotations

import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from radiosynth.reproduction import figures

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PAPER = Path(__file__).parents[2] / "paper"
sys.path.append(str(PAPER))


class Paper(SphinxDirective):
    """The directive ``paper``: each section of the text becomes a section of the page."""

    def run(self) -> list[nodes.Node]:
        """Return the text as raw HTML, with its headings as titles that the page's contents list."""
        import compose
        from records import MissingRecordError

        drawn = figures.paper_folder()
        for path in (PAPER / "radiosynth.typ", drawn / "numbers.json"):
            self.env.note_dependency(str(path))
        try:
            abstract, *parts = re.split(r"<h2(?: id=\"([^\"]*)\")?>(.*?)</h2>", compose.page(records=drawn))
        except MissingRecordError as error:
            if not self.config.plot_gallery:
                return [nodes.note("", nodes.paragraph(text="The paper is built together with the gallery."))]
            raise ExtensionError(str(error)) from error
        pdf = '<p><a class="colab-button" href="radiosynth.pdf">Download the PDF</a></p>'
        found: list[nodes.Node] = [nodes.raw("", pdf + abstract, format="html")]
        for anchor, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            section = nodes.section(ids=[anchor or nodes.make_id(title)])
            section += [nodes.title(text=title), nodes.raw("", body, format="html")]
            found.append(section)
        return found


def copy_figures(app: Sphinx, error: Exception | None) -> None:
    """Put the figures of the text beside the other images of the site, and the PDF beside the page."""
    if error is None and app.builder.format == "html":
        import compose
        from records import MissingRecordError

        with suppress(MissingRecordError):  # the page itself says so
            pdf = compose.compile_text(compose.ROOT, "pdf", figures.paper_folder())
            (Path(app.outdir) / "radiosynth.pdf").write_bytes(pdf)
        target = Path(app.outdir) / "_images" / "paper"
        target.mkdir(parents=True, exist_ok=True)
        for figure in (figures.paper_folder() / "figures").glob("*.png"):
            shutil.copy(figure, target)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive, and copy its figures when the site is written."""
    app.add_directive("paper", Paper)
    app.connect("build-finished", copy_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
