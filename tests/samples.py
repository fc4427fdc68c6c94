"""What several files of tests share: where things lie, and a survey small enough to train on in seconds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

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
