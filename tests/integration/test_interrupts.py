"""What ends a command, wherever it is: one line, status 75, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")

COMMAND = textwrap.dedent(
    """
    import sys, time
    from radiosynth import cli, datasets
    from radiosynth.reproduction import recipes, scales

    def wait(*arguments, **options):
        print("here", flush=True)
        time.sleep(60)

    room, name = {"preparing": (datasets, "load_report_sample"), "ending": (recipes, "provenance")}[
        sys.argv[1]
    ]
    if sys.argv[1] == "ending":
        from samples import TINY, simulated_survey

        datasets.load_report_sample = simulated_survey
        scales.SCALES["smoke"]["classifier"] = TINY
    setattr(room, name, wait)
    sys.exit(cli.main(sys.argv[2:]))
    """
)

EACH = textwrap.dedent(
    """
    import time
    from radiosynth import stopping
    from radiosynth.reproduction import parallel, protocol

    def wait(task, time_limit):
        time.sleep(20)

    tasks = [protocol.Trial("wait", seed=seed) for seed in range(9)]
    with stopping.on_signals(stopping.interrupt):  # as the command does
        parallel.run_missing(wait, tasks, lambda task: False, "tasks", 2, None)
    """
)


def start(*arguments: str, runs: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    environment = {**os.environ, "RADIOSYNTH_RUNS": str(runs), "PYTHONPATH": paths}
    return subprocess.Popen(
        [sys.executable, "-c", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("where", "number", "command"),
    [
        ("preparing", signal.SIGTERM, ["run"]),
        ("preparing", signal.SIGINT, ["gan"]),
        ("preparing", signal.SIGUSR1, ["study", "published-code"]),
        ("preparing", signal.SIGTERM, ["tune", "--family", "report"]),
        ("ending", signal.SIGTERM, ["run"]),
    ],
)
def test_a_signal_outside_of_an_epoch_stops_a_command(
    tmp_path: Path, where: str, number: signal.Signals, command: list[str]
) -> None:
    with start(COMMAND, where, *command, "--scale", "smoke", runs=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 75, said
    lines = [line for line in said.splitlines() if "radiosynth" in line or "Trace" in line]
    assert lines == [
        f"radiosynth: stopped by the signal {number.name}; run the same command again to resume"
    ], said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_study(tmp_path: Path, number: signal.Signals) -> None:
    with start(EACH, runs=tmp_path) as process:
        time.sleep(6)  # both work by now, or are about to
        process.send_signal(number)
        assert process.wait(timeout=30) != 0
        for _ in range(100):  # the tasks take longer
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
    pytest.fail("a worker is left")
