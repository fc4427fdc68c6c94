"""The benchmarks: that they run, that they compare what is equal, and that the record is whole."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from samples import ROOT

PARTS = ("simulation", "rotation", "preparation", "drawing", "networks", "prediction")


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module that measures; this process stays on all its cores."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    module = importlib.import_module("timing")
    monkeypatch.setattr(module, "pin", lambda cores: None)
    return module


def test_a_quick_run_writes_a_record(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    command = [sys.executable, str(ROOT / "benchmarks"), "--quick", "--only", "simulation"]
    done = subprocess.run([*command, "--record", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    part = json.loads(path.read_text())["simulation"]
    assert part["setting"]["quick"]
    assert part["setting"]["versions"]["numpy"] == np.__version__
    without = importlib.util.find_spec("galsim") is None
    assert part["missing"] == ({"galsim": "galsim is not installed"} if without else {})
    measured = {row["peer"]: row for row in part["comparisons"]}
    assert {"loop as in the report", "astropy"} <= measured.keys()
    for row in measured.values():
        low, median, high = row["ratio"]
        assert 0 < low <= median <= high
        assert row["difference"] <= row["tolerance"]
        assert row["limit"]["of"] == "arithmetic"
        assert 0 < row["limit"]["fraction"] < 1


def test_quick_times_never_become_the_record() -> None:
    command = [sys.executable, str(ROOT / "benchmarks"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--record" in done.stderr


def test_what_differs_is_not_timed(timing: ModuleType) -> None:
    one, other = np.zeros((2, 4, 4)), np.full((2, 4, 4), 0.1)

    def check() -> float:
        return timing.difference(one, other)

    case = timing.Case(one.sum, other.sum, 2, 4, check, tolerance=0.01)
    with pytest.raises(ValueError, match=r"differ by 0\.1; at most 0\.01"):
        timing.measure(case, {"bytes_per_second": 1.0, "flop_per_second": 1.0}, repeats=1)


def test_ratio_and_limit_are_those_of_the_times(timing: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(name: str) -> None:
        raise AssertionError(name)

    taken = {"ours": [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)], "peer": [(4.0, 4.0), (4.0, 4.0), (9.0, 4.0)]}
    monkeypatch.setattr(timing, "in_turn", lambda works, repeats: {k: np.array(v) for k, v in taken.items()})
    monkeypatch.setattr(timing, "peak_memory", lambda work: None)
    case = timing.Case(work, work, 10, 8, lambda: 0.0, 0.0, moved=100.0, flop=30.0)
    row = timing.measure(case, {"bytes_per_second": 200.0, "flop_per_second": 300.0}, repeats=3)
    assert row["ratio"] == [2.5, 3, 3.5]
    assert row["seconds"]["ours"] == [1.5, 2, 2.5]
    assert row["limit"] == {"of": "memory", "fraction": 0.25}


def test_memory_is_what_a_call_needs_at_most(timing: ModuleType) -> None:
    found = timing.peak_memory(lambda: np.ones(2**22))  # 32 MB
    if found is None:
        pytest.skip("only Linux tells")
    assert 0.9 < found / 2**25 < 1.3


def test_the_record_holds_every_comparison(timing: ModuleType) -> None:
    for part in PARTS:
        importlib.import_module(part)
    offered = {(each.task, each.peer) for each in timing.COMPARISONS}
    record = json.loads((ROOT / "paper" / "runs" / "benchmarks.json").read_text())
    assert list(record) == [*PARTS, "installation"]
    assert not any(part["setting"]["quick"] or part["missing"] for part in record.values())
    rows = [row for part in record.values() for row in part["comparisons"]]
    assert {(row["task"], row["peer"]) for row in rows} == offered
    assert all(row["difference"] <= row["tolerance"] for row in rows)
    largest = record["installation"]["installation"]["largest"]
    assert len(largest) == 5
    assert all(each["why"] for each in largest)


def test_the_page_shows_every_task(timing: ModuleType) -> None:
    for part in PARTS:
        importlib.import_module(part)
    page = (ROOT / "docs" / "methods" / "benchmarks.rst").read_text("utf-8")
    shown = {line.removeprefix(".. speed:: ") for line in page.splitlines() if line.startswith(".. speed:: ")}
    assert shown == {each.task for each in timing.COMPARISONS}
