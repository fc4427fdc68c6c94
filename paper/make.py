"""Draw the report again: run the figure and table scripts of ``examples``, one after another.

    python paper/make.py                            # everything, at laptop scale
    python paper/make.py --only fig12 --scale smoke
    python paper/make.py --extensions               # what goes beyond the report
    python paper/make.py --list

Each script is a process of its own, so that the memory of one is free again before the next begins
and a failure stops only itself. The scripts share recorded runs: the first that needs a trained
network trains it, the others replay it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCALES = ("smoke", "laptop", "report")
REPORT, EXTENSIONS = ("report", "studies"), ("extensions",)  # folders of examples
ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0  # seconds that an interrupted script has to keep what it has done
TAIL = 15  # lines of a failed script's log that are shown


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


def wait(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Wait for a process; return its exit status and its peak memory in megabytes."""
    if not hasattr(os, "wait4"):  # Windows
        return process.wait(), float("nan")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, else in KiB
    return process.returncode, usage.ru_maxrss * unit / 1e6


def stop(process: subprocess.Popen[bytes]) -> None:
    """Give an interrupted script time to keep its checkpoint, then end it."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def run_script(name: str, script: Path, log: Path, environment: dict[str, str]) -> Outcome:
    """Run one script, with all that it prints going to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=script.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            status, megabytes = wait(process)
        except KeyboardInterrupt:
            stop(process)
            raise
    return Outcome(name, status, time.perf_counter() - begun, megabytes)


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
    parser.add_argument("--list", action="store_true", help="print the names and end")
    options = parser.parse_args(argv)
    if options.scale not in SCALES:  # argparse does not check a default
        parser.error(f"RADIOSYNTH_SCALE={options.scale}: the scales are {', '.join(SCALES)}")
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
    logs = root / "paper" / "figures" / "logs"
    width, digits = max(map(len, chosen)), len(str(len(chosen)))
    outcomes: list[Outcome] = []
    print(f"{len(chosen)} figures and tables at {options.scale} scale", flush=True)
    begun = time.perf_counter()
    interrupted = False
    for number, (name, script) in enumerate(chosen.items(), 1):
        print(f"[{number:{digits}d}/{len(chosen)}] {name:{width}s} ", end="", flush=True)
        log = logs / f"{name}.log"
        try:
            outcome = run_script(name, script, log, environment)
        except KeyboardInterrupt:
            print("interrupted")
            interrupted = True
            break
        outcomes.append(outcome)
        failure = "" if outcome.status == 0 else f"  FAILED (exit {outcome.status})"
        print(f"{clock(outcome.seconds):>12s} {outcome.megabytes:6.0f} MB{failure}", flush=True)
        if failure:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            print("\n".join(f"    {line}" for line in [*lines[-TAIL:], f"(all of it: {log})"]), flush=True)

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
