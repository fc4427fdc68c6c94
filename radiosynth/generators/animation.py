"""Animations of a training."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiosynth._io import refuse_to_replace, write_atomically

MAX_GIF_BYTES = 3_000_000

STRIP = 24
"""Height in pixels of the strip with the caption."""


def _grid(frame: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Return a grid of images, north up, with lines between them."""
    n, size = frame.shape[:2]
    tiles = np.zeros((-(-n // columns) * columns, size, size), np.uint8)
    # Row 0 is the south, and the upper edge of a picture. The square root shows faint parts.
    tiles[:n] = np.sqrt(frame[:, ::-1] / 255) * 255
    tiles = np.pad(tiles, ((0, 0), (0, 1), (0, 1)), constant_values=96)
    size += 1
    rows = tiles.reshape(-1, columns, size, size).swapaxes(1, 2)
    # 64 grey levels look the same and halve the file.
    return rows.reshape(-1, columns * size) // 4 * 4


def _film(
    writer: type,
    frames: NDArray[np.uint8],
    epochs: ArrayLike,
    path: Path,
    columns: int,
    magnification: int,
    milliseconds: int,
    caption: str = "epoch {}",
) -> None:
    """Write grids over their captions, the last for ten times as long."""
    from matplotlib.figure import Figure

    grids = [_grid(frame, columns).repeat(magnification, 0).repeat(magnification, 1) for frame in frames]
    height, width = grids[0].shape
    figure = Figure(figsize=(width / 100, (height + STRIP) / 100), dpi=100)
    shown = figure.figimage(grids[0], yo=STRIP, cmap="gray", vmin=0, vmax=255, origin="upper")
    said = figure.text(6 / width, 6 / (height + STRIP), "", fontsize=11)
    # A fraction, so that no frame is a hundredth of a second too short.
    film = writer(fps=Fraction(1000, milliseconds))
    with film.saving(figure, str(path), dpi=100):
        for grid, epoch in zip(grids, np.asarray(epochs), strict=True):
            shown.set_data(grid)
            said.set_text(caption.format(epoch))
            film.grab_frame()
        for _ in range(9):
            film.grab_frame()


def write_gif(
    frames: NDArray[np.uint8],
    epochs: ArrayLike,
    path: str | Path,
    *,
    columns: int = 8,
    milliseconds: int = 200,
    caption: str = "epoch {}",
) -> None:
    """Write the samples of a training as an endless animation, each frame labelled with its epoch.

    Parameters
    ----------
    frames : ndarray of uint8, shape (n_frames, n, size, size)
        Frames of a `GeneratorRun`, or those of one class: ``frames[:, 16:32]`` are the second.
    epochs : array_like of int, shape (n_frames,)
        Epoch of each frame.
    path : path-like
        File to write, ending in ``.gif``.
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
    """
    from matplotlib.animation import PillowWriter

    refuse_to_replace(Path(path), b"GIF8")
    if len(frames) == 0:
        msg = "there are no frames; give at least one"
        raise ValueError(msg)

    def write(partial: Path) -> None:
        for magnification in (2, 1):
            _film(PillowWriter, frames, epochs, partial, columns, magnification, milliseconds, caption)
            if partial.stat().st_size <= MAX_GIF_BYTES:
                return
        size = partial.stat().st_size
        msg = f"{len(frames)} frames of {len(frames[0])} images take {size} bytes: give fewer than that"
        raise ValueError(msg)

    write_atomically(Path(path), write)


def write_mp4(
    frames: NDArray[np.uint8],
    epochs: ArrayLike,
    path: str | Path,
    *,
    columns: int = 8,
    milliseconds: int = 200,
) -> None:
    """Write the same animation as `write_gif` as a film, for which ffmpeg must be installed.

    Raises
    ------
    RuntimeError
        If there is no ``ffmpeg`` on the path.
    """
    if shutil.which("ffmpeg") is None:
        msg = "ffmpeg is not on the path: install it, or write a GIF with write_gif"
        raise RuntimeError(msg)
    from matplotlib.animation import FFMpegWriter

    write_atomically(
        Path(path),
        lambda partial: _film(FFMpegWriter, frames, epochs, partial, columns, 2, milliseconds),
    )
