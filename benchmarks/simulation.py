"""Simulated sources: `radiosynth.render` against a loop in the manner of the report, galsim and astropy.

Galsim and astropy have no two-sided Gaussians. So the lobes are made alike on both sides, and a source is
five elliptical Gaussians for all. The loop draws a source along the axes and rotates the image, which needs
straight sources with the core in the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from astropy.modeling.models import Gaussian2D
from astropy.table import Table
from scipy import ndimage
from timing import Case, comparison, difference

from radiosynth.simulation import draw_parameters, render
from radiosynth.simulation.gaussians import FRAME, checked, galaxies
from radiosynth.simulation.kernels import END

# Operations that a pixel needs: an exponential of ten terms and the two-sided Gaussian around it for each
# lobe that reaches it, and a product and a sum for each round one in whose rows it lies. What is computed
# beyond that, in the box around a lobe, is not counted.
LOBE, ROUND = 38, 2


def operations(table: Table) -> float:
    """Return the floating-point operations of a pixel, averaged over sources and pixels."""
    round_ones, lobes = galaxies(checked(table, "ray"), "ray")
    grid = np.arange(FRAME) + 0.5
    x, y = grid - lobes["x"][..., None, None], grid[:, None] - lobes["y"][..., None, None]
    sine, cosine, across, behind, ahead = (
        lobes[name][..., None, None] for name in ("sine", "cosine", "across", "behind", "ahead")
    )
    along = x * cosine + y * sine
    power = across * (y * cosine - x * sine) ** 2 + np.where(along < 0, behind, ahead) * along**2
    rows = round_ones["fall"][..., None] * (grid - round_ones["y"][..., None]) ** 2
    reached = [(values > END).sum(axis=1).mean() for values in (power, rows)]
    return LOBE * reached[0] + ROUND * reached[1]


def sources(number: int) -> Table:
    """Return FR I and FR II sources whose lobes are as long ahead as behind."""
    half = -(-number // 2)
    table = draw_parameters({"FRI": half, "FRII": half}, rng=np.random.default_rng(0))
    table["lobe_c2"] = table["lobe_c1"]
    return table[np.random.default_rng(0).permutation(2 * half)[:number]]


def cases(
    quick: bool, peer: Callable[[Table, int], Any], change: dict[str, float], tolerance: float, **options: Any
) -> Iterator[Case]:
    """Yield growing numbers of images, then growing images."""
    grid = [(4, 56)] if quick else [(10, 56), (100, 56), (1000, 56), (100, 112), (100, 224)]
    for number, size in grid:
        table = sources(number)
        for name, value in change.items():
            table[name] = value

        def ours(table: Table = table, size: int = size) -> Any:
            return render(table, size, **options)

        def theirs(table: Table = table, size: int = size) -> Any:
            return peer(table, size)

        yield Case(
            ours,
            theirs,
            number,
            size,
            lambda ours=ours, theirs=theirs: difference(ours(), theirs()),
            tolerance,
            moved=4 * number * size**2,
            flop=operations(table) * number * size**2,
            threads=True,
        )


def components(row: Any) -> Iterator[tuple[float, float, float, float, float, float]]:
    """Yield amplitude, x, y, sigma along and across the axis, and its direction, of each Gaussian."""
    x, y = row["core_x"], row["core_y"]
    yield row["core_amplitude"], x, y, row["core_sigma"], row["core_sigma"], 0.0
    first = np.radians(row["position_angle"] + 90)
    along, across = row["lobe_sigma_along"] * row["lobe_c1"], row["lobe_sigma_across"]
    directions = (first, first + np.pi - np.radians(row["bending_angle"]))
    for amplitude, axis in zip((row["lobe_amplitude_1"], row["lobe_amplitude_2"]), directions, strict=True):
        there = x + row["lobe_distance"] * np.cos(axis), y + row["lobe_distance"] * np.sin(axis)
        yield amplitude, *there, along, across, axis
        yield row["halo_amplitude"], *there, row["halo_sigma"], row["halo_sigma"], 0.0


@comparison(
    "simulation",
    "loop as in the report",
    """One image after the other with NumPy, drawn along the axes and rotated by scipy.ndimage.rotate. The
    rotation interpolates, so that at 56 pixels cores differ by up to 7 % of the range.""",
)
def loop(quick: bool) -> Iterator[Case]:
    def draw(table: Table, size: int) -> np.ndarray:
        y, x = (np.mgrid[:size, :size] + 0.5) * FRAME / size

        def gaussian(x0: float, width: float, height: float, amplitude: float) -> np.ndarray:
            return amplitude * np.exp(-0.5 * (((x - x0) / width) ** 2 + ((y - FRAME / 2) / height) ** 2))

        images = np.empty((len(table), size, size), np.float32)
        for row, target in zip(table, images, strict=True):
            along, across = row["lobe_sigma_along"] * row["lobe_c1"], row["lobe_sigma_across"]
            image = gaussian(FRAME / 2, row["core_sigma"], row["core_sigma"], row["core_amplitude"])
            for sign, amplitude in ((1, row["lobe_amplitude_1"]), (-1, row["lobe_amplitude_2"])):
                x0 = FRAME / 2 + sign * row["lobe_distance"]
                image += gaussian(x0, along, across, amplitude)
                image += gaussian(x0, row["halo_sigma"], row["halo_sigma"], row["halo_amplitude"])
            image = 2 * (image - image.min()) / np.ptp(image) - 1
            ndimage.rotate(image, -row["position_angle"] - 90, reshape=False, cval=-1, output=target)
        return images

    centred = {"core_x": FRAME / 2, "core_y": FRAME / 2, "bending_angle": 0.0, "halo_sigma": 3.0}
    yield from cases(quick, draw, centred, tolerance=0.15)


@comparison(
    "simulation", "galsim", "Sums of galsim.Gaussian, sheared, rotated and moved, one image after the other."
)
def galsim(quick: bool) -> Iterator[Case]:
    import galsim

    def draw(table: Table, size: int) -> np.ndarray:
        images, scale = np.empty((len(table), size, size), np.float32), FRAME / size
        for row, target in zip(table, images, strict=True):
            parts = []
            for amplitude, x, y, along, across, axis in components(row):
                # Of a surface brightness of `amplitude` at the peak.
                part = galsim.Gaussian(
                    sigma=np.sqrt(along * across), flux=2 * np.pi * along * across * amplitude
                )
                if along != across:
                    part = part.shear(q=min(along, across) / max(along, across), beta=0 * galsim.degrees)
                    part = part.rotate((axis if along > across else axis + np.pi / 2) * galsim.radians)
                parts.append(part.shift(x - FRAME / 2, y - FRAME / 2))
            image = galsim.Image(target, xmin=1, ymin=1, scale=scale)
            galsim.Sum(parts).drawImage(image, method="sb")
        return images

    yield from cases(quick, draw, {}, tolerance=1e-5, scale=False)


@comparison("simulation", "astropy", "Sums of astropy.modeling.models.Gaussian2D, one image after the other.")
def astropy(quick: bool) -> Iterator[Case]:
    def draw(table: Table, size: int) -> np.ndarray:
        y, x = (np.mgrid[:size, :size] + 0.5) * FRAME / size
        images = np.empty((len(table), size, size), np.float32)
        for row, target in zip(table, images, strict=True):
            target[:] = sum(Gaussian2D(*part)(x, y) for part in components(row))
        return images

    yield from cases(quick, draw, {}, tolerance=1e-5, scale=False)
