"""Rotated and flipped images, drawn in order or at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiosynth._io import check, refuse_beyond_memory
from radiosynth.preprocessing import _stack
from radiosynth.sample import Sample, check_choice, check_rng
from radiosynth.splitting import _numbers_per_class
from radiosynth.taxonomy import CLASS_NAMES


def rotate_flip(images: ArrayLike, angles: ArrayLike, flips: ArrayLike) -> NDArray[np.float32]:
    """Flip images left–right where asked, then rotate them about their centres, bilinearly.

    Angles count counter-clockwise in an image shown with row 0 at the bottom. On the sky that is from north
    through east, so that the position angles of the source grow by the angle. What was beyond the edges, seen
    in the corners, takes the lowest value of the image.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Square images.
    angles : array_like, shape (n,)
        Rotation of each image in degrees.
    flips : array_like of bool, shape (n,)
        Whether each image is flipped before it is rotated.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        The images made.

    Raises
    ------
    ValueError
        If the images are not square, the shapes do not agree, or an angle is not finite.

    Examples
    --------
    >>> image = np.array([[[1, 2], [3, 4]]])
    >>> rotate_flip(image, [90], [False]).round(3).tolist()
    [[[3.0, 1.0], [4.0, 2.0]]]
    >>> rotate_flip(image, [0], [True]).round(3).tolist()
    [[[2.0, 1.0], [4.0, 3.0]]]
    """
    stack = _stack(images)
    n, height, width = stack.shape
    shapes = f"{stack.shape}, {np.shape(angles)} and {np.shape(flips)}"
    fault = f"images, angles and flips have the shapes {shapes}; they must be (n, size, size), (n,) and (n,)"
    check(height == width and np.shape(angles) == np.shape(flips) == (n,), fault)
    degrees: NDArray[np.float64] = np.ma.filled(np.ma.asarray(angles, float), np.nan)
    unknown = int((~np.isfinite(degrees)).sum())
    check(not unknown, f"{unknown} of {n} angles are not finite: give degrees, or leave these images out")
    return _warp(stack, np.arange(n), degrees, np.asarray(flips))


def augment_randomly(
    images: ArrayLike, rng: np.random.Generator, *, zoom: float = 0.12, shift: float = 3.0
) -> NDArray[np.float32]:
    """Augment each image at random: flip it, rotate it by any angle, zoom and shift it.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Square images.
    rng : numpy.random.Generator
        Source of randomness.
    zoom : float
        Standard deviation of the logarithm of the magnification.
    shift : float
        Standard deviation of the shift along each axis in pixels.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        The images drawn.

    Raises
    ------
    ValueError
        If `zoom` is not from 0 to 1, or `shift` not from 0 to a thousand.

    Examples
    --------
    >>> bar = np.full((2, 30, 30), -1.0)
    >>> bar[:, 8:22, 14:16] = 1
    >>> drawn = augment_randomly(bar, np.random.default_rng(0))
    >>> drawn.shape, bool(np.array_equal(drawn[0], drawn[1]))
    ((2, 30, 30), False)
    """
    check_rng(rng)
    given = f"zoom={zoom}, shift={shift}"
    check(0 <= zoom <= 1 and 0 <= shift <= 1000, f"{given}: give a zoom of 0 to 1, and a shift of 0 to 1000")
    stack = _stack(images)
    check(stack.shape[1] == stack.shape[2], f"images have the shape {stack.shape}; give square ones")
    n = len(stack)
    angles, flips = rng.uniform(0, 360, n), rng.random(n) < 0.5
    zooms, shifts = np.exp(rng.normal(0, zoom, n)), rng.normal(0, shift, (n, 2))
    return _warp(stack, np.arange(n), angles, flips, zooms=zooms, shifts=shifts)


def augment(
    sample: Sample,
    per_class: int | Mapping[str, int],
    method: Literal["ordered", "random"] = "ordered",
    *,
    rng: np.random.Generator | None = None,
) -> Sample:
    """Fill each class of a sample up with rotated and flipped images.

    Only the classes present are filled. "ordered" is the report's way: the k images added to a source are
    rotated by 1/(k+1), 2/(k+1), … of a full circle, so that no two are alike, and every other one is flipped.
    Where the number asked for does not divide evenly, the first sources get one more. "random" draws source,
    angle and flip of each.

    Parameters
    ----------
    sample : Sample
        Images to start from; all are kept unchanged.
    per_class : int or mapping of str to int
        Number of images of each class after augmentation, by name where it differs.
    method : {"ordered", "random"}
        How they are chosen.
    rng : numpy.random.Generator, optional
        Source of randomness, needed by "random" alone.

    Returns
    -------
    Sample
        Classes follow each other in the order of their codes; within a class the images to start from come
        first. The table repeats their rows and adds ``source`` (position of the image in `sample`),
        ``rotation`` (degrees, as in `rotate_flip`) and ``flipped``.

    Raises
    ------
    ValueError
        If there is no image, one has no label, a class has more images than asked for, a mapping and the
        classes do not agree, or the method is unknown.
    TypeError
        If the method needs `rng`.

    Examples
    --------
    >>> sample = Sample(np.random.default_rng(0).uniform(-1, 1, (3, 8, 8)), [0, 0, 2])
    >>> augmented = augment(sample, per_class=4)
    >>> augmented
    Sample(8 images of 8×8: FRI 4, FRII 0, bent 4, compact 0)
    >>> augmented.table["source"].tolist(), augmented.table["rotation"].tolist()
    ([0, 1, 0, 1, 2, 2, 2, 2], [0.0, 0.0, 180.0, 180.0, 0.0, 90.0, 180.0, 270.0])
    """
    check_choice(method, "augmentation method", ("ordered", "random"))
    if method == "random" or rng is not None:
        check_rng(rng)
    generator = np.random.default_rng(rng)  # rng itself where there is one
    wanted = _numbers_per_class(sample.labels, per_class)
    refuse_beyond_memory((sum(wanted.values()), sample.size, sample.size), "ask for fewer images")
    parts = []
    for code, number in wanted.items():
        members = np.flatnonzero(sample.labels == code)
        extra = number - len(members)
        fault = f"cannot augment {len(members)} {CLASS_NAMES[code]} images to {number}: all of them are kept"
        advice = "so there must be one and per_class no less than their number; raise it, or take fewer"
        check(len(members) and extra >= 0, f"{fault}, {advice}")
        if method == "random":
            source = generator.choice(members, extra)
            rotation = generator.uniform(0, 360, extra)
            flipped = generator.random(extra) < 0.5
        else:
            each = np.full(len(members), extra // len(members))
            each[: extra % len(members)] += 1
            source = np.repeat(members, each)
            rotation = np.concatenate([360.0 * np.arange(1, k + 1) / (k + 1) for k in each])
            flipped = np.arange(extra) % 2 == 0
        kept = np.zeros(len(members))
        parts += [(members, kept, kept > 0), (source, rotation, flipped)]
    added = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    table = sample.table[added[0]]
    table["source"], table["rotation"], table["flipped"] = added
    table.meta["history"] = [*sample.history, f"augment: {method} rotation and flip to {len(table)} images"]
    return Sample(_warp(sample.images, *added), sample.labels[added[0]], table)


def _warp(
    images: NDArray[np.float32],
    source: NDArray[np.int64],
    angles: NDArray[np.float64],
    flips: NDArray[np.bool_],
    zooms: ArrayLike = 1.0,
    shifts: ArrayLike = (0.0, 0.0),
) -> NDArray[np.float32]:
    """Return ``images[source]``, flipped, rotated, zoomed and shifted, without gathering them first."""
    from radiosynth._kernels import in_threads, warp

    out = np.empty((len(source), *images.shape[1:]), np.float32)
    # Prepared images have their background at the lower limit of their range, whatever that is.
    edges = images.min(axis=(1, 2))
    bad = ~np.isfinite(edges)
    fault = f"{bad.sum()} images have pixels that are not finite: radiosynth.noise_threshold fills them"
    check(not bad.any(), fault)
    # One matrix per image takes a pixel (x, y, 1) of the result to its place in the original: rotated back
    # about the centre first, then flipped.
    center = (images.shape[1] - 1) / 2
    cos, sin = np.cos(np.radians(angles)), np.sin(np.radians(angles))
    mirror = np.where(flips, -1.0, 1.0)
    turned = np.stack([mirror * cos, mirror * sin, -sin, cos], axis=1).reshape(-1, 2, 2)
    turned /= np.reshape(zooms, (-1, 1, 1))
    moved = np.broadcast_to(shifts, (len(source), 2))
    offsets = center - center * turned.sum(axis=2) - np.einsum("nij,nj->ni", turned, moved)
    matrices = np.concatenate([turned, offsets[:, :, None]], axis=2)

    def work(part: slice) -> None:
        warp(images, edges, source[part], matrices[part], out[part])

    step = max(1, 128 * 56**2 // max(1, out[:1].size))  # images that are worth a thread
    in_threads(work, [slice(i, i + step) for i in range(0, len(source), step)])
    return out
