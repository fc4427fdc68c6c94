"""What several files of tests share: where things lie, and a survey small enough to train on in seconds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiosynth import simulation
from radiosynth.sample import Sample

ROOT = Path(__file__).resolve().parent.parent
"""The source tree."""

SHARED = Path(os.environ.get("RADIOSYNTH_SHARED", ROOT.parent / "shared"))
"""Real files, where a machine has them."""

TINY = {
    "per_class": 48,
    "validation_per_class": 12,
    "test_per_class": 6,
    "epochs": 2,
    "width": 0.05,
    "size": 24,
}
"""Settings of a classifier that learns nothing."""


def simulated_survey(*, size: int = 150) -> Sample:
    """Return sources in place of the report's, so that no network is needed."""
    sample = simulation.simulate(30, 48, rng=np.random.default_rng(1))
    sample.table["sky_group"] = np.where(np.arange(len(sample)) < 4, 0, -1)
    return sample


def blob(x: float, y: float, width: float = 4.0, height: float = 1.0) -> NDArray[np.float64]:
    """Return a round Gaussian on 120 pixels, x and y off their middle."""
    rows, columns = np.indices((120, 120)) - 59.5
    return height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))


def clipped(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an image without what is faint."""
    return np.where(image > 0.02, image, 0.0)
