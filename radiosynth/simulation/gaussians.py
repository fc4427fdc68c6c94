"""A source as a sum of Gaussians, from its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from radiosynth._io import check
from radiosynth.sample import check_choice

FRAME = 56.0
"""Edge of the report's frame, in its pixels: the unit of every length."""


Trajectory = Literal["ray", "parabola"]


Columns = Mapping[str, NDArray[np.float64]]


ROUND = np.dtype([(name, np.float32) for name in ("x", "y", "fall", "height")])
"""A round Gaussian: its height times 2 to the power cd² at the distance d, where c is its fall."""


_LOBE = ("x", "y", "cosine", "sine", "across", "behind", "ahead", "level")
LOBE = np.dtype([(name, np.float32) for name in _LOBE])
"""A two-sided Gaussian: the direction of its axis, its falls across it, behind and ahead of the peak, and the
power of two that is its height."""


Gaussians = tuple[NDArray[np.void], NDArray[np.void]]


_LARGEST = 1e29  # sums of such numbers still fit single precision


_ANY, _NOT_NEGATIVE = (-_LARGEST, _LARGEST), (0.0, _LARGEST)


_POSITIVE = (1e-15, _LARGEST)


COLUMNS = {
    "core_x": _ANY, "core_y": _ANY, "core_sigma": _POSITIVE, "core_amplitude": _NOT_NEGATIVE,
    "axis_ratio": _POSITIVE, "position_angle": _ANY, "bending_angle": (-180, 180),
    "lobe_distance": _NOT_NEGATIVE, "lobe_sigma_across": _POSITIVE, "lobe_sigma_along": _POSITIVE,
    "lobe_c1": _POSITIVE, "lobe_c2": _POSITIVE, "lobe_amplitude_1": _POSITIVE, "lobe_amplitude_2": _POSITIVE,
    "halo_sigma": _POSITIVE, "halo_amplitude": _NOT_NEGATIVE,
}  # fmt: skip
"""Parameters of a source and their range: the columns that are rendered, besides ``fr_type``."""


COMPACT = ("core_x", "core_y", "core_sigma", "core_amplitude", "axis_ratio", "position_angle")
"""Those of compact sources."""


def checked(parameters: Table | Mapping[str, Any], trajectory: str) -> dict[str, NDArray[Any]]:
    """Return the parameters as arrays, or raise if one is missing or out of its range."""
    check_choice(trajectory, "trajectory", ("ray", "parabola"))
    given = parameters.keys()
    missing = ", ".join(name for name in ("fr_type", *COLUMNS) if name not in given)
    check(not missing, f"the parameters lack {missing}; start from the table of draw_parameters")
    fr_type = np.asarray(parameters["fr_type"])
    fault = f"fr_type holds {np.unique(fr_type).tolist()}; it is 1 or 2, and 0 for compact sources"
    check(np.isin(fr_type, (0, 1, 2)).all(), fault)
    columns, compact = {"fr_type": fr_type}, fr_type == 0
    for name, (low, high) in COLUMNS.items():
        values = columns[name] = np.asarray(parameters[name], dtype=float)
        # Compact and extended sources have parameters of their own.
        used = compact if name == "axis_ratio" else ~compact | (name in COMPACT)
        bad = np.flatnonzero(used & ~((values >= low) & (values <= high)))
        if len(bad):
            first = f"{name} is {values[bad[0]]} in row {bad[0]}"
            msg = f"{first} ({len(bad)} are bad); give numbers from {low:g} to {high:g}"
            raise ValueError(msg)
    return columns


def galaxies(p: Columns, trajectory: str) -> Gaussians:
    """Return the Gaussians of extended sources: core and two halos (n, 3), and two lobes (n, 2).

    The axis of a lobe points away from the core.
    """
    # Position angles start at north and turn as angles from the x axis do, when east is left.
    half = np.radians(p["bending_angle"]) / 2
    first = np.radians(p["position_angle"] + 90)
    rays = np.stack([first, first + np.pi - 2 * half], axis=1)
    distance, axes = p["lobe_distance"], rays
    if trajectory == "parabola":
        # On y = kx² the chord to a point rises at `half` if kx = tan(half). The arc to it is then
        # x·[√(1 + 4 tan²)/2 + asinh(2 tan)/(4 tan)], and x = chord·cos(half).
        sine, cosine = np.sin(half), np.maximum(np.cos(half), 1e-12)
        straight = np.abs(sine) < 1e-6
        safe = np.where(straight, 1, sine)
        bow = cosine**2 * np.arcsinh(2 * safe / cosine) / (4 * safe)
        stretch = np.hypot(cosine, 2 * sine) / 2 + np.where(straight, 0.5, bow)
        distance = distance / stretch
        turn = np.arctan2(2 * sine, cosine) - half
        axes = rays + np.stack([turn, -turn], axis=1)
    # The lobes, on both sides of the core.
    x = p["core_x"][:, None] + distance[:, None] * np.cos(rays)
    y = p["core_y"][:, None] + distance[:, None] * np.sin(rays)
    amplitudes = np.column_stack([p["lobe_amplitude_1"], p["lobe_amplitude_2"]])
    # From here on, columns of shape (n, 1), which both lobes share.
    p = {name: values[:, None] for name, values in p.items()}
    short, long = p["lobe_sigma_along"] * p["lobe_c1"], p["lobe_sigma_along"] * p["lobe_c2"]
    outward = p["fr_type"] == 1  # the long side of FR I lobes trails away, that of FR II lobes points back
    behind, ahead = np.where(outward, short, long), np.where(outward, long, short)
    core = _structured(ROUND, p["core_x"], p["core_y"], _fall(p["core_sigma"]), p["core_amplitude"])
    halos = _structured(ROUND, x, y, _fall(p["halo_sigma"]), p["halo_amplitude"])
    lobes = _lobes(x, y, axes, (p["lobe_sigma_across"], behind, ahead), amplitudes)
    return np.concatenate([core, halos], axis=1), lobes


def compacts(p: Columns) -> Gaussians:
    """Return the Gaussians of compact sources, in the form of `galaxies`: one lobe, and nothing round."""
    axis, long = np.radians(p["position_angle"] + 90), p["core_sigma"]
    sigmas = (long * p["axis_ratio"], long, long)
    lobes = _lobes(p["core_x"], p["core_y"], axis, sigmas, p["core_amplitude"])
    return np.empty((len(axis), 0), ROUND), lobes[:, None]


def _fall(sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return c, such that exp(-d²/2σ²) is 2 to the power cd²."""
    return -0.5 / np.log(2) / np.maximum(sigma, 1e-15) ** 2  # still fits single precision


def _lobes(x: NDArray, y: NDArray, axis: NDArray, sigmas: tuple[NDArray, ...], amplitude: NDArray) -> NDArray:
    """Return two-sided Gaussians, whose sigmas are those across the axis, behind and ahead of the peak."""
    level = np.log2(np.maximum(amplitude, 1e-45))  # no amplitude is no light
    return _structured(LOBE, x, y, np.cos(axis), np.sin(axis), *map(_fall, sigmas), level)


def _structured(kind: np.dtype[np.void], *columns: NDArray[Any]) -> NDArray[np.void]:
    """Return a structured array of columns, which are broadcast to one shape."""
    made = np.empty(np.broadcast_shapes(*(column.shape for column in columns)), kind)
    for name, column in zip(kind.names or (), columns, strict=True):
        made[name] = column
    return made
