"""Show an animation in the gallery: the GIF that a block of a script writes with ``write_animation``.

The file is copied into the site and stays where the script has put it, in the folder of figures and under
the name of the script.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

# What each process of the gallery begins with: one that grows by 300 MB later is replaced by a new one.
import keras  # noqa: F401
from sphinx_gallery.scrapers import figure_rst

from radiosynth.reproduction import figures


def gif_scraper(block: tuple[Any, ...], block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Return the text that shows a block's animation, or none if it writes no animation."""
    if "write_animation(" not in block[1]:
        return ""
    name = Path(block_vars["src_file"]).stem.removeprefix("plot_")
    shown = Path(next(block_vars["image_path_iterator"])).with_suffix(".gif")
    shutil.copyfile(figures.paper_folder() / "figures" / f"{name}.gif", shown)
    return figure_rst([shown], gallery_conf["src_dir"])
