"""Rotated and flipped images: `radiosynth.rotate_flip` against what else rotates images, bilinearly.

Peers that take angles get ours. Layers of Keras and albumentations draw their own, which is the same work;
they are checked with one angle for all images. The rim is left out of the check: there some blend an image
with what is beyond it, and others do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy import ndimage
from timing import Case, comparison, difference

import radiosynth

ANGLE = 30.0  # degrees, of the check of peers that draw their own angles


class Task:
    """Images with an angle and a flip for each."""

    def __init__(self, number: int, size: int) -> None:
        rng = np.random.default_rng(0)
        made = radiosynth.simulate(per_class=-(-number // 4), size=size, rng=rng).images
        self.images = made[rng.permutation(len(made))[:number]]
        self.angles, self.flips = rng.uniform(0, 360, number), rng.random(number) < 0.5

    def ours(self) -> np.ndarray:
        return radiosynth.rotate_flip(self.images, self.angles, self.flips)

    def one_by_one(self, rotate: Callable[..., np.ndarray]) -> np.ndarray:
        """Flip each image and rotate it by its angle."""
        each = zip(self.images, self.angles, self.flips, strict=True)
        return np.stack([rotate(image[:, ::-1] if flip else image, angle) for image, angle, flip in each])

    def by_one_angle(self) -> np.ndarray:
        number = len(self.images)
        return radiosynth.rotate_flip(self.images, np.full(number, ANGLE), np.zeros(number, bool))

    def case(self, peer: Callable[[], Any], check: Callable[[], float] | None = None) -> Case:
        number, size = self.images.shape[:2]
        check = check or (lambda: inside(self.ours(), peer()))
        moved = 2 * self.images.nbytes
        return Case(self.ours, peer, number, size, check, tolerance=1e-4, moved=moved, threads=True)


def tasks(quick: bool) -> Iterator[Task]:
    """Yield growing numbers of images, then growing images."""
    for number, size in [(8, 56)] if quick else [(10, 56), (100, 56), (1000, 56), (100, 112), (100, 224)]:
        yield Task(number, size)


def inside(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference within the circle that stays in the image at any angle."""
    size = one.shape[1]
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    circle = np.hypot(x, y) < size / 2 - 1
    return difference(one[:, circle], other[:, circle])


@comparison("rotation", "scipy.ndimage", "scipy.ndimage.rotate of order 1, one image after the other.")
def scipy(quick: bool) -> Iterator[Case]:
    def rotate(image: np.ndarray, angle: float) -> np.ndarray:
        return ndimage.rotate(image, -angle, order=1, reshape=False, cval=-1)

    for task in tasks(quick):
        yield task.case(partial(task.one_by_one, rotate))


@comparison("rotation", "scikit-image", "skimage.transform.rotate of order 1, one image after the other.")
def skimage(quick: bool) -> Iterator[Case]:
    from skimage import transform

    def rotate(image: np.ndarray, angle: float) -> np.ndarray:
        return transform.rotate(image, -angle, order=1, cval=-1, preserve_range=True)

    for task in tasks(quick):
        yield task.case(partial(task.one_by_one, rotate))


@comparison(
    "rotation",
    "Keras layers",
    """The layers RandomFlip and RandomRotation, bilinear, on all images at once. They draw their own angles,
    and were checked with one angle.""",
)
def keras(quick: bool) -> Iterator[Case]:
    from keras import layers

    def rotation(low: float, high: float) -> layers.Layer:
        return layers.RandomRotation((low, high), fill_mode="constant", fill_value=-1.0, seed=0)

    flip, turn, known = (
        layers.RandomFlip("horizontal", seed=0),
        rotation(-0.5, 0.5),
        rotation(*2 * [-ANGLE / 360]),
    )
    for task in tasks(quick):
        images = task.images[..., None]

        def peer(images: np.ndarray = images) -> np.ndarray:
            return np.asarray(turn(flip(images, training=True), training=True))

        def check(task: Task = task, images: np.ndarray = images) -> float:
            return inside(task.by_one_angle(), np.asarray(known(images, training=True))[..., 0])

        yield task.case(peer, check)


@comparison(
    "rotation",
    "albumentations",
    """HorizontalFlip and Rotate, bilinear, one image after the other. They draw their own angles, and were
    checked with one angle.""",
)
def albumentations(quick: bool) -> Iterator[Case]:
    import albumentations as a

    def rotation(low: float, high: float) -> Any:
        return a.Rotate((low, high), border_mode=0, fill=-1, p=1)

    both = a.Compose([a.HorizontalFlip(p=0.5), rotation(-180, 180)], seed=0)
    known = a.Compose([rotation(-ANGLE, -ANGLE)])
    for task in tasks(quick):

        def peer(task: Task = task) -> np.ndarray:
            return np.stack([both(image=image)["image"] for image in task.images])

        def check(task: Task = task) -> float:
            return inside(
                task.by_one_angle(), np.stack([known(image=image)["image"] for image in task.images])
            )

        yield task.case(peer, check)
