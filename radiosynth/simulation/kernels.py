"""Compiled sums of Gaussians, in single precision."""

from __future__ import annotations

from math import factorial, sqrt

import numpy as np

from radiosynth._kernels import jit
from radiosynth.simulation.gaussians import FRAME

_ROUND = np.float32(1.5 * 2**23)  # adding it leaves the nearest integer in the lowest bits


_POWERS = tuple(np.float32(np.log(2) ** k / factorial(k)) for k in range(8))  # 2**f to 3e-8 for |f| ≤ 1/2


_LEAST = np.float32(-126)  # exponent of the smallest normal number


END = np.float32(-40)
"""A Gaussian whose peak is seen ends at this power of two of it, 10⁻¹², far below the rounding of that pixel.

Products of two profiles are then rarely subnormal numbers, with which arithmetic is slow."""


FAINTEST = np.finfo(np.float32).tiny
"""The smallest normal number: an image whose pixels differ by less is dark, and cannot be scaled."""


_FLAT = np.float32(-1e-30)  # keeps the axes of a lobe without end finite


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
def _profile(grid, centre, fall, height, end, out):  # type: ignore[no-untyped-def]
    """Write a Gaussian along one axis."""
    for i in range(len(grid)):
        d = grid[i] - centre
        power = fall * d * d
        out[i] = height * _exp2(power) if power > end else np.float32(0)


@jit()
def _is_seen(pixel, x, y, fall):  # type: ignore[no-untyped-def]
    """Return whether a pixel of that width shows the peak of a Gaussian, or a millionth of it at least."""
    return 0 <= x <= FRAME and 0 <= y <= FRAME and fall * pixel**2 > -40


@jit()
def _add_product(image, rows, columns):  # type: ignore[no-untyped-def]
    """Add a round Gaussian, which is a product of one of the rows and one of the columns."""
    for i in range(len(rows)):
        line, height = image[i], rows[i]
        if height > 0:
            for j in range(len(columns)):
                line[j] += height * columns[j]


@jit()
def _add_lobe_to_row(line, x, dy, x0, cosine, sine, across, behind, ahead, level):  # type: ignore[no-untyped-def]
    """Add a two-sided Gaussian to the pixels of a row, which lie at x."""
    for j in range(len(line)):
        dx = x[j] - x0
        v, w = dy * cosine - dx * sine, dx * cosine + dy * sine  # across the axis, and along it
        line[j] += _exp2(level + across * v * v + (behind if w < 0 else ahead) * w * w)


@jit()
def _add_lobe(image, grid, pixel, x0, y0, cosine, sine, across, behind, ahead, level):  # type: ignore[no-untyped-def]
    """Add a two-sided Gaussian; if its peak is seen, within the box around an ellipse."""
    bottom, top, first, end = 0, len(grid), 0, len(grid)
    if _is_seen(pixel, x0, y0, min(across, behind, ahead)):
        long, short = END / min(max(behind, ahead), _FLAT), END / min(across, _FLAT)  # axes, squared
        wide, high = sqrt(cosine**2 * long + sine**2 * short), sqrt(sine**2 * long + cosine**2 * short)
        bottom, top = np.searchsorted(grid, y0 - high), np.searchsorted(grid, y0 + high)
        # Whole vectors of eight pixels, where they fit.
        first = np.searchsorted(grid, x0 - wide) // 8 * 8
        end = min(len(grid), -(-np.searchsorted(grid, x0 + wide) // 8) * 8)
    for i in range(bottom, top):
        line, x = image[i, first:end], grid[first:end]
        _add_lobe_to_row(line, x, grid[i] - y0, x0, cosine, sine, across, behind, ahead, level)


@jit(inline="always")
def _ordered(bits):  # type: ignore[no-untyped-def]
    """Return the bits of a float as a whole number that sorts as the float does; and the reverse."""
    return np.int32(bits ^ np.int32(np.int32(bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@jit()
def _limits(image):  # type: ignore[no-untyped-def]
    """Return the faintest and the brightest pixel of an image of float32, all finite."""
    # Minima of whole numbers become vectors, those of floats do not.
    bits = image.reshape(-1).view(np.int32)
    low = high = _ordered(bits[0])
    for i in range(len(bits)):
        value = _ordered(bits[i])
        low, high = min(low, value), max(high, value)
    return _ordered(low).view(np.float32), _ordered(high).view(np.float32)


@jit(fastmath=False)
def _stretch(image, low, high):  # type: ignore[no-untyped-def]
    """Scale an image from its limits to [-1, 1], in place; to -1 if it is dark."""
    one = np.float32(1)
    gain = np.float32(2 - 1e-6) / (high - low if high - low >= FAINTEST else one)
    offset, flat = low * gain + one, image.reshape(-1)
    for i in range(len(flat)):
        value = flat[i] * gain - offset
        flat[i] = -one if value < -one else one if value > one else value  # rounding may lead beyond


@jit()
def limits(images):  # type: ignore[no-untyped-def]
    """Return the faintest and the brightest pixel of each image, all finite, as `_limits` does."""
    low, high = np.empty(len(images), np.float32), np.empty(len(images), np.float32)
    for n in range(len(images)):
        low[n], high[n] = _limits(images[n])
    return low, high


@jit()
def stretch(images):  # type: ignore[no-untyped-def]
    """Scale each image to [-1, 1], in place."""
    for n in range(len(images)):
        low, high = _limits(images[n])
        _stretch(images[n], low, high)


@jit()
def draw(spheres, lobes, images, rows, pixel, scale):  # type: ignore[no-untyped-def]
    """Write the sum of the Gaussians of each source, `ROUND` and `LOBE`, to its row of `images`.

    `pixel` is the width of those that will be kept. Returns the limits of each image, from which it is scaled
    to [-1, 1] if asked.
    """
    size = images.shape[1]
    grid = ((np.arange(size) + 0.5) * (FRAME / size)).astype(np.float32)  # centres of the pixels
    across, up = np.empty(size, np.float32), np.empty(size, np.float32)
    low, high = np.empty(len(rows), np.float32), np.empty(len(rows), np.float32)
    for n in range(len(rows)):
        image = images[rows[n]]
        image[:] = 0
        for k in range(spheres.shape[1]):
            s = spheres[n, k]
            end = END if _is_seen(pixel, s.x, s.y, s.fall) else _LEAST
            _profile(grid, s.x, s.fall, np.float32(1), end, across)
            _profile(grid, s.y, s.fall, s.height, end, up)
            _add_product(image, up, across)
        for k in range(lobes.shape[1]):
            t = lobes[n, k]
            _add_lobe(image, grid, pixel, t.x, t.y, t.cosine, t.sine, t.across, t.behind, t.ahead, t.level)
        low[n], high[n] = _limits(image)  # while the image is in the cache
        if scale:
            _stretch(image, low[n], high[n])
    return low, high
