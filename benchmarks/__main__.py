"""Measure the speed of this package against what people would use instead, and write one record.

    python benchmarks                                # all, in less than ten minutes on two idle cores
    python benchmarks --only rotation networks       # renews these parts of the record
    python benchmarks --quick --record trial.json    # tiny: whether everything runs

Each part is a module beside this one and runs in a process of its own, one after the other. Peers that are
not installed are left out, and the record says so.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import timing

PARTS = ("simulation", "rotation", "preparation", "drawing", "networks", "prediction", "installation")
RECORD = Path(__file__).parents[1] / "paper" / "runs" / "benchmarks.json"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--quick", action="store_true", help="a few tiny cases, whose times mean nothing")
    parser.add_argument("--repeats", type=int, default=7, help="pairs of calls, at most (default: 7)")
    parser.add_argument("--record", type=Path, help=f"file to write (default: {RECORD.name} of paper/runs)")
    options = parser.parse_args()
    if options.quick and options.record is None:
        parser.error("times of --quick mean nothing: say by --record where to write them")
    path = options.record or RECORD
    os.environ.update(
        timing.ONE_THREAD, TF_CPP_MIN_LOG_LEVEL="3", NO_ALBUMENTATIONS_UPDATE="1", MPLBACKEND="agg"
    )
    record = json.loads(path.read_text()) if path.exists() else {}
    for part in options.only:
        fresh = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=fresh) as process:
            found = process.submit(timing.run, part, options.quick, options.repeats).result()
        print(f"{part}: {found['seconds']['wall']} s", flush=True)
        record[part] = found
        ordered = {name: record[name] for name in PARTS if name in record}
        path.write_text(json.dumps(ordered, indent=1) + "\n")


if __name__ == "__main__":
    main()
