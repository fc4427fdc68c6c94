"""Frames of a training: read, and made an animation."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiosynth._io import check, read_arrays, refuse_to_replace, write_atomically
from radiosynth.sample import check_choice

MAX_BYTES = 3_000_000

STRIP = 24
"""Height in pixels of the strip with the caption."""

FORMATS = {".gif": ("pillow", b"GIF8"), ".mp4": ("ffmpeg", rb"(?s).{4}ftyp")}
"""By the suffix of a file: matplotlib's writer, and how such a file begins."""


def read_frames(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the frames in a file of `train_generator`, and their epochs."""
    kinds = {"frames": "u4", "epochs": "i1"}
    stored = read_arrays(path, kinds, advice="remove its folder and train again")
    return stored["frames"], stored["epochs"]


def _grid(frame: NDArray[np.uint8], columns: int, magnification: int) -> NDArray[np.uint8]:
    """Return a grid of images, north up, with lines between them."""
    from skimage.util import montage

    # Row 0 is the south, and the upper edge of a picture. The square root shows faint parts.
    tiles = (np.sqrt(frame[:, ::-1] / 255) * 255).astype(np.uint8)
    grid = montage(tiles, fill=96, grid_shape=(-(-len(tiles) // columns), columns), padding_width=1)
    # 64 grey levels look the same and halve the file.
    return grid[1:, 1:].repeat(magnification, 0).repeat(magnification, 1) // 4 * 4


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
        File to write: ``.gif``, which repeats without end, or ``.mp4``, for which ffmpeg must be installed.
    columns : int
        Images in a row; the report has 8.
    milliseconds : int
        Time that a frame is shown; the last stays ten times as long.
    caption : str
        What is written below a frame, with its epoch in the place of ``{}``.

    Raises
    ------
    ValueError
        If the animation takes more than 3 MB, there are no frames, or there is another kind of file.
    RuntimeError
        If there is no ``ffmpeg`` on the path, and it is needed.
    """
    from matplotlib.animation import writers
    from matplotlib.figure import Figure

    path = Path(path)
    check_choice(path.suffix, "suffix of an animation", FORMATS)
    name, beginning = FORMATS[path.suffix]
    refuse_to_replace(path, beginning)
    check(len(frames), "there are no frames; give at least one")
    if not writers.is_available(name):
        msg = f"{name} is not on the path: install it, or write a .gif"
        raise RuntimeError(msg)

    def write(partial: Path) -> None:
        for magnification in (2, 1):
            grids = [_grid(frame, columns, magnification) for frame in frames]
            height, width = grids[0].shape
            figure = Figure(figsize=(width / 100, (height + STRIP) / 100), dpi=100)
            shown = figure.figimage(grids[0], yo=STRIP, cmap="gray", vmin=0, vmax=255, origin="upper")
            said = figure.text(6 / width, 6 / (height + STRIP), "", fontsize=11)
            # A fraction, so that no frame is a hundredth of a second too short.
            film = writers[name](fps=Fraction(1000, milliseconds))  # type: ignore[arg-type]
            with film.saving(figure, str(partial), dpi=100):
                for grid, epoch in zip(grids, np.asarray(epochs), strict=True):
                    shown.set_data(grid)
                    said.set_text(caption.format(epoch))
                    film.grab_frame()
                for _ in range(9):
                    film.grab_frame()
            if (size := partial.stat().st_size) <= MAX_BYTES:
                return
        msg = f"{len(frames)} frames of {len(frames[0])} images take {size} bytes: give fewer than that"
        raise ValueError(msg)

    write_atomically(path, write)
