"""The figures of the report: their order and pictures in the gallery, and a role that links to them by name.

``:figure:`fig01_first_cutouts``` is a link to that figure's page, with the text "Figure 1"; figures without
a number are linked by their title. Where there is no such script it is plain text.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxRole

if TYPE_CHECKING:
    from sphinx.application import Sphinx

EXAMPLES = Path(__file__).parents[2] / "examples"
SECTIONS = ("report", "studies", "extensions")
"""Folders of scripts, each a section of the gallery."""


def scripts(*sections: str) -> list[Path]:
    """Return the scripts of some sections, or of all."""
    folders = [EXAMPLES / section for section in sections or SECTIONS]
    return [script for folder in folders for script in sorted(folder.glob("plot_*.py"))]


def script_of(name: str) -> Path | None:
    """Return the script that draws a figure or table, if there is one."""
    return next((script for script in scripts() if script.stem == f"plot_{name}"), None)


def heading(script: Path) -> str:
    """Return the first line of what a script says of itself."""
    return (ast.get_docstring(ast.parse(script.read_text("utf-8"))) or "").splitlines()[0]


def title_of(script: Path) -> tuple[str, str]:
    """Return the number that the report gives a figure or table, if any, and what it shows."""
    number, colon, title = heading(script).partition(": ")
    if not colon:
        return "", heading(script)
    return number.removeprefix("Figure ").removeprefix("Table "), title[0].upper() + title[1:]


def label_of(script: Path) -> str:
    """Return what a link to a figure says: its number if it has one, else its title in quotes."""
    title = heading(script)
    number = re.match(r"((Figure|Table|Study|Comparison|VAE|Resolution|Bending angles) \w?\d+): ", title)
    return number[1] if number else f"“{title}”"


class FigureOrder:
    """Sort key of the gallery: figures, then tables, then what the report does not have."""

    def __init__(self, folder: str) -> None:
        pass

    def __call__(self, filename: str) -> tuple[int, str]:
        """Return what a script is sorted by."""
        kinds = ("plot_fig", "plot_table")
        return next((i for i, kind in enumerate(kinds) if filename.startswith(kind)), len(kinds)), filename

    def __repr__(self) -> str:  # Sphinx compares configurations by this to find out what changed
        return "FigureOrder"


class FigureRole(SphinxRole):
    """The role ``figure``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link, which Sphinx resolves when all pages are read."""
        literal = nodes.literal(self.rawtext, self.text)
        script = script_of(self.text)
        if script is None:
            return [literal], []
        page = f"/gallery/{script.parent.name}/{script.stem}"
        link = addnodes.pending_xref(
            self.rawtext,
            nodes.inline(self.rawtext, label_of(script)),
            refdomain="std",
            reftype="doc",
            reftarget=page,
            refexplicit=True,
            refdoc=self.env.docname,
            refwarn=True,
        )
        return [link], []


def describe_thumbnails(app: Sphinx, doctree: nodes.document) -> None:
    """Say what a thumbnail of the gallery shows; Sphinx-Gallery leaves that empty."""
    for image in doctree.findall(nodes.image):
        name = re.search(r"sphx_glr_(plot_\w+)_thumb", image["uri"])
        if name and not image.get("alt"):
            script = script_of(name[1].removeprefix("plot_"))
            assert script is not None
            image["alt"] = title_of(script)[1]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("figure", FigureRole())
    app.connect("doctree-read", describe_thumbnails)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
