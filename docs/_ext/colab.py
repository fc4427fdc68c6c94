"""A button on every page that is a notebook: open it in Colab, where its first cell installs the package.

Colab reads notebooks from GitHub, so there is a button only where the address of the repository is known, as
on the machines that publish the site. Elsewhere a how-to says how to bring a notebook there by hand.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import radiosynth

if TYPE_CHECKING:
    from sphinx.application import Sphinx

COLAB = "https://colab.research.google.com/github"


def repository() -> str:
    """Return owner and name of the repository on GitHub, or nothing if this build does not know it."""
    place = re.search(
        r"github\.com[:/]([\w.-]+/[\w.-]+?)(\.git)?$", os.environ.get("READTHEDOCS_GIT_CLONE_URL", "")
    )
    return os.environ.get("GITHUB_REPOSITORY", "") or (place[1] if place else "")


def install_cell() -> str:
    """Return the first cell of the notebooks of the gallery."""
    wheel = f"radiosynth-{radiosynth.__version__}-py3-none-any.whl"
    source = f"git+https://github.com/{repository()}" if repository() else wheel
    return (
        "# Install radiosynth if it is missing; the page “Train on Colab” says where the wheel comes from.\n"
        "import importlib.util\n\n"
        'if importlib.util.find_spec("radiosynth") is None:\n'
        f"    %pip install -q {source}\n"
        "%matplotlib inline"
    )


def is_gallery(page: str) -> bool:
    """Return whether a page is that of a script of the gallery."""
    return page.startswith("gallery/") and Path(page).name.startswith("plot_")


def add_button(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Put the button below the title."""
    stored = page.startswith("notebooks/")
    if not (stored or is_gallery(page)) or "body" not in context:
        return
    links = []
    if repository():
        place = f"main/docs/{page}" if stored else f"gh-pages/notebooks/{Path(page).name}"
        link = f"{COLAB}/{repository()}/blob/{place}.ipynb"
        links.append(f'<a class="colab-button" href="{link}">Run on Colab</a>')
    if stored:
        links.append(f'<a class="colab-button" href="{Path(page).name}.ipynb" download>Download notebook</a>')
    if links:
        context["body"] = context["body"].replace("</h1>", f"</h1><p>{' '.join(links)}</p>", 1)


def publish_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Give all notebooks an address that stays, for Colab to read and for readers to download."""
    if exception is None and app.builder.format == "html":
        folder = Path(app.outdir) / "notebooks"
        folder.mkdir(exist_ok=True)
        for pattern in ("gallery/*/plot_*.ipynb", "notebooks/*.ipynb"):
            for notebook in Path(app.srcdir).glob(pattern):
                shutil.copy(notebook, folder)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", add_button)
    app.connect("build-finished", publish_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
