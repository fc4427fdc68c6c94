"""A figure of many images: `radiosynth.plotting.image_grid` against the same by hand and by ImageGrid."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.axes_grid1 import ImageGrid
from timing import Case, comparison, difference

import radiosynth
from radiosynth import plotting

COLUMNS = 8
SHOWN = {"origin": "lower", "cmap": plotting.COLOUR_MAP, "interpolation": "nearest"}


def colours(draw: Callable[[], Figure]) -> np.ndarray:
    """Return the colours of the pixels that a figure shows."""
    shown = [image.to_rgba(image.get_array()) for axes in draw().axes for image in axes.images]
    plt.close("all")
    return np.stack(shown)


def drawn(draw: Callable[[], Figure]) -> None:
    """Write a figure as PNG to memory."""
    draw().savefig(io.BytesIO(), format="png")
    plt.close("all")


def cases(quick: bool, by_peer: Callable[[np.ndarray, int], Figure]) -> Iterator[Case]:
    for rows in (1,) if quick else (1, 4, 8):
        number = rows * COLUMNS
        images = radiosynth.simulate(per_class=number // 4, size=56, rng=np.random.default_rng(0)).images
        ours = partial(plotting.image_grid, images, rows, COLUMNS)
        peer = partial(by_peer, images, rows)
        check = partial(lambda o, p: difference(colours(o), colours(p)), ours, peer)
        yield Case(partial(drawn, ours), partial(drawn, peer), number, 56, check, tolerance=0.0)


@comparison("drawing", "Matplotlib by hand", "plt.subplots and imshow without ticks, written as PNG.")
def by_hand(quick: bool) -> Iterator[Case]:
    def draw(images: np.ndarray, rows: int) -> Figure:
        figure, axes = plt.subplots(rows, COLUMNS, figsize=(1.1 * COLUMNS, 1.122 * rows), squeeze=False)
        for image, panel in zip(images, axes.flat, strict=True):
            panel.imshow(image, **SHOWN)
            panel.set_axis_off()
        return figure

    yield from cases(quick, draw)


@comparison(
    "drawing", "ImageGrid", "mpl_toolkits.axes_grid1.ImageGrid and imshow without ticks, written as PNG."
)
def by_grid(quick: bool) -> Iterator[Case]:
    def draw(images: np.ndarray, rows: int) -> Figure:
        figure = plt.figure(figsize=(1.1 * COLUMNS, 1.122 * rows))
        for image, panel in zip(images, ImageGrid(figure, 111, (rows, COLUMNS)), strict=True):
            panel.imshow(image, **SHOWN)
            panel.set_axis_off()
        return figure

    yield from cases(quick, draw)
