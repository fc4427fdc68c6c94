"""The scales, and what each sets in the configurations."""

from __future__ import annotations

import os
from typing import Any

from radiosynth.taxonomy import CLASS_NAMES

# With the report's choices a narrow GAN draws one and the same blob for the first thousands of steps. What
# makes the difference, by measurement, is a discriminator that sees the batch, and Adam without momentum.
QUICK = {
    "width": 0.25,
    "batch_size": 32,
    "learning_rate": 8e-4,
    "beta_1": 0.0,
    "average": 0.99,
    "stretch": True,
    "batch_aware": True,
}


SCALES: dict[str, dict[str, dict[str, Any]]] = {
    # Seconds: everything runs, nothing is learned well.
    "smoke": {
        "classifier": {"per_class": 400, "validation_per_class": 80, "epochs": 8, "width": 0.25},
        "gan": {**QUICK, "per_class": 400, "epochs": 2, "width": 0.125},
        "fold": {"epochs": 1, "width": 0.125, "size": 64},
        "bending": {"images": 200, "synthetic": 300, "epochs": 2, "size": 24, "width": 0.1, "folds": 2},
        "vae": {"per_class": 400, "epochs": 2, "width": 0.125, "batch_size": 32},
    },
    # Minutes on two CPU cores: half the channels and fewer turned copies, but more steps per image.
    "laptop": {
        "classifier": {
            "per_class": 2000,
            "validation_per_class": 400,
            "epochs": 14,
            "batch_size": 32,
            "width": 0.5,
        },
        "gan": {**QUICK, "per_class": 1500, "epochs": 12},
        "fold": {"epochs": 12, "width": 0.5},
        "bending": {
            "images": 1200,
            "synthetic": 12_000,
            "epochs": 5,
            "batch_size": 32,
            "size": 40,
            "width": 0.25,
            "precision": "mixed_bfloat16",
        },
        "vae": {
            "per_class": 1500,
            "epochs": 8,
            "width": 0.125,
            "batch_size": 32,
            "learning_rate": 3e-3,
        },
    },
    # The numbers of the report, but for its GANs: a fifth of their 500 epochs, which is not yet their best.
    "report": {
        "classifier": {},
        "gan": {"epochs": 100},
        # Two hundred times less arithmetic than the report's four networks, so that one for each division
        # of the sources can be trained.
        "conditional": {
            **QUICK,
            "width": 0.5,
            "batch_size": 64,
            "learning_rate": 4e-4,
            "average": 0.998,
            "per_class": 6000,
            "epochs": 20,
        },
        "fold": {"rounds": 2},
        "bending": {},
        "vae": {},
    },
}
"""What each scale changes in the report's configuration; ``"conditional"`` in a GAN of all classes alone."""


GENERATORS: dict[str, tuple[str, ...]] = {"smoke": ("all",), "laptop": ("all",), "report": CLASS_NAMES}
"""The GANs of each scale: one per class, as in the report, or one conditional network for all.

Where the sources are divided into `folds`, each division has one conditional network at every scale.
"""


MEMBERS = {"smoke": 1, "laptop": 2, "report": 5}
"""How many of the five folds an ensemble of each scale has a network for."""


def _check_scale(scale: str) -> str:
    if scale not in SCALES:
        msg = f"unknown scale {scale!r}: the scales are {', '.join(SCALES)}"
        raise ValueError(msg)
    return scale


def current_scale() -> str:
    """Return the scale named by the environment variable ``RADIOSYNTH_SCALE``, or ``"laptop"``.

    Raises
    ------
    ValueError
        If it names no scale.
    """
    return _check_scale(os.environ.get("RADIOSYNTH_SCALE") or "laptop")


def _at(scale: str | None, kind: str, changes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the scale, the current one if none is named, and its settings with the changes made."""
    scale = _check_scale(scale or current_scale())
    return scale, {**SCALES[scale][kind], **changes}
