"""Speed of `radiosynth.rotate_flip` against a per-image loop over `scipy.ndimage.rotate` of order 1.

Both flip and rotate the same smooth sources by the same angles, one after the other, several times; medians
are printed, since other programs may run on the machine.

    python benchmarks/bench_rotation.py --images 6000 --size 56 --repeats 7
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import numpy as np
from scipy import ndimage

import radiosynth


def loop(images: np.ndarray, angles: np.ndarray, flips: np.ndarray) -> np.ndarray:
    """Flip and rotate one by one; scipy counts angles the other way round when row 0 is at the bottom."""
    return np.stack(
        [
            ndimage.rotate(image[:, ::-1] if flip else image, -angle, order=1, reshape=False, cval=-1)
            for image, angle, flip in zip(images, angles, flips, strict=True)
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--loop-images", type=int, default=1000, help="of which the loop does the first")
    parser.add_argument("--size", type=int, default=56)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    size, few = arguments.size, min(arguments.images, arguments.loop_images)
    images = radiosynth.simulate(per_class=-(-arguments.images // 4), size=size, rng=rng).images
    images = rng.permutation(images)[: arguments.images]
    angles, flips = rng.uniform(0, 360, len(images)), rng.random(len(images)) < 0.5
    found = radiosynth.rotate_flip(images, angles, flips)  # once before, to load OpenCV and get the memory

    slow, fast = [], []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        expected = loop(images[:few], angles[:few], flips[:few])
        middle = time.perf_counter()
        radiosynth.rotate_flip(images, angles, flips, out=found)
        slow.append(few / (middle - start))
        fast.append(len(images) / (time.perf_counter() - middle))

    # At the rim OpenCV blends the image with the fill value and scipy does not.
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    difference = np.abs(found[:few] - expected)[:, np.hypot(x, y) < size / 2 - 1].max()
    ratio = statistics.median(b / a for a, b in zip(slow, fast, strict=True))
    print(f"{os.cpu_count()} processors, {size} px, median of {arguments.repeats} runs")
    print(f"loop with ndimage.rotate  {statistics.median(slow):10.0f} images/s")
    print(f"radiosynth.rotate_flip    {statistics.median(fast):10.0f} images/s")
    print(f"ratio                     {ratio:10.1f}")
    print(f"largest difference        {100 * difference / 2:10.5f} % of the image range, away from the rim")


if __name__ == "__main__":
    main()
