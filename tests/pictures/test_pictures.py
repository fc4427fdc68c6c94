"""Figures without survey data look as they did: ``tox -e pictures``, in an environment with pinned releases.

After an intended change: ``tox -e pictures -- --mpl-generate-path=tests/pictures/baseline``; look at them.
"""

from __future__ import annotations

import runpy
from typing import Any

import pytest
from matplotlib.figure import Figure
from samples import ROOT

from radiosynth.reproduction import figures

pytest.importorskip("pytest_mpl", reason="run by tox -e pictures")

DRAWN = ("fig02_neuron", "fig03_network", "fig04_convolution", "fig05_cnn", "fig08_geometric_grid")


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.mpl_image_compare(style="default", tolerance=2, savefig_kwargs={"dpi": 80})
def test_a_figure_looks_as_it_did(name: str, monkeypatch: pytest.MonkeyPatch) -> Figure:
    drawn: dict[str, Figure] = {}

    def keep(figure: Figure, name: str, **_: Any) -> None:
        drawn[name] = figure

    monkeypatch.setattr(figures, "save_figure", keep)
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    runpy.run_path(str(ROOT / "examples" / "report" / f"plot_{name}.py"))
    return drawn[name]
