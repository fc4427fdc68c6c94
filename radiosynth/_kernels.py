"""Compiled loops over the pixels of images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.lib.stride_tricks import as_strided

OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nnan", "ninf", "nsz"}}


def jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function, and keeps the result for later processes."""

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, **OPTIONS | options)(function)
        except RuntimeError:  # the package and the user's home are both read-only: there is no place for it
            return numba.njit(**OPTIONS | options)(function)

    return compiled


def in_threads(work: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
    """Map a function that runs compiled code, which lets go of the interpreter, over lists of arguments.

    There is a thread for each processor that this process may use. Threads of joblib take longer to start
    (2 ms of processor time) than a batch of training takes.
    """
    calls = list(zip(*arguments, strict=True))
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if min(threads, len(calls)) <= 1:
        return [work(*call) for call in calls]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, *zip(*calls, strict=True)))


@jit()
def warp(images, edges, source, matrices, out):  # type: ignore[no-untyped-def]
    """Write ``images[source]`` to `out`, bilinearly; what lies beyond an image has the value of its edge.

    A matrix (2, 3) takes a pixel (x, y, 1) of the result to its place in the original.
    """
    height, width = images.shape[1:]
    # With a margin, so that no pixel has to ask whether its neighbours exist: places are limited to it.
    line = width + 4 - width % 2  # even, so that pairs of pixels fill the array
    padded = np.empty((height + 3) * line, np.float32)
    # A pixel and the next are loaded as one number of 64 bits, which may begin at any pixel: loads are what
    # takes most of the time.
    pairs = as_strided(padded.view(np.uint64), (len(padded) - 1,), (4,))
    lower, upper = np.empty(width, np.uint64), np.empty(width, np.uint64)
    below, over = lower.view(np.float32), upper.view(np.float32)
    zero, end, top = np.float32(0), np.float32(width + 1), np.float32(height + 1)
    columns = np.arange(width).astype(np.float32)
    place, ahead, above = np.empty(width, np.uint32), np.empty(width, np.float32), np.empty(width, np.float32)
    for n in range(len(source)):
        image, padded[:] = images[source[n]], edges[source[n]]
        for i in range(height):
            for j in range(width):
                padded[np.uint32((i + 1) * line + 1 + j)] = image[i, j]
        m = matrices[n]
        dx, dy = np.float32(m[0, 0]), np.float32(m[1, 0])
        for i in range(height):
            x0, y0 = np.float32(m[0, 1] * i + m[0, 2] + 1), np.float32(m[1, 1] * i + m[1, 2] + 1)
            # Places, loads and values have their own loops: the compiler turns the first and the last into
            # vectors, but not one loop of all. No index has a sign, which it would test.
            for j in range(width):
                x = min(max(x0 + dx * columns[j], zero), end)
                y = min(max(y0 + dy * columns[j], zero), top)
                column, row = np.int32(x), np.int32(y)
                ahead[j], above[j] = x - np.float32(column), y - np.float32(row)
                place[j] = np.uint32(np.int32(row * np.int32(line) + column))
            for j in range(width):
                lower[j], upper[j] = pairs[place[j]], pairs[place[j] + np.uint32(line)]
            made = out[n, i]
            for j in range(width):
                left, right = np.uint32(2 * j), np.uint32(2 * j + 1)
                low = below[left] + ahead[j] * (below[right] - below[left])
                high = over[left] + ahead[j] * (over[right] - over[left])
                made[j] = low + above[j] * (high - low)
