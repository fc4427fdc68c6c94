"""The ratio of Fanaroff and Riley, measured on parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from radiosynth._io import check
from radiosynth.simulation.gaussians import Trajectory, checked, galaxies


def fr_ratio(
    parameters: Table | Mapping[str, Any], *, contour: float = 0.05, trajectory: Trajectory = "ray"
) -> NDArray[np.float64]:
    """Return the Fanaroff-Riley ratio R of sources, from their parameters.

    R is the distance between the brightest points on opposite sides of the core over the extent of
    the source at the lowest contour, on which it depends; the core does not count as a brightest point. FR I
    sources have R < 0.5, FR II sources R > 0.5 (Fanaroff & Riley 1974, MNRAS 167, 31P). Both lengths
    are measured along the jets, so that bending does not change their meaning.

    Parameters
    ----------
    parameters : `~astropy.table.Table` or mapping of str to array
        The columns of `draw_parameters`.
    contour : float, default 0.05
        Lowest contour as a fraction of the peak.
    trajectory : {"ray", "parabola"}
        As for `render`.

    Returns
    -------
    array of float, shape (n,)
        R of each source; NaN for compact ones.

    Raises
    ------
    ValueError
        If a parameter is missing or out of its range, or the contour is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from radiosynth.simulation import draw_parameters, report_population
    >>> strict = report_population(consistent=True)
    >>> table = draw_parameters({"FRI": 2, "FRII": 2}, population=strict, rng=np.random.default_rng(0))
    >>> (fr_ratio(table) > 0.5).tolist()
    [False, False, True, True]
    """
    check(0 < contour < 1, f"contour is {contour}; give a fraction of the peak between 0 and 1")
    columns = checked(parameters, trajectory)
    ratio = np.full(len(columns["fr_type"]), np.nan)
    extended = np.flatnonzero(columns["fr_type"] > 0)
    for rows in np.array_split(extended, len(extended) // 1024 + 1):
        p = {name: values[rows] for name, values in columns.items()}
        # 1. Along the jet on either side: to the lobe, and on along its axis until all light has ended.
        spheres, lobes = galaxies(p, trajectory)
        widest = np.max([*lobes["behind"].T, *lobes["ahead"].T, *spheres["sigma"].T], axis=0)
        path = np.linspace(0, p["lobe_distance"] + 6 * widest, 512, axis=-1)[:, None]
        beyond, lobe = path - p["lobe_distance"][:, None, None], lobes[..., None]
        x, y = lobe["x"] + beyond * np.cos(lobe["axis"]), lobe["y"] + beyond * np.sin(lobe["axis"])
        core, rest = _brightness(spheres, lobes, x, y)
        # 2. The contour is a fraction of the brightest point of either side.
        level = contour * (core + rest).max(axis=(1, 2), keepdims=True)
        height = np.log(np.maximum((core + rest) / level, 1e-300))
        # 3. On each side: the brightest point other than the core, and where the contour is crossed last.
        bright = height > 0
        peak = np.where(bright, rest, -1.0).argmax(axis=-1, keepdims=True)
        last = 510 - bright[..., -2::-1].argmax(axis=-1, keepdims=True)  # it is crossed after this point
        inside, outside = (np.take_along_axis(height, point, -1) for point in (last, last + 1))
        brightest, crossed = (np.take_along_axis(path, point, -1) for point in (peak, last))
        seen = bright.any(axis=-1, keepdims=True)  # an arm below the contour has no length
        rest_of_step = np.divide(inside, inside - outside, out=np.zeros_like(inside), where=seen)
        outermost = crossed + path[..., 1:2] * rest_of_step
        ratio[rows] = brightest.sum(axis=(1, 2), where=seen) / outermost.sum(axis=(1, 2), where=seen)
    return ratio


def _brightness(
    spheres: NDArray[np.void], lobes: NDArray[np.void], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the brightness of the core, and of all else, at points x, y of shape (n, sides, points)."""
    each = spheres.T[..., None, None]
    squares = (x - each["x"]) ** 2 + (y - each["y"]) ** 2
    glow = each["amplitude"] * np.exp(-squares / (2 * each["sigma"] ** 2))
    each = lobes.T[..., None, None]
    cosine, sine = np.cos(each["axis"]), np.sin(each["axis"])
    along = (x - each["x"]) * cosine + (y - each["y"]) * sine
    aside = (y - each["y"]) * cosine - (x - each["x"]) * sine
    width = np.where(along < 0, each["behind"], each["ahead"])
    falls = -(aside**2) / (2 * each["across"] ** 2) - along**2 / (2 * width**2)
    return glow[0], glow[1:].sum(axis=0) + (each["amplitude"] * np.exp(falls)).sum(axis=0)
