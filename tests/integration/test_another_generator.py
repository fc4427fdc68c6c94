"""The how-to adds a generator by one file and one line; here its file and its code are run."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from samples import ROOT

HOWTO = ROOT / "docs" / "howto"


def test_the_generator_of_the_howto_learns_is_saved_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from radiosynth import generators

    monkeypatch.setattr(generators, "GENERATORS", dict(generators.GENERATORS))
    monkeypatch.syspath_prepend(HOWTO)
    monkeypatch.chdir(tmp_path)
    text = (HOWTO / "another_generator.rst").read_text("utf-8")
    blocks = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", text)
    (shown,) = (block for block in blocks if "the line" in block)
    names: dict = {}
    exec(textwrap.dedent(shown), names)
    run, fake, train = names["run"], names["fake"], names["train"]
    assert fake.counts() == {"FRI": 0, "FRII": 100, "bent": 0, "compact": 0}
    assert fake.table["name"][-1] == "energy_99"
    assert not run.collapsed
    assert run.history["apart"][-1] < 0.8 * run.history["apart"][0]
    # The mean image is that of the sources, and much nearer to it than where the training began.
    mean = train.images.mean(axis=0)
    start, end = (np.abs(images / 127.5 - 1 - mean).mean() for images in run.frames[[0, -1]].mean(axis=1))
    assert end < 0.3 * start
