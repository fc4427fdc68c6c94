"""Speed of the geometric simulation against a per-image loop in the manner of the report.

The loop renders each source along the axes with numpy and turns the image with
`scipy.ndimage.rotate`. Both run on the same sources, one after the other, several times; medians
are printed, since other programs may run on the machine.

    python benchmarks/bench_geometric.py --per-class 6000 --repeats 5
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from astropy.table import Table
from scipy import ndimage

from radiosynth.simulation import draw_parameters, render


def loop(table: Table, size: int) -> None:
    """Render the sources one by one, along the axes, and rotate each."""
    y, x = np.mgrid[:size, :size] + 0.5

    def gaussian(x0: float, width: np.ndarray | float, height: float, amplitude: float) -> np.ndarray:
        along = (x - x0) / width
        across = (y - row["core_y"]) / height
        return amplitude * np.exp(-0.5 * (along**2 + across**2))

    for row in table:
        sigma = row["core_sigma"]
        if row["fr_type"] == 0:
            image = gaussian(row["core_x"], sigma, sigma * row["axis_ratio"], row["core_amplitude"])
        else:
            image = gaussian(row["core_x"], sigma, sigma, row["core_amplitude"])
            short, long = (row["lobe_sigma_along"] * row[name] for name in ("lobe_c1", "lobe_c2"))
            behind, ahead = (short, long) if row["fr_type"] == 1 else (long, short)
            for sign, amplitude in ((1, row["lobe_amplitude_1"]), (-1, row["lobe_amplitude_2"])):
                x0 = row["core_x"] + sign * row["lobe_distance"]
                width = np.where(sign * (x - x0) < 0, behind, ahead)
                image += gaussian(x0, width, row["lobe_sigma_across"], amplitude)
                image += gaussian(x0, row["halo_sigma"], row["halo_sigma"], row["halo_amplitude"])
        image = 2 * (image - image.min()) / np.ptp(image) - 1
        ndimage.rotate(image, row["position_angle"], reshape=False, cval=-1)


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--per-class", type=int, default=6000)
    parser.add_argument("--loop-per-class", type=int, default=100, help="sources of each class for the loop")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    size = 56
    table = draw_parameters(arguments.per_class, rng=np.random.default_rng(arguments.seed))
    few = draw_parameters(arguments.loop_per_class, rng=np.random.default_rng(arguments.seed))
    out = np.empty((len(table), size, size), dtype=np.float32)
    render(table, size, out=out)
    timings = [
        (
            len(few) / seconds(lambda: loop(few, size)),
            len(table) / seconds(lambda: render(table, size, out=out)),
        )
        for _ in range(arguments.repeats)
    ]
    slow, fast, ratio = (
        statistics.median(values) for values in zip(*[(a, b, b / a) for a, b in timings], strict=True)
    )
    print(f"{os.cpu_count()} processors, {size} px, median of {arguments.repeats} runs")
    print(f"loop with ndimage.rotate  {slow:10.0f} images/s  {1e6 / slow:8.1f} µs each")
    print(f"radiosynth.render         {fast:10.0f} images/s  {1e6 / fast:8.1f} µs each")
    print(f"ratio                     {ratio:10.0f}")


if __name__ == "__main__":
    main()
