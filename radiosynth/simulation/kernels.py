"""Compiled sums of Gaussians, in single precision."""

from __future__ import annotations

from math import factorial

import numpy as np

from radiosynth._kernels import jit
from radiosynth.simulation.gaussians import FRAME

_ROUND = np.float32(1.5 * 2**23)  # adding it leaves the nearest integer in the lowest bits


_POWERS = tuple(np.float32(np.log(2) ** k / factorial(k)) for k in range(8))  # 2**f to 3e-8 for |f| ≤ 1/2


_LEAST = np.float32(-126)  # exponent of the smallest normal number


# Products of two profiles cut off there are rarely subnormal numbers, with which arithmetic is slow.
_NARROW = np.float32(-60)


# The compiler cannot vectorise a call of the C library's exp2; of these few lines it makes 16 at a time.
@jit(inline="always")
def _exp2(t):  # type: ignore[no-untyped-def]
    """Return 2 to the power t < 127 in single precision; 0 where that would not be a normal number."""
    # The nearest whole number, and the fraction that a polynomial is good for.
    shifted = t + _ROUND
    f = t - (shifted - _ROUND)
    c = _POWERS
    power = c[0] + f * (c[1] + f * (c[2] + f * (c[3] + f * (c[4] + f * (c[5] + f * (c[6] + f * c[7]))))))
    # The whole number is added to the exponent, which begins at bit 23.
    exponent = np.int32(np.float32(shifted).view(np.int32) << np.int32(23))
    scaled = np.int32(np.float32(power).view(np.int32) + exponent)
    return np.int32(scaled).view(np.float32) if t > _LEAST else np.float32(0)


# Loops over plain numbers and arrays become vectors; the fields of a record inside a loop would prevent it.
@jit()
def _profile(grid, centre, fall, height, out):  # type: ignore[no-untyped-def]
    """Write a Gaussian along one axis."""
    for i in range(len(grid)):
        d = grid[i] - centre
        power = fall * d * d
        out[i] = height * _exp2(power) if power > _NARROW else np.float32(0)


@jit()
def _add_product(image, rows, columns):  # type: ignore[no-untyped-def]
    """Add a round Gaussian, which is a product of one of the rows and one of the columns."""
    for i in range(len(rows)):
        line, height = image[i], rows[i]
        for j in range(len(columns)):
            line[j] += height * columns[j]


@jit()
def _add_lobe(image, x, y, x0, y0, cosine, sine, across, behind, ahead, level):  # type: ignore[no-untyped-def]
    """Add a two-sided Gaussian to a flat image whose pixels lie at x, y."""
    for i in range(len(image)):
        dx, dy = x[i] - x0, y[i] - y0
        v, w = dy * cosine - dx * sine, dx * cosine + dy * sine  # across the axis, and along it
        image[i] += _exp2(level + across * v * v + (behind if w < 0 else ahead) * w * w)


@jit()
def brightness(spheres, lobes, images):  # type: ignore[no-untyped-def]
    """Write the sum of the Gaussians of each source, `ROUND` and `LOBE`, to `images`."""
    # Centres of the pixels: of a row, and of all of the flat image.
    size = images.shape[1]
    grid = ((np.arange(size) + 0.5) * (FRAME / size)).astype(np.float32)
    y, x = np.repeat(grid, size), np.repeat(grid, size).reshape(size, size).T.copy().ravel()
    columns, rows = np.empty(size, np.float32), np.empty(size, np.float32)
    for n in range(len(images)):
        image = images[n]
        image[:] = 0
        for k in range(spheres.shape[1]):
            s = spheres[n, k]
            _profile(grid, s.x, s.fall, np.float32(1), columns)
            _profile(grid, s.y, s.fall, s.height, rows)
            _add_product(image, rows, columns)
        for k in range(lobes.shape[1]):
            t = lobes[n, k]
            flat = image.reshape(-1)
            _add_lobe(flat, x, y, t.x, t.y, t.cosine, t.sine, t.across, t.behind, t.ahead, t.level)


@jit(fastmath=False)
def write_scaled(images, gains, offsets, rows, out):  # type: ignore[no-untyped-def]
    """Write each image, times its gain and less its offset, to its row of `out`."""
    for n in range(len(images)):
        gain, offset = gains[n], offsets[n]
        image, target = images[n].reshape(-1), out[rows[n]].reshape(-1)
        for i in range(len(image)):
            target[i] = image[i] * gain - offset
