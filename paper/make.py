"""Draw the report again: run the figure and table scripts of ``examples``, two at a time.

    python paper/make.py                            # everything, at laptop scale
    python paper/make.py --only fig12 --scale smoke
    python paper/make.py --extensions               # what goes beyond the report
    python paper/make.py --list

Each script is a process of its own, so that its memory is free again when it ends and a failure stops
only itself. On Linux these are forks of this process, which loads what all of them import just once. The
scripts share recorded runs: the first that needs a trained network trains it, the others wait for it and
replay it.
"""

from __future__ import annotations

import argparse
import atexit
import importlib
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

SCALES = ("smoke", "laptop", "report")
REPORT, EXTENSIONS = ("report", "studies"), ("extensions",)  # folders of examples
ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0  # seconds that an interrupted script has to keep what it has done
TAIL = 15  # lines of a failed script's log that are shown
MANY = 5  # scripts, from which on it pays to load first what all import
SHARED = ("matplotlib.pyplot", "radiosynth.reproduction.runs", "radiosynth.plotting")  # all but TensorFlow


@dataclass(frozen=True)
class Outcome:
    """How one script ended."""

    name: str
    status: int
    seconds: float
    megabytes: float  # peak resident memory of the script; nan where the system does not tell


def find_scripts(root: Path, folders: Sequence[str]) -> dict[str, Path]:
    """Return the scripts by name of what they draw: figures, then tables, then the rest, by name."""
    names = {
        path.stem.removeprefix("plot_"): path
        for folder in folders
        for path in (root / "examples" / folder).glob("plot_*.py")
    }
    order = sorted(names, key=lambda name: (not name.startswith("fig"), not name.startswith("table"), name))
    return {name: names[name] for name in order}


def choose(scripts: dict[str, Path], prefixes: Sequence[str]) -> dict[str, Path]:
    """Return the scripts whose names begin with one of `prefixes`, or all where there is none."""
    wrong = [prefix for prefix in prefixes if not any(name.startswith(prefix) for name in scripts)]
    if wrong:
        msg = f"--only {' '.join(wrong)}: no such figure or table; there are {', '.join(scripts)}"
        raise ValueError(msg)
    return {name: path for name, path in scripts.items() if not prefixes or name.startswith(tuple(prefixes))}


class Fork:
    """A script in a copy of this process, which is waited for and ended like a `subprocess.Popen`."""

    def __init__(self, path: Path, log: Path, environment: dict[str, str]) -> None:
        self.returncode: int | None = None
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            os._exit(play(path, log, environment))

    def wait(self, timeout: float = float("inf")) -> None:
        """Wait until the script has ended."""
        deadline = time.monotonic() + timeout
        while self.returncode is None:
            number, status = os.waitpid(self.pid, os.WNOHANG)
            if number:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            else:
                time.sleep(0.02)

    def terminate(self) -> None:
        """Ask the script to end."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the script."""
        os.kill(self.pid, signal.SIGKILL)


def play(path: Path, log: Path, environment: dict[str, str]) -> int:
    """Run a script in this process as Python would, and return its exit status."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with log.open("wb") as stream, Path(os.devnull).open("rb") as nothing:
        for number, target in enumerate((nothing, stream, stream)):
            os.dup2(target.fileno(), number)
    os.environ.update(environment)
    os.chdir(path.parent)
    sys.argv, sys.path[0] = [str(path)], str(path.parent)
    status = 1
    try:
        runpy.run_path(str(path), run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


@dataclass
class Script:
    """A script at work, with all that it prints going to its log."""

    name: str
    process: subprocess.Popen[bytes] | Fork
    log: Path
    begun: float

    @classmethod
    def start(cls, name: str, path: Path, log: Path, environment: dict[str, str]) -> Script:
        """Start a script as a process of its own."""
        log.parent.mkdir(parents=True, exist_ok=True)
        begun = time.perf_counter()
        if sys.platform == "linux":
            return cls(name, Fork(path, log, environment), log, begun)
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, str(path)],
                cwd=path.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        return cls(name, process, log, begun)

    def poll(self) -> Outcome | None:
        """Return how the script ended, or None while it is at work."""
        megabytes = float("nan")
        if hasattr(os, "wait4"):  # not on Windows
            number, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if number:
                self.process.returncode = os.waitstatus_to_exitcode(status)
                unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, else in KiB
                megabytes = usage.ru_maxrss * unit / 1e6
        else:
            self.process.poll()
        if self.process.returncode is None:
            return None
        return Outcome(self.name, self.process.returncode, time.perf_counter() - self.begun, megabytes)


def stop(scripts: Sequence[Script]) -> None:
    """Give interrupted scripts time to keep their checkpoints, then end them."""
    for script in scripts:
        script.process.terminate()
    for script in scripts:
        try:
            script.process.wait(PATIENCE)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            script.process.kill()
            script.process.wait()


def run_scripts(
    chosen: dict[str, Path], logs: Path, environment: dict[str, str], jobs: int
) -> Iterator[tuple[Outcome, Path]]:
    """Run scripts, some at a time, and yield how each ended, with its log."""
    waiting, running = list(chosen.items()), list[Script]()
    if sys.platform == "linux" and len(waiting) >= MANY:
        os.environ.update(environment)
        for module in SHARED:
            importlib.import_module(module)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name, path = waiting.pop(0)
                running.append(Script.start(name, path, logs / f"{name}.log", environment))
            time.sleep(0.02)
            for script in list(running):
                if outcome := script.poll():
                    running.remove(script)
                    yield outcome, script.log
    finally:
        stop(running)


def clock(seconds: float) -> str:
    """Typeset a duration: seconds up to two minutes, then minutes and seconds."""
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Draw the report's figures and tables again from real FIRST images.",
        epilog="Figures come out in paper/figures, tables in paper/tables, and what each script printed in "
        "paper/figures/logs. Trained networks are kept in paper/runs: a second call only replays them.",
    )
    parser.add_argument(
        "--scale",
        choices=SCALES,
        default=os.environ.get("RADIOSYNTH_SCALE", "laptop"),
        help="smoke: a two-minute check that everything works; laptop (the default): the whole report on two "
        "cores; report: the published numbers of images and epochs, replayed from records or run on a GPU",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="only these, by the beginning of the name: --only fig12",
    )
    parser.add_argument(
        "--extensions", action="store_true", help="what goes beyond the report, in place of the report"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="scripts that run at the same time; 2 if not given"
    )
    parser.add_argument("--list", action="store_true", help="print the names and end")
    options = parser.parse_args(argv)
    if options.scale not in SCALES:  # argparse does not check a default
        parser.error(f"RADIOSYNTH_SCALE={options.scale}: the scales are {', '.join(SCALES)}")
    if options.jobs < 1:
        parser.error(f"--jobs {options.jobs}: give 1 or more")
    return options


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the chosen scripts; return 0, 1 if any failed, 2 for a wrong choice, 130 if interrupted."""
    options = parse(argv)
    try:
        folders = EXTENSIONS if options.extensions else REPORT
        chosen = choose(find_scripts(root, folders), options.only)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(chosen))
        return 0
    if not chosen:
        print(f"no scripts plot_*.py in {', '.join(folders)} of {root / 'examples'}", file=sys.stderr)
        return 2

    environment = dict(
        os.environ, RADIOSYNTH_SCALE=options.scale, MPLBACKEND="agg", TF_CPP_MIN_LOG_LEVEL="3", PYTHONUTF8="1"
    )
    # Scripts that run at the same time share a GPU, if there is one.
    environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    width, digits = max(map(len, chosen)), len(str(len(chosen)))
    outcomes: list[Outcome] = []
    print(f"{len(chosen)} figures and tables at {options.scale} scale", flush=True)
    begun = time.perf_counter()
    interrupted = False
    logs = root / "paper" / "figures" / "logs"
    try:
        with closing(run_scripts(chosen, logs, environment, options.jobs)) as ended:
            for outcome, log in ended:
                outcomes.append(outcome)
                failure = "" if outcome.status == 0 else f"  FAILED (exit {outcome.status})"
                print(
                    f"[{len(outcomes):{digits}d}/{len(chosen)}] {outcome.name:{width}s} "
                    f"{clock(outcome.seconds):>12s} {outcome.megabytes:6.0f} MB{failure}",
                    flush=True,
                )
                if failure:
                    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
                    print("\n".join(f"    {line}" for line in [*lines, f"(all of it: {log})"]), flush=True)
    except KeyboardInterrupt:
        print("interrupted")
        interrupted = True

    failed = [outcome.name for outcome in outcomes if outcome.status != 0]
    peak = max((outcome.megabytes for outcome in outcomes), default=0)
    print(
        f"{len(outcomes) - len(failed)} of {len(chosen)} drawn in {clock(time.perf_counter() - begun)}, "
        f"peak memory {peak:.0f} MB"
    )
    if failed:
        print(f"failed: {' '.join(failed)}")
    if interrupted:
        print("the rest is left; the same command goes on from the recorded runs")
        return 130
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as cleanly as on Ctrl-C
    sys.exit(main())
