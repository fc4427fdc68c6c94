"""Frames of a training: read, and made an animation."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiosynth._io import check, read_arrays, refuse_to_replace, write_atomically

STRIP = 24
"""Height in pixels of the strip with the caption."""


def read_frames(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the frames in a file of `train_generator`, and their epochs."""
    stored = read_arrays(path, {"frames": "u4", "epochs": "i1"}, advice="remove its folder and train again")
    return stored["frames"], stored["epochs"]


def _grid(frame: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Return a grid of images, north up, at twice their size, with lines between them."""
    from skimage.util import montage

    # Row 0 is the south, and the upper edge of a picture. The square root shows faint parts.
    tiles = (np.sqrt(frame[:, ::-1] / 255) * 255).astype(np.uint8)
    grid = montage(tiles, fill=96, grid_shape=(-(-len(tiles) // columns), columns), padding_width=1)
    # 64 grey levels look the same and halve the file.
    return grid[1:, 1:].repeat(2, 0).repeat(2, 1) // 4 * 4


def write_animation(
    frames: NDArray[np.uint8],
    epochs: ArrayLike,
    path: str | Path,
    *,
    columns: int = 8,
    milliseconds: int = 200,
    caption: str = "epoch {}",
) -> None:
    """Write the samples of a training as an animation, each frame labelled with its epoch.

    Parameters
    ----------
    frames : ndarray of uint8, shape (n_frames, n, size, size)
        Frames of a `GeneratorRun`, or those of one class: ``frames[:, 16:32]`` are the second.
    epochs : array_like of int, shape (n_frames,)
        Epoch of each frame.
    path : path-like
        File to write, a ``.gif``, which repeats without end.
    columns : int
        Images in a row; the report has 8.
    milliseconds : int
        Time that a frame is shown; the last stays ten times as long.
    caption : str
        What is written below a frame, with its epoch in the place of ``{}``.

    Raises
    ------
    ValueError
        If there are no frames, or another kind of file is named or would be replaced.
    """
    from matplotlib.animation import PillowWriter
    from matplotlib.figure import Figure

    path = Path(path)
    check(path.suffix == ".gif", f"cannot write {path.name}: give the file a name that ends in .gif")
    check(len(frames), "there are no frames; give at least one")
    refuse_to_replace(path, b"GIF8")
    grids = [_grid(frame, columns) for frame in frames]
    height, width = grids[0].shape
    # A bit more than a whole number of pixels, as older matplotlib rounds down.
    figure = Figure(figsize=((width + 0.01) / 100, (height + STRIP + 0.01) / 100), dpi=100)
    shown = figure.figimage(grids[0], yo=STRIP, cmap="gray", vmin=0, vmax=255, origin="upper")
    said = figure.text(6 / width, 6 / (height + STRIP), "", fontsize=11)
    # A fraction, so that no frame is a hundredth of a second too short.
    film = PillowWriter(fps=Fraction(1000, milliseconds))  # type: ignore[arg-type]

    def write(partial: Path) -> None:
        with film.saving(figure, str(partial), dpi=100):
            for grid, epoch in zip(grids, np.asarray(epochs), strict=True):
                shown.set_data(grid)
                said.set_text(caption.format(epoch))
                film.grab_frame()
            for _ in range(9):
                film.grab_frame()

    write_atomically(path, write)
