"""Draw the report again: run the figure and table scripts of ``examples``, two at a time.

    python paper/make.py                            # everything, at laptop scale
    python paper/make.py --only fig12 --scale smoke
    python paper/make.py --extensions               # what goes beyond the report
    python paper/make.py --list

Each script is a process of its own, so that its memory is free again when it ends and a failure stops only
itself. On Linux it is forked from one that has imported the libraries, which takes longer than most figures.
The scripts share saved runs: the first that needs a trained network trains it, the others train what else
they need, or wait for it, and load it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import runpy
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

SCALES = ("smoke", "laptop", "report")
REPORT, EXTENSIONS = ("report", "studies"), ("extensions",)  # folders of examples
FIRST = ("fig09", "fig11", "fig12", "fig13", "gan4", "gan2")  # they train, and share what they need
LAST = ("published",)  # it needs all that fig12 trains
LIBRARIES = ["matplotlib.pyplot", "radiosynth.reproduction.recipes", "radiosynth.generators.base"]
ROOT = Path(__file__).resolve().parent.parent


def find_scripts(root: Path, folders: Sequence[str]) -> dict[str, Path]:
    """Return the scripts by name of what they draw, in the order to run them: figures, tables, others."""
    paths = [path for folder in folders for path in (root / "examples" / folder).glob("plot_*.py")]
    names = {path.stem.removeprefix("plot_"): path for path in paths}
    kinds = (*FIRST, "fig", "table", "", *LAST)
    place = {name: max((kind for kind in kinds if name.startswith(kind)), key=len) for name in names}
    return {name: names[name] for name in sorted(names, key=lambda name: (kinds.index(place[name]), name))}


def choose(scripts: dict[str, Path], prefixes: Sequence[str]) -> dict[str, Path]:
    """Return the scripts whose names begin with one of `prefixes`, or all where there is none."""
    wrong = [prefix for prefix in prefixes if not any(name.startswith(prefix) for name in scripts)]
    if wrong or not scripts:
        there = f"there are {', '.join(scripts)}" if scripts else "there are no scripts plot_*.py in examples"
        msg = f"--only {' '.join(wrong)}: no such figure or table; {there}" if wrong else there
        raise ValueError(msg)
    return {name: path for name, path in scripts.items() if not prefixes or name.startswith(tuple(prefixes))}


def draw(path: Path, log: Path) -> None:
    """Run a script in this process, which prints to its log."""
    with log.open("wb") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    os.chdir(path.parent)
    sys.argv[:] = [str(path)]
    runpy.run_path(str(path), run_name="__main__")


class Runner:
    """Runs scripts, each as a process that prints to its log; when stopped, it ends those at work."""

    def __init__(self, logs: Path, scale: str, jobs: int, *, many: bool) -> None:
        self.logs, self.running = logs, set[multiprocessing.process.BaseProcess]()
        quiet = {"MPLBACKEND": "agg", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUTF8": "1"}
        # Scripts that run at the same time share the processors, and a GPU, if there is one.
        shared = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        shared["TF_NUM_INTRAOP_THREADS"] = str(max(1, (os.cpu_count() or 1) // jobs))
        os.environ.update({**shared, **os.environ, **quiet, "RADIOSYNTH_SCALE": scale})
        self.context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        self.context.set_forkserver_preload(LIBRARIES if many else [])  # a few scripts import their own

    def run(self, name: str, path: Path) -> tuple[str, int, float]:
        """Run a script and return its name, its exit status and how many seconds it took."""
        begun = time.perf_counter()
        process = self.context.Process(target=draw, args=(path, self.logs / f"{name}.log"))
        process.start()
        self.running.add(process)
        process.join()
        self.running.discard(process)
        return name, process.exitcode, time.perf_counter() - begun

    def stop(self) -> None:
        """Ask the scripts at work to end; trainings keep their checkpoints."""
        for process in tuple(self.running):
            process.terminate()


def clock(seconds: float) -> str:
    """Typeset a duration: seconds up to two minutes, then minutes and seconds."""
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Draw the report's figures and tables again from real FIRST images.",
        epilog="Figures come out in paper/figures, tables in paper/tables, and what each script printed in "
        "paper/figures/logs. Trained networks are kept in paper/runs: a second call only loads them.",
    )
    scale, said = os.environ.get("RADIOSYNTH_SCALE", "laptop"), "only these, by the beginning of the name"
    add = parser.add_argument
    add("--scale", choices=SCALES, default=scale, help="laptop if not given; see methods, runs and scales")
    add("--only", nargs="+", default=[], metavar="NAME", help=said)
    add("--extensions", action="store_true", help="what goes beyond the report, in place of the report")
    add("--jobs", type=int, default=2, metavar="N", help="scripts at the same time; 2 if not given")
    add("--list", action="store_true", help="print the names and end")
    if scale not in SCALES:  # argparse does not check a default
        parser.error(f"RADIOSYNTH_SCALE={scale}: the scales are {', '.join(SCALES)}")
    options = parser.parse_args(argv)
    if options.jobs < 1:
        parser.error(f"--jobs {options.jobs}: give 1 or more")
    return options


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the chosen scripts; return 0, 1 if any failed, 2 for a wrong choice, 130 if interrupted."""
    options = parse(argv)
    try:
        chosen = choose(find_scripts(root, EXTENSIONS if options.extensions else REPORT), options.only)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(chosen))
        return 0
    logs = root / "paper" / "figures" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    runner, begun = Runner(logs, options.scale, options.jobs, many=len(chosen) > 5), time.perf_counter()
    ended, failed, width = 0, list[str](), max(map(len, chosen))
    print(f"{len(chosen)} figures and tables at {options.scale} scale", flush=True)
    pool = ThreadPoolExecutor(options.jobs)
    try:
        works = [pool.submit(runner.run, *script) for script in chosen.items()]
        for ended, work in enumerate(as_completed(works), 1):
            name, status, seconds = work.result()
            failure = f"  FAILED (exit {status})" if status else ""
            print(f"[{ended}/{len(chosen)}] {name:{width}s} {clock(seconds):>12s}{failure}", flush=True)
            if failure:
                failed.append(name)
                text = (logs / f"{name}.log").read_text("utf-8", errors="replace")
                lines = [*text.splitlines()[-15:], f"(all of it: {logs / f'{name}.log'})"]
                print("\n".join(f"    {line}" for line in lines), flush=True)
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        runner.stop()
        print(f"interrupted; {ended - len(failed)} of {len(chosen)} drawn; the same command resumes")
        return 130
    finally:
        pool.shutdown()
    print(f"{ended - len(failed)} of {len(chosen)} drawn in {clock(time.perf_counter() - begun)}")
    if failed:
        print(f"failed: {' '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as cleanly as on Ctrl-C
    sys.exit(main())
