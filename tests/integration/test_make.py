"""The runner of the figures, on scripts that take no time."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = {
    "extra1_odd": "print('odd')",
    "fig01_first": "import os; print('scale', os.environ['RADIOSYNTH_SCALE'], os.environ['MPLBACKEND'])",
    "fig02_broken": "print('begins'); raise ValueError('broken on purpose')",
    "table1_made": "import pathlib; pathlib.Path('made').write_text('x')",
}


@pytest.fixture
def tree(tmp_path: Path, project: Path) -> Path:
    """Return a source tree that has the runner and the scripts above."""
    (tmp_path / "paper").mkdir()
    shutil.copy(project / "paper" / "make.py", tmp_path / "paper")
    folder = tmp_path / "examples" / "report"
    folder.mkdir(parents=True)
    for name, text in SCRIPTS.items():
        (folder / f"plot_{name}.py").write_text(text)
    (folder / "helper.py").write_text("raise SystemExit('not a figure')")
    return tmp_path


def make(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(tree / "paper" / "make.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_goes_on_after_a_failure_and_tells_of_it(tree: Path) -> None:
    done = make(tree, "--jobs", "1")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    order = [line.split("] ")[1].split()[0] for line in lines if line.startswith("[")]
    assert order == ["fig01_first", "fig02_broken", "table1_made", "extra1_odd"]
    assert "FAILED (exit 1)" in next(line for line in lines if "] fig02" in line)
    assert "    ValueError: broken on purpose" in lines
    assert lines[-1] == "failed: fig02_broken"
    assert lines[-2].startswith("3 of 4 drawn in ")
    assert (tree / "examples" / "report" / "made").exists()


def test_two_scripts_run_at_the_same_time(tree: Path) -> None:
    # Each waits for the other.
    for mine, other in (("fig03", "fig04"), ("fig04", "fig03")):
        (tree / "examples" / "report" / f"plot_{mine}.py").write_text(
            f"import pathlib, time\npathlib.Path('{mine}').touch()\n"
            f"while not pathlib.Path('{other}').exists():\n    time.sleep(0.01)\n"
        )
    assert "2 of 2 drawn" in make(tree, "--only", "fig03", "fig04").stdout


def test_only_chooses_by_beginning_and_logs_are_kept(tree: Path) -> None:
    done = make(tree, "--only", "fig01", "table", "--scale", "smoke")
    assert done.returncode == 0
    logs = tree / "paper" / "figures" / "logs"
    assert sorted(path.name for path in logs.iterdir()) == ["fig01_first.log", "table1_made.log"]
    assert (logs / "fig01_first.log").read_text().strip() == "scale smoke agg"


def test_extensions_are_drawn_when_asked_for(tree: Path) -> None:
    folder = tree / "examples" / "extensions"
    folder.mkdir()
    (folder / "plot_bending1.py").write_text("print('bent')")
    assert "bending1" not in make(tree, "--list").stdout
    assert make(tree, "--list", "--extensions").stdout.split() == ["bending1"]
    assert "1 of 1 drawn" in make(tree, "--extensions").stdout


def test_laptop_is_the_default_scale(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RADIOSYNTH_SCALE")
    make(tree, "--only", "fig01")
    assert (tree / "paper" / "figures" / "logs" / "fig01_first.log").read_text().startswith("scale laptop")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--only", "fig01", "fig99"], "--only fig99: no such figure or table; there are fig01_first, fig02"),
        (["--scale", "huge"], "'smoke', 'laptop', 'report'"),
        (["--jobs", "0"], "--jobs 0: give 1 or more"),
    ],
)
def test_wrong_choices_are_refused_before_anything_runs(
    tree: Path, options: list[str], expected: str
) -> None:
    done = make(tree, *options)
    assert done.returncode == 2
    assert expected.replace("'", "") in done.stderr.replace("'", "")
    assert not (tree / "paper" / "figures").exists()


def test_a_wrong_scale_in_the_environment_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIOSYNTH_SCALE", "huge")
    done = make(tree)
    assert done.returncode == 2
    assert "RADIOSYNTH_SCALE=huge: the scales are smoke, laptop, report" in done.stderr


def test_list_names_all_and_runs_none(tree: Path) -> None:
    done = make(tree, "--list")
    assert done.stdout.split() == ["fig01_first", "fig02_broken", "table1_made", "extra1_odd"]
    assert not (tree / "paper" / "figures").exists()


def test_scripts_that_train_come_first_and_those_that_wait_for_them_last(tree: Path) -> None:
    for name in ("published_all", "fig13_b", "fig12_a", "fig09_c"):
        (tree / "examples" / "report" / f"plot_{name}.py").touch()
    between = ["fig01_first", "fig02_broken", "table1_made", "extra1_odd"]
    assert make(tree, "--list").stdout.split() == ["fig09_c", "fig12_a", "fig13_b", *between, "published_all"]


def test_no_scripts_is_an_error(tree: Path) -> None:
    shutil.rmtree(tree / "examples")
    done = make(tree)
    assert done.returncode == 2
    assert "no scripts" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_script_and_says_what_is_done(tree: Path, number: signal.Signals) -> None:
    folder = tree / "examples" / "report"
    # As a training does, the script keeps what it has and then ends.
    (folder / "plot_fig02_broken.py").write_text(
        "import pathlib, signal, sys, time\n"
        "def keep(*_):\n"
        "    pathlib.Path('kept').touch()\n"
        "    sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, keep)\n"
        "pathlib.Path('begun').touch()\n"
        "for _ in range(600):\n"
        "    time.sleep(0.1)\n"  # a signal just before one long sleep would be noticed after it
    )
    command = [sys.executable, str(tree / "paper" / "make.py"), "--jobs", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not (folder / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (folder / "kept").exists()
    assert "1 of 4 drawn" in printed
    assert not (folder / "made").exists()
