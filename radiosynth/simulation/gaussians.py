"""A source as a sum of Gaussians, from its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from radiosynth.sample import check_choice
from radiosynth.simulation.population import _COMPACT

FRAME = 56.0
"""Edge of the report's frame, in its pixels: the unit of every length."""


_LARGEST = 1e30  # sums of such numbers still fit single precision


Trajectory = Literal["ray", "parabola"]


Columns = Mapping[str, NDArray[np.float64]]


ROUND = np.dtype([(name, float) for name in ("x", "y", "sigma", "amplitude")])
"""A round Gaussian."""


LOBE = np.dtype([(name, float) for name in ("x", "y", "axis", "across", "behind", "ahead", "amplitude")])
"""A two-sided Gaussian: direction of its axis (radians), sigma across it, behind and ahead of the peak."""


Gaussians = tuple[NDArray[np.void], NDArray[np.void]]


_COLUMNS = (
    "core_x", "core_y", "core_sigma", "core_amplitude", "axis_ratio", "position_angle", "bending_angle",
    "lobe_distance", "lobe_sigma_across", "lobe_sigma_along", "lobe_c1", "lobe_c2", "lobe_amplitude_1",
    "lobe_amplitude_2", "halo_sigma", "halo_amplitude",
)  # fmt: skip


_NOT_NEGATIVE = {"core_amplitude", "halo_amplitude", "lobe_distance"}


_POSITIVE = {name for name in _COLUMNS if "sigma" in name or "lobe_c" in name or "lobe_amplitude" in name} | {
    "axis_ratio"
}


def _checked(parameters: Table | Mapping[str, Any], trajectory: str) -> dict[str, NDArray[Any]]:
    """Return the parameters as plain arrays, or raise if one is missing or out of its range."""
    check_choice(trajectory, "trajectory", ("ray", "parabola"))
    if missing := [name for name in ("fr_type", *_COLUMNS) if name not in parameters.keys()]:  # noqa: SIM118
        msg = f"the parameters lack {', '.join(missing)}; start from the table of draw_parameters"
        raise ValueError(msg)
    fr_type = np.asarray(parameters["fr_type"])
    if not np.isin(fr_type, (0, 1, 2)).all():
        msg = f"fr_type holds {sorted(set(fr_type.tolist()))}; it is 1 or 2, and 0 for compact sources"
        raise ValueError(msg)
    columns = {"fr_type": fr_type}
    for name in _COLUMNS:
        values = columns[name] = np.asarray(parameters[name], dtype=float)
        used = np.full(len(fr_type), True)
        if name == "axis_ratio":
            used = fr_type == 0
        elif name not in _COMPACT:
            used = fr_type > 0
        floor: ArrayLike = -np.inf
        if name in _POSITIVE:
            floor = np.nextafter(0, 1)
        elif name in _NOT_NEGATIVE:  # the core of an extended source may be dark
            floor = np.where((fr_type == 0) & (name == "core_amplitude"), np.nextafter(0, 1), 0)
        if name == "bending_angle":
            floor = np.where(np.abs(values) <= 180, -180, np.inf)
        bad = np.flatnonzero(used & ~((np.abs(values) < _LARGEST) & (values >= floor)))
        if len(bad):
            msg = (
                f"{name} is {values[bad[0]]} in row {bad[0]} ({len(bad)} are bad); all must be below 1e30, "
                "widths and amplitudes positive (0 is allowed for cores and halos of extended sources), "
                "distances not negative, bending angles from -180 to 180"
            )
            raise ValueError(msg)
    return columns


def _galaxies(p: Columns, trajectory: str) -> Gaussians:
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
        stretch = np.hypot(cosine, 2 * sine) / 2 + np.where(
            straight, 0.5, cosine**2 * np.arcsinh(2 * safe / cosine) / (4 * safe)
        )
        distance = distance / stretch
        turn = np.arctan2(2 * sine, cosine) - half
        axes = rays + np.stack([turn, -turn], axis=1)
    x = p["core_x"][:, None] + distance[:, None] * np.cos(rays)
    y = p["core_y"][:, None] + distance[:, None] * np.sin(rays)
    amplitudes = np.column_stack([p["lobe_amplitude_1"], p["lobe_amplitude_2"]])
    # From here on, columns of shape (n, 1), which both lobes share.
    p = {name: values[:, None] for name, values in p.items()}
    short, long = p["lobe_sigma_along"] * p["lobe_c1"], p["lobe_sigma_along"] * p["lobe_c2"]
    outward = p["fr_type"] == 1  # the long side of FR I lobes trails away, that of FR II lobes points back
    behind, ahead = np.where(outward, short, long), np.where(outward, long, short)
    core = structured(ROUND, *(p[f"core_{name}"] for name in ("x", "y", "sigma", "amplitude")))
    halos = structured(ROUND, x, y, p["halo_sigma"], p["halo_amplitude"])
    lobes = structured(LOBE, x, y, axes, p["lobe_sigma_across"], behind, ahead, amplitudes)
    return np.concatenate([core, halos], axis=1), lobes


def _compacts(p: Columns) -> Gaussians:
    """Return the Gaussians of compact sources, in the form of `_galaxies`: one lobe, and nothing round."""
    axis, long = np.radians(p["position_angle"] + 90), p["core_sigma"]
    shape = (p["core_x"], p["core_y"], axis, long * p["axis_ratio"], long, long, p["core_amplitude"])
    return np.empty((len(axis), 0), ROUND), structured(LOBE, *shape)[:, None]


def structured(kind: np.dtype[np.void], *columns: NDArray[Any]) -> NDArray[np.void]:
    """Return a structured array of columns, which are broadcast to one shape."""
    result = np.empty(np.broadcast_shapes(*(column.shape for column in columns)), kind)
    for name, column in zip(kind.names or (), columns, strict=True):
        result[name] = column
    return result
