"""Images set upright: north up and east left, around a position, at a pixel scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.coordinates import CartesianRepresentation, SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame
from numpy.typing import NDArray

from radiosynth._io import check, log
from radiosynth.cutouts.beams import as_seen
from radiosynth.cutouts.files import LARGEST, NO_SKY, Opened, blamed, need
from radiosynth.cutouts.pixels import blanked
from radiosynth.sample import FRAME

PIXEL_SCALES = 0.001, 600
"""Least and largest width of a pixel, in arcsec: no radio image has others."""


TILT = 2
"""Largest angle in degrees between north and an axis of an image that is taken as it is."""


def check_pixel_scale(width: float) -> None:
    """Raise `ValueError` unless a pixel may have this width."""
    low, high = PIXEL_SCALES
    fault = f"pixel_scale is {width}; give the width of a pixel in arcsec, {low} to {high}"
    check(low <= width <= high, fault)


def frame_of(shape: Sequence[int], size: int | None) -> tuple[int, int]:
    """Return the height and the width of the part of an image that is wanted."""
    height, width = shape[-2:]
    large = (size or 1) <= min(height, width)
    need(large, f"has {height}×{width} pixels, less than size={size}; give a smaller size (--crop)")
    height, width = (size, size) if size else (height, width)
    small = max(height, width) <= LARGEST
    need(small, f"{height}×{width} pixels are too many; give size (--crop) of {LARGEST} or less")
    return height, width


@blamed(NO_SKY)
def upright(
    opened: Opened, size: int | None, pixel_scale: float | None, position: Any = None, beams: Any = None
) -> tuple[NDArray, dict[str, Any]]:
    """Return the image with north up and east left, and its place.

    It is that around a position, or all of it; and as beams of another width would show it (`as_seen`).

    An image whose axes are within `TILT` of north and west is taken as it is, pixel by pixel. Cutouts have
    the reference point of their survey's field, and are rotated against north, those of FIRST by up to 0.8
    degrees: no pixel is more than four hundredths of its distance from the centre off, while interpolation
    would smooth the noise and lose the corners. Beyond, the image is rotated by interpolation where it is
    large enough to fill the frame, and else kept as it is: the classes do not depend on the orientation,
    but would on invented corners.
    """
    # Not by reproject or Cutout2D: on 45 raw images of FIRST reproject_interp gives the same pixels to 1e-5
    # of the peak and the same classes, in five times the time, and brings 25 further packages. Cutout2D gives
    # the same pixels where nothing is rotated or scaled, which is one case of the mapping below.
    from scipy.ndimage import affine_transform

    wcs, (height, width) = opened.wcs, opened.shape
    x, y = ((width - 1) / 2, (height - 1) / 2) if position is None else wcs.world_to_pixel(position)
    middle, per_pixel, usual = axes_of(wcs, x, y, "its middle" if position is None else "the position")
    scale = pixel_scale or usual
    if beams is not None:
        opened = as_seen(opened, per_pixel, beams)

    # What one pixel of the upright image is in the file: a rotation, then a stretch along the file's axes.
    left, stretches, right = np.linalg.svd(scale * np.linalg.inv(per_pixel))
    rotation = left @ right
    along = abs(rotation[0]).argmax()
    straight = np.where(np.eye(2)[[along, 1 - along]], np.sign(rotation), 0)
    tilt = float(np.degrees(np.arccos(min(1, abs(rotation[0, along])))))
    exact = abs(stretches - 1).max() * (size or max(opened.shape)) < 0.5
    stretch = np.eye(2) if exact else (left * stretches) @ left.T
    full = int(height / stretch[1, 1] + 1e-6), int(width / stretch[0, 0] + 1e-6)
    frame = frame_of(full if along == 0 else full[::-1], size)
    # Where the frame lies in the file: rotated, or straight if that would lack corners.
    span = np.array(frame[::-1]) - 1
    for rotated in (True, False) if tilt > TILT else (False,):
        steps = stretch @ (rotation if rotated else straight)
        start = [x, y] - steps @ span / 2
        by_pixel = exact and not rotated
        if by_pixel:
            start = np.ceil(start - 0.5 - 1e-6)  # halves go down, as in images without coordinates
        places = start[:, None] + steps @ (span[:, None] * [[0, 0, 1, 1], [0, 1, 0, 1]])
        low, high = places.min(axis=1), places.max(axis=1)
        # Less than a pixel from the middle of the outermost pixels.
        inside = (low > -1).all() and (high < [width, height]).all()
        if inside:
            break
    need((high > -1).all() and (low < [width, height]).all(), "the position lies outside of the image")
    if tilt > TILT and not rotated:
        advice = "rotated, it would lack corners"
        log.warning("%s: kept as it is, %.1f degrees from north; %s", opened.name, tilt, advice)

    # Where the middle of the frame lies, up to half a pixel from where it was asked for, and where up is.
    west, north = per_pixel @ (start + steps @ span / 2 - [x, y]) / 3600
    dec = float(middle[1] + north)
    ra, up = float(middle[0] - west / np.cos(np.radians(dec))) % 360, per_pixel @ steps[:, 1]
    angle = float(np.degrees(np.arctan2(-up[0], up[1])))
    place = {"ra": ra, "dec": dec, "pixel_scale": scale, **dict(zip(FRAME, (ra, dec, angle), strict=True))}

    # Only the part of the file that is needed is read.
    low = np.maximum(0, np.floor(low)).astype(int)
    high = np.minimum([width, height], np.ceil(high) + 1).astype(int)
    part = blanked(opened.cut(slice(low[1], high[1]), slice(low[0], high[0])))
    if by_pixel and inside:
        columns, rows = straight.sum(axis=1).astype(int)  # 1, or -1 where it is mirrored
        part = part[::rows, ::columns]
        return part.T if along else part, place
    # Where it is interpolated, the edge reaches up to a pixel beyond its middle; the rest is NaN.
    order = 0 if by_pixel else 1
    part, offset = np.pad(part.astype(float), order, mode="edge"), (start - low)[::-1] + order
    return affine_transform(part, steps[::-1, ::-1], offset, frame, order=order, cval=np.nan), place


_ROTATIONS: dict[str, NDArray[np.float64]] = {}
"""What makes vectors of ICRS of those of a system of coordinates, by its name and equinox."""


def axes_of(wcs: WCS, x: float, y: float, what: str) -> tuple[tuple[float, float], NDArray, float]:
    """Return where a pixel lies (deg), how far west and north one along x and y leads, and its width."""
    columns, rows = x + np.array([0, 1, -1, 0, 0]), y + np.array([0, 0, 0, 1, -1])
    # By vectors and a matrix that is kept: SkyCoord would take longer than the rest of a file.
    system = f"{wcs.wcs.lngtyp} {wcs.wcs.radesys} {wcs.wcs.equinox}"
    if system not in _ROTATIONS:
        three = SkyCoord(CartesianRepresentation(np.eye(3)), frame=wcs_to_celestial_frame(wcs))
        _ROTATIONS[system] = three.icrs.cartesian.xyz.value
    if wcs.wcs.radesys == "FK4":  # with terms of aberration, which are no rotation
        vectors = wcs.pixel_to_world(columns, rows).icrs.cartesian.xyz.value
    else:
        world = np.radians(wcs.all_pix2world(columns, rows, 0))
        longitude, latitude = world[wcs.wcs.lng], world[wcs.wcs.lat]
        flat = np.cos(latitude)
        vectors = [flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)]
        vectors = _ROTATIONS[system] @ vectors
    found = np.isfinite(vectors).all()
    need(found, f"CRVAL and CRPIX in its header put {what} off the sky; correct them or leave it out")
    a, b, c = vectors[:, 0]
    ra, dec = np.arctan2(b, a) % (2 * np.pi), np.arctan2(c, np.hypot(a, b))
    west = [np.sin(ra), -np.cos(ra), 0]
    north = [-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)]
    ahead = np.degrees([west, north] @ vectors) * 3600
    per_pixel = (ahead[:, [1, 3]] - ahead[:, [2, 4]]) / 2
    large, small = np.linalg.svd(per_pixel, compute_uv=False)
    usual = PIXEL_SCALES[0] <= small and large <= min(PIXEL_SCALES[1], 2 * small)
    need(usual, f"has pixels of {large:.3g} by {small:.3g} arcsec; correct CDELT, CD or PC in its header")
    return (np.degrees(ra), np.degrees(dec)), per_pixel, float(np.sqrt(large * small))
