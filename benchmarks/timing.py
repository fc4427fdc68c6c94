"""Two ways to do the same work, measured one after the other in one process and on one processor core.

A comparison is a function that yields cases, such as growing numbers of images. Each case is two functions
of the same work, ours and the peer's. First their results are compared: a case whose results differ by more
than it states is an error. Then both are called in turn, several times; kept are the quartiles of the seconds
and of the ratios of neighbouring calls, so that whatever else slows the machine down slows down both.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.metadata
import itertools
import math
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radiosynth.reproduction.provenance import commit

if TYPE_CHECKING:
    import keras

Work = Callable[[], Any]

ONE_THREAD = dict.fromkeys(
    (
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
    ),
    "1",
)
"""What libraries read when they are loaded: the environment of a measurement."""

PACKAGES = (
    "radiosynth", "numpy", "scipy", "astropy", "scikit-image", "numba",
    "matplotlib", "keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "onnxruntime", "galsim",
    "albumentations",
)  # fmt: skip

SIDES = ("ours", "peer")
SHORTEST = 0.02  # seconds of a measurement: what is faster is called several times
LONGEST = 2.0  # seconds of a case, after which no further pair of calls is begun


@dataclass
class Case:
    """The same work done in two ways.

    Parameters
    ----------
    ours, peer : callable
        What is measured.
    number, size : int
        How many images one call makes, and their edge in pixels.
    check : callable
        Returns the largest difference between the two, in the unit of the results.
    tolerance : float
        The largest that is accepted.
    what : str
        What tells this case from the others but for number and size, such as the width of a network.
    moved, flop : float
        Bytes that have to be read and written at least, and floating-point operations.
    threads : bool
        Whether ours uses all cores by itself: then it is measured with all of them, too.
    memory : {"here", "alone", ""}
        Where the memory is measured. TensorFlow keeps what it once had: so that of networks is measured for
        the first call of a process that does nothing else, or not at all.
    """

    ours: Work
    peer: Work
    number: int
    size: int
    check: Callable[[], float]
    tolerance: float
    what: str = ""
    moved: float = 0.0
    flop: float = 0.0
    threads: bool = False
    memory: str = "here"


@dataclass
class Comparison:
    """A task, a peer that does it, how the two differ, and the cases; which are few if asked to be quick."""

    task: str
    peer: str
    note: str
    cases: Callable[[bool], Iterator[Case]]


COMPARISONS: list[Comparison] = []


def comparison(task: str, peer: str, note: str) -> Callable[[Callable[[bool], Iterator[Case]]], None]:
    """Add a function that yields cases to the list of comparisons."""
    return lambda cases: COMPARISONS.append(Comparison(task, peer, " ".join(note.split()), cases))


def difference(one: Any, other: Any) -> float:
    """Return the largest difference between two arrays."""
    return float(np.abs(np.subtract(one, other, dtype=np.float64)).max())


def flop(model: keras.Model) -> float:
    """Return the operations of convolutions and dense layers that one image takes on its way through."""
    import keras

    work = 0.0
    for layer in model.layers:
        pixels = 1
        if isinstance(layer, keras.layers.Conv2DTranspose):
            pixels = math.prod(layer.input.shape[1:3])
        elif isinstance(layer, keras.layers.Conv2D):
            pixels = math.prod(layer.output.shape[1:3])
        elif not isinstance(layer, keras.layers.Dense):
            continue
        work += 2 * pixels * math.prod(layer.kernel.shape)
    return work


# Clocks -----------------------------------------------------------------------------------------------

CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def pin(cores: set[int]) -> None:
    """Let this thread, and those that it begins, run on some cores only, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def seconds(work: Work, calls: int = 1) -> tuple[float, float]:
    """Return the seconds that a call takes, and those of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(calls):
        work()
    return (time.perf_counter() - wall) / calls, (time.process_time() - processor) / calls


def in_turn(works: dict[str, Work], repeats: int) -> dict[str, np.ndarray]:
    """Call each in turn, `repeats` times or until it takes too long; return (repeats, 2) seconds of each."""
    calls = {name: max(1, round(SHORTEST / seconds(work)[0])) for name, work in works.items()}
    begun, found = time.perf_counter(), {name: [] for name in works}
    for repeat in range(repeats):
        if repeat >= 3 and time.perf_counter() - begun > LONGEST:
            break
        for name, work in works.items():
            found[name].append(seconds(work, calls[name]))
    return {name: np.array(values) for name, values in found.items()}


def peak_memory(work: Work) -> int | None:
    """Return the bytes that the process needs at most beyond those it has, its result among them.

    Only Linux tells; elsewhere None.
    """
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)  # memory that was freed goes back to the system
    status = Path("/proc/self/status")
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again
        before = status.read_text()
    except OSError:
        return None
    kept = work()
    after = status.read_text()
    del kept
    held, peak = (int(text.split(key)[1].split()[0]) for text, key in ((before, "VmRSS:"), (after, "VmHWM:")))
    return 1024 * max(0, peak - held)


def limits(quick: bool) -> dict[str, float]:
    """Return bytes a second of a large copy, read and written, and operations a second of a product."""
    rng, edge = np.random.default_rng(0), 512 if quick else 2048
    matrix, target = rng.random((edge, edge), np.float32), np.empty((edge, edge), np.float32)
    large = np.ones(2**22 if quick else 2**26, np.float32)
    copied = np.empty_like(large)
    product = min(seconds(lambda: np.matmul(matrix, matrix, out=target))[0] for _ in range(5))
    copy = min(seconds(lambda: np.copyto(copied, large))[0] for _ in range(5))
    return {"bytes_per_second": 2 * large.nbytes / copy, "flop_per_second": 2 * edge**3 / product}


# The record -------------------------------------------------------------------------------------------


def measure(case: Case, most: dict[str, float], repeats: int) -> dict[str, Any]:
    """Return what the record says of a case, but for memory that is measured alone."""
    found = case.check()
    if not found <= case.tolerance:
        msg = f"the results differ by {found:.3g}; at most {case.tolerance:.3g} was expected"
        raise ValueError(msg)

    def unpinned() -> None:
        pin(CORES)
        case.ours()
        pin({max(CORES)})

    works: dict[str, Work] = {"ours": case.ours, "peer": case.peer}
    if case.threads and len(CORES) > 1:
        works["all cores"] = unpinned
    taken = in_turn(works, repeats)
    least = max(case.moved / most["bytes_per_second"], case.flop / most["flop_per_second"])
    kind = "memory" if case.moved / most["bytes_per_second"] == least else "arithmetic"
    ours = float(np.median(taken["ours"][:, 0]))
    return {
        "what": case.what,
        "number": case.number,
        "size": case.size,
        "repeats": len(taken["ours"]),
        "difference": rounded(found),
        "tolerance": case.tolerance,
        "seconds": {name: quartiles(values[:, 0]) for name, values in taken.items()},
        "processor_seconds": {name: rounded(np.median(values[:, 1])) for name, values in taken.items()},
        "ratio": quartiles(taken["peer"][:, 0] / taken["ours"][:, 0]),
        "memory": {name: peak_memory(works[name]) if case.memory == "here" else None for name in SIDES},
        "limit": {"of": kind, "fraction": rounded(least / ours)} if least else None,
    }


def quartiles(values: Any) -> list[float]:
    """Return the quartiles, which are the median and what is around it."""
    return [rounded(value) for value in np.percentile(values, (25, 50, 75))]


def rounded(value: float) -> float:
    """Return four digits, which are more than a clock is good for."""
    return float(f"{value:.4g}")


def setting(quick: bool) -> dict[str, Any]:
    """Return where and when: processor, load, versions, date, and the limits of the machine."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    processor = platform.processor() or platform.machine()
    with suppress(OSError, IndexError):
        processor = Path("/proc/cpuinfo").read_text().split("model name\t: ")[1].partition("\n")[0]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "processor": processor,
        "cores": len(CORES),
        "system": f"{platform.system()} on {platform.machine()}",
        "load": rounded(os.getloadavg()[0]) if hasattr(os, "getloadavg") else None,
        "versions": versions,
        "quick": quick,
    }


def first_memory(part: str, quick: bool, number: int, position: int, side: str) -> int | None:
    """Return the memory of the first call of a side of a case, by its position in a comparison."""
    importlib.import_module(part)
    case = next(itertools.islice(COMPARISONS[number].cases(quick), position, None))
    return peak_memory(getattr(case, side))


def alone(*arguments: Any) -> int | None:
    """Return `first_memory` of a process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(first_memory, *arguments).result()


def measure_all(part: str, quick: bool, repeats: int) -> dict[str, Any]:
    """Measure what this process has loaded, and return its part of the record."""
    about = setting(quick)  # before the load is our own
    pin({max(CORES)})
    most = limits(quick)
    found, missing = [], {}
    for i, each in enumerate(COMPARISONS):
        try:
            for j, case in enumerate(each.cases(quick)):
                row = measure(case, most, repeats)
                if case.memory == "alone":
                    row["memory"] = {side: alone(part, quick, i, j, side) for side in SIDES}
                found.append({"task": each.task, "peer": each.peer, "note": each.note} | row)
                line = f"{case.number} × {case.size} px {case.what}"
                print(f"{each.task:24} {each.peer:26} {line:32} {row['ratio'][1]:9.3g} ×", flush=True)
        except ModuleNotFoundError as error:
            missing[each.peer] = f"{error.name} is not installed"
            print(f"{each.task:24} {each.peer:26} left out: {missing[each.peer]}", flush=True)
    return {"setting": about, "limits": most, "missing": missing, "comparisons": found}


def run(part: str, quick: bool, repeats: int) -> dict[str, Any]:
    """Return what a part of the record holds: of a module with a measurement of its own, or of its cases."""
    begun = time.perf_counter()
    module = importlib.import_module(part)
    found = module.measure(quick) if hasattr(module, "measure") else measure_all(part, quick, repeats)
    wall, processor = time.perf_counter() - begun, time.process_time()
    return found | {"seconds": {"wall": round(wall), "processor": round(processor)}}
