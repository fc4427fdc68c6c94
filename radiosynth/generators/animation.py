"""Animations of a training."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiosynth._io import refuse_to_replace, write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["write_gif", "write_mp4"]

MAX_GIF_BYTES = 3_000_000


def _page(frame: NDArray[np.uint8], caption: str, *, columns: int, magnification: int) -> Image:
    """Return a grid of images, north up, over a strip with a caption."""
    from PIL import Image, ImageDraw, ImageFont

    n, size = frame.shape[:2]
    rows = -(-n // columns)
    tiles = np.zeros((rows * columns, size, size), np.uint8)
    # Row 0 is the south, and the upper edge of a picture. The square root shows faint parts.
    tiles[:n] = np.sqrt(frame[:, ::-1] / 255) * 255
    tiles = np.pad(tiles, ((0, 0), (0, 1), (0, 1)), constant_values=96)  # lines between the images
    size += 1
    grid = tiles.reshape(rows, columns, size, size).swapaxes(1, 2).reshape(rows * size, columns * size)
    # 64 grey levels look the same and halve the file.
    grid = (grid // 4 * 4).repeat(magnification, 0).repeat(magnification, 1)
    strip = 24
    page = Image.new("L", (grid.shape[1], grid.shape[0] + strip), 255)
    page.paste(Image.fromarray(grid), (0, 0))
    font = ImageFont.load_default(size=16)
    ImageDraw.Draw(page).text((6, grid.shape[0] + 2), caption, fill=0, font=font)
    return page


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
        Frames of a `GANRun`, or those of one class: ``frames[:, 16:32]`` are the second.
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
    refuse_to_replace(Path(path), b"GIF8")
    if len(frames) == 0:
        msg = "there are no frames; give at least one"
        raise ValueError(msg)
    for magnification in (2, 1):
        pages = [
            _page(frame, caption.format(epoch), columns=columns, magnification=magnification)
            for frame, epoch in zip(frames, np.asarray(epochs), strict=True)
        ]
        durations = [milliseconds] * (len(pages) - 1) + [10 * milliseconds]
        data = io.BytesIO()
        pages[0].save(
            data, "GIF", save_all=True, append_images=pages[1:], duration=durations, loop=0, optimize=True
        )
        if data.tell() <= MAX_GIF_BYTES:
            break
    else:
        msg = f"{len(pages)} frames of {len(frames[0])} images take {data.tell()} bytes: give fewer than that"
        raise ValueError(msg)
    write_atomically(Path(path), lambda partial: partial.write_bytes(data.getvalue()))


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
    from matplotlib.figure import Figure

    pages = [
        np.asarray(_page(frame, f"epoch {epoch}", columns=columns, magnification=2))
        for frame, epoch in zip(frames, np.asarray(epochs), strict=True)
    ]
    height, width = pages[0].shape
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    shown = figure.figimage(pages[0], cmap="gray", vmin=0, vmax=255)
    writer = FFMpegWriter(fps=round(1000 / milliseconds))

    def save(partial: Path) -> None:
        with writer.saving(figure, str(partial), dpi=100):
            for page in pages:
                shown.set_data(page)
                writer.grab_frame()

    write_atomically(Path(path), save)
