"""Run the scripts of the third section at a scale of their own.

What goes beyond the report is shown as a laptop computes it, whatever the scale of the report: its runs
are saved.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

EXTENSIONS = Path(__file__).parents[2] / "examples" / "extensions"
OF_EXTENSIONS = "laptop"


def set_scale(gallery_conf: dict[str, Any], script: str | None) -> None:
    """Name the scale to the script that comes next; Sphinx-Gallery calls this before each, with its name.

    Optuna's warnings of features that may change hold paths of this machine and are not for readers.
    """
    warnings.filterwarnings("ignore", message=".*experimental")
    scale = os.environ.setdefault("RADIOSYNTH_SITE_SCALE", os.environ["RADIOSYNTH_SCALE"])
    if script is not None:
        extension = (EXTENSIONS / script).exists()
        os.environ["RADIOSYNTH_SCALE"] = OF_EXTENSIONS if extension else scale
