"""The net under every change: saved runs keep their names, open, and predict what they did before.

Their folders are named by a hash of the configuration and hold weights by position, and some cost a GPU.
``saved_runs.json`` pins them; ``python tests/integration/test_saved_runs.py`` prints it with runs that
are not in it yet.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import radiosynth

ROOT = Path(__file__).resolve().parents[2]
PINNED = json.loads((Path(__file__).parent / "saved_runs.json").read_text())


def saved_runs() -> dict[str, Path]:
    """Return the folders of the runs that are under version control, by name."""
    folders = [ROOT / "paper" / "runs", ROOT / "radiosynth" / "runs"]
    found = [path for folder in folders for path in folder.glob("*/config.json")]
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        command = [git, "ls-files", "-z", *map(str, folders)]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        found = [path for path in found if str(path.relative_to(ROOT)) in listed.split("\0")]
    return {path.parent.name: path.parent for path in sorted(found)}


def digits(values: Any) -> list[float]:
    """Return numbers as they are pinned."""
    return [round(float(value), 4) for value in np.ravel(values)]


def prediction(folder: Path) -> list[float]:
    """Return what the network of a run makes of a fixed input; without weights, what the run holds."""
    run = radiosynth.find_run(folder)
    if not ((folder / "model.npz").exists() or (folder / "generator.npz").exists()):
        if (folder / "frames.npz").exists():
            return digits(run.frames[0][-1].mean(axis=(1, 2))[:4])
        said = run.predictions
        return digits(np.asarray(said.get("probabilities", said.get("bending_angle")), float)[:3])
    model = run.model()
    rng = np.random.default_rng(7)
    if len(model.output_shape) == 4:  # a generator
        noise = rng.standard_normal((4, model.inputs[0].shape[1])).astype(np.float32)
        inputs = [noise, np.arange(4, dtype=np.int32)] if len(model.inputs) == 2 else noise
        images = np.asarray(model(inputs, training=False), float)[..., 0]
        return digits([*images.mean(axis=(1, 2)), *images.std(axis=(1, 2)), *images[:, 28, 28]])
    size = model.input_shape[1]
    distance = np.hypot(*(np.mgrid[:size, :size] - (size - 1) / 2))
    bright = np.stack([np.exp(-((distance - shift) ** 2) / 18) for shift in (0, 6)])
    return digits(radiosynth.predict(model, 2 * bright / bright.max(axis=(1, 2), keepdims=True) - 1))


@pytest.mark.parametrize("name", PINNED)
def test_a_saved_run_opens_under_its_name_and_predicts_what_it_did(name: str) -> None:
    folder = saved_runs()[name]
    assert radiosynth.find_run(folder).config.name == name
    np.testing.assert_allclose(prediction(folder), PINNED[name], atol=2e-3)


def test_every_saved_run_is_pinned() -> None:
    assert set(saved_runs()) == set(PINNED)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pins = {name: PINNED.get(name) or prediction(folder) for name, folder in saved_runs().items()}
    print(json.dumps(pins, indent=None).replace("], ", "],\n ").replace("{", "{\n ").replace("}", "\n}"))
