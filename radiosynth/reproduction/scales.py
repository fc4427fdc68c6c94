"""The scales: what each of them sets is written in ``scales.toml``, beside this file."""

from __future__ import annotations

import os
import tomllib
from importlib.resources import files
from typing import Any

from radiosynth.networks.kinds import fastest_precision
from radiosynth.sample import check_choice

WRITTEN = tomllib.loads(files(__package__).joinpath("scales.toml").read_text("utf-8"))
"""All that the file says."""


QUICK: dict[str, Any] = WRITTEN["quick"]
"""Settings with which a narrow GAN learns in a few thousand steps."""


SCALES: dict[str, dict[str, Any]] = WRITTEN["scales"]
"""What each scale changes in the report's configurations, in studies and in the search.

Its ``generators`` are the GANs: one for each class, as in the report, or one conditional network for all.
"""


def current_scale(scale: str | None = None) -> str:
    """Return a scale that is named, or the one of the environment.

    Parameters
    ----------
    scale : str, optional
        One of `SCALES`; if not given, what the environment variable ``RADIOSYNTH_SCALE`` names, or
        ``"laptop"``.

    Returns
    -------
    str
        Its name.

    Raises
    ------
    ValueError
        If there is no such scale.
    """
    scale = scale or os.environ.get("RADIOSYNTH_SCALE") or "laptop"
    check_choice(scale, "scale", SCALES)
    return scale


def shown(scale: str) -> str:
    """Return what figures and pages call a scale, or several: there, "report" is the document alone."""
    return " ".join("full" if word == "report" else word for word in scale.split())


def scaled(scale: str | None, kind: str, changes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the scale, the current one if none is named, and its settings with the changes made."""
    scale = current_scale(scale)
    settings = dict(SCALES[scale].get(kind, {}))
    quick = QUICK if settings.pop("quick", False) else {}
    if settings.get("precision") == "fastest":
        settings["precision"] = fastest_precision()
    return scale, {**quick, **settings, **changes}
