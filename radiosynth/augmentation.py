"""Rotated and flipped images, drawn in order or at random."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiosynth._io import check, refuse_beyond_memory
from radiosynth.preprocessing import _stack
from radiosynth.sample import Sample, check_choice, check_rng
from radiosynth.splitting import _numbers_per_class
from radiosynth.taxonomy import CLASS_NAMES


def rotate_flip(
    images: ArrayLike,
    angles: ArrayLike,
    flips: ArrayLike,
    *,
    fill: float | None = None,
) -> NDArray[np.float32]:
    """Flip images left–right where asked, then rotate them about their centres, bilinearly.

    Angles count counter-clockwise in an image shown with row 0 at the bottom. On the sky that is from north
    through east, so that the position angles of the source grow by the angle.

    Parameters
    ----------
    images : array_like, shape (n, size, size)
        Square images.
    angles : array_like, shape (n,)
        Rotation of each image in degrees.
    flips : array_like of bool, shape (n,)
        Whether each image is flipped before it is rotated.
    fill : float, optional
        Value beyond the edges, seen in the corners; the lowest value of each image if not given.

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
    fault = (
        f"images, angles and flips have the shapes {stack.shape}, {np.shape(angles)} and "
        f"{np.shape(flips)}; they must be (n, size, size), (n,) and (n,)"
    )
    check(height == width and np.shape(angles) == np.shape(flips) == (n,), fault)
    unknown = ~np.isfinite(np.ma.filled(np.ma.asarray(angles, float), np.nan))
    fault = f"{unknown.sum()} of {n} angles are not finite: give degrees, or leave these images out"
    check(not unknown.any(), fault)
    return _warp(stack, np.arange(n), np.asarray(angles), np.asarray(flips), fill)


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

    Examples
    --------
    >>> bar = np.full((2, 30, 30), -1.0)
    >>> bar[:, 8:22, 14:16] = 1
    >>> drawn = augment_randomly(bar, np.random.default_rng(0))
    >>> drawn.shape, bool(np.array_equal(drawn[0], drawn[1]))
    ((2, 30, 30), False)
    """
    check_rng(rng)
    stack = _stack(images)
    n = len(stack)
    angles, flips = rng.uniform(0, 360, n), rng.random(n) < 0.5
    zooms, shifts = np.exp(rng.normal(0, zoom, n)), rng.normal(0, shift, (n, 2))
    return _warp(stack, np.arange(n), angles, flips, zooms=zooms, shifts=shifts)


def augmentation_plan(
    labels: ArrayLike,
    per_class: int | Mapping[str, int],
    method: Literal["ordered", "random"] = "ordered",
    *,
    rng: np.random.Generator | None = None,
) -> NDArray[np.void]:
    """Decide which image is flipped and rotated by which angle to fill each class.

    "ordered" is the report's way: the k images added to a source are rotated by 1/(k+1), 2/(k+1), … of a full
    circle, so that no two are alike, and every other one is flipped. Where the number asked for does not
    divide evenly, the first sources get one more. "random" draws source, angle and flip of each.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Class codes.
    per_class : int or mapping of str to int
        Number of images of each class after augmentation, by name where it differs.
    method : {"ordered", "random"}
        How they are chosen.
    rng : numpy.random.Generator, optional
        Source of randomness, needed by "random" alone.

    Returns
    -------
    structured ndarray, shape (m,)
        One element per image to make, with the fields ``source`` (position of the original), ``rotation``
        (degrees, as in `rotate_flip`) and ``flipped``. Classes follow each other in the order of their
        codes; within a class the originals come first. It can be shuffled or cut like any array.

    Raises
    ------
    ValueError
        If there is no image, one has no label, a class has more originals than images asked for, a mapping
        and the classes do not agree, the method is unknown or needs `rng`.

    Examples
    --------
    >>> plan = augmentation_plan([0, 0, 2], 4)
    >>> plan["source"].tolist(), plan["rotation"].tolist()
    ([0, 1, 0, 1, 2, 2, 2, 2], [0.0, 0.0, 180.0, 180.0, 0.0, 90.0, 180.0, 270.0])
    """
    check_choice(method, "augmentation method", ("ordered", "random"))
    codes = np.asarray(labels)
    parts = []
    for code, number in _numbers_per_class(codes, per_class).items():
        members = np.flatnonzero(codes == code)
        extra = number - len(members)
        fault = (
            f"cannot augment {len(members)} {CLASS_NAMES[code]} images to {number}: all of them are "
            "kept, so there must be one and per_class no less than their number; raise it, or take fewer"
        )
        check(len(members) and extra >= 0, fault)
        refuse_beyond_memory((number, 4), "ask for fewer images of each class")
        part = np.zeros(number, [("source", np.int64), ("rotation", np.float64), ("flipped", np.bool_)])
        part["source"][: len(members)] = members
        added = part[len(members) :]
        if method == "random":
            if rng is None:
                msg = 'the method "random" needs rng, for instance rng=numpy.random.default_rng(1)'
                raise ValueError(msg)
            check_rng(rng)
            added["source"] = rng.choice(members, extra)
            added["rotation"] = rng.uniform(0, 360, extra)
            added["flipped"] = rng.random(extra) < 0.5
        else:
            each = np.full(len(members), extra // len(members))
            each[: extra % len(members)] += 1
            added["source"] = np.repeat(members, each)
            added["rotation"] = np.concatenate([360.0 * np.arange(1, k + 1) / (k + 1) for k in each])
            added["flipped"] = np.arange(extra) % 2 == 0
        parts.append(part)
    return np.concatenate(parts)


def augment(
    sample: Sample,
    per_class: int | Mapping[str, int],
    method: Literal["ordered", "random"] = "ordered",
    *,
    rng: np.random.Generator | None = None,
) -> Sample:
    """Fill each class of a sample up with rotated and flipped images.

    Only the classes present are filled.

    Parameters
    ----------
    sample : Sample
        Images to start from; all are kept unchanged.
    per_class, method, rng
        Passed on to `augmentation_plan`.

    Returns
    -------
    Sample
        The images in the order of the plan. The table repeats the row of the original and adds ``source``
        (position of the original), ``rotation`` (degrees, as in `rotate_flip`) and ``flipped``.

    Raises
    ------
    ValueError
        As `augmentation_plan`.

    Examples
    --------
    >>> sample = Sample(np.random.default_rng(0).uniform(-1, 1, (3, 8, 8)), [0, 1, 1])
    >>> augment(sample, per_class=100)
    Sample(200 images of 8×8: FRI 100, FRII 100, bent 0, compact 0)
    """
    plan = augmentation_plan(sample.labels, per_class, method, rng=rng)
    source = plan["source"]
    images = _warp(sample.images, source, plan["rotation"], plan["flipped"])
    table = sample.table[source]
    for column in ("source", "rotation", "flipped"):
        table[column] = plan[column]
    step = f"augment: {method} rotation and flip to {len(plan)} images"
    table.meta["history"] = [*sample.history, step]
    return Sample(images, sample.labels[source], table)


def _warp(
    images: NDArray[np.float32],
    source: NDArray[np.int64],
    angles: NDArray[np.float64],
    flips: NDArray[np.bool_],
    fill: float | None = None,
    zooms: ArrayLike = 1.0,
    shifts: ArrayLike = (0.0, 0.0),
) -> NDArray[np.float32]:
    """Return ``images[source]``, flipped, rotated, zoomed and shifted, without gathering them first."""
    import cv2

    shape = (len(source), *images.shape[1:])
    refuse_beyond_memory(shape, "make fewer images")
    out = np.empty(shape, np.float32)
    # Prepared images have their background at the lower limit of their range, whatever that is.
    edges = images.min(axis=(1, 2)) if fill is None else np.full(len(images), fill)
    # One matrix per image takes a pixel (x, y, 1) of the result to its place in the original: rotated back
    # about the centre first, then flipped.
    center = (images.shape[1] - 1) / 2
    cos, sin = np.cos(np.radians(angles)), np.sin(np.radians(angles))
    mirror = np.where(flips, -1.0, 1.0)
    matrices = np.empty((len(source), 2, 3))
    matrices[:, 0, 0], matrices[:, 0, 1] = mirror * cos, mirror * sin
    matrices[:, 1, 0], matrices[:, 1, 1] = -sin, cos
    matrices[:, :, :2] /= np.reshape(zooms, (-1, 1, 1))
    moved = np.broadcast_to(shifts, (len(source), 2))
    matrices[:, :, 2] = center - center * matrices[:, :, :2].sum(axis=2)
    matrices[:, :, 2] -= np.einsum("nij,nj->ni", matrices[:, :, :2], moved)

    size, flags = (images.shape[2], images.shape[1]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # Exact weights; releases of OpenCV before 5 know no hint and round positions to 1/32 of a pixel.
    hint = cv2.ALGO_HINT_ACCURATE

    def work(part: slice) -> None:
        for i, matrix, target in zip(source[part], matrices[part], out[part], strict=True):
            image, edge = np.ascontiguousarray(images[i]), float(edges[i])
            cv2.warpAffine(image, matrix, size, target, flags, cv2.BORDER_CONSTANT, edge, hint)

    # OpenCV lets go of the interpreter lock, so images are worked on side by side. Its own threads, which
    # divide the single image, would only get in the way. The threads of joblib take longer to start (2 ms of
    # processor time) than a batch of training takes here.
    workers = os.cpu_count() or 1
    own_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with ThreadPoolExecutor(workers) as pool:
            step = max(1, len(source) // (4 * workers))
            list(pool.map(work, [slice(i, i + step) for i in range(0, len(source), step)]))
    finally:
        cv2.setNumThreads(own_threads)
    return out
