"""From files to training images: reading, thresholding and resizing, against the usual loop over images.

The images are those of a telescope like FIRST, 150 pixels wide: simulated, with beam and noise.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from scipy import ndimage
from timing import Case, comparison, difference

import radiosynth
from radiosynth.preprocessing import GREY_LEVELS
from radiosynth.sample import Sample
from radiosynth.simulation import Observation, draw_parameters, render

TARGET = 56  # pixels of a training image
GRID = [(10, 150), (100, 150), (500, 150), (100, 300)]  # images, pixels


def observed(number: int, size: int = 150) -> Sample:
    """Return simulated cutouts with noise of 1 % of the peak, in Jy/beam."""
    rng, telescope = np.random.default_rng(0), Observation(rms=0.01)
    table = draw_parameters(-(-number // 4), rng=rng)[:number]
    images = render(table, size, observation=telescope, scale=False, rng=rng)
    table["ra"], table["dec"] = np.linspace(100, 250, number), np.linspace(0, 60, number)
    table["unit"], table["pixel_scale"] = "Jy/beam", 1.8
    return Sample(0.01 * images, np.zeros(number, int), table)


# Noise threshold --------------------------------------------------------------------------------------


@comparison(
    "threshold",
    "astropy",
    """astropy.stats.sigma_clipped_stats (3 sigma, until nothing more is clipped) and numpy.where, one image
    after the other. Ours also looks for missing data.""",
)
def clipping(quick: bool) -> Iterator[Case]:
    def loop(images: np.ndarray) -> np.ndarray:
        result = np.empty_like(images)
        for image, target in zip(images, result, strict=True):
            _, median, deviation = sigma_clipped_stats(image, sigma=3, maxiters=None)
            least = median + 3 * deviation
            least += max(image.max() - least, 0) / GREY_LEVELS  # the published images are rounded down
            target[:] = np.where(image >= least, image, least)
        return result

    for number, size in [(3, 64)] if quick else GRID:
        images = observed(number, size).images
        ours, peer = (lambda i=images: radiosynth.noise_threshold(i)[0]), partial(loop, images)
        check = lambda o=ours, p=peer, i=images: difference(o(), p()) / i.max()  # noqa: E731
        yield Case(ours, peer, number, size, check, tolerance=1e-5, moved=2 * images.nbytes)


# Resizing ---------------------------------------------------------------------------------------------


def resizing(peer: str, note: str, tolerance: float) -> Callable[[Callable[[np.ndarray], np.ndarray]], None]:
    """Add a function that resizes images to 56 pixels to the comparisons."""

    def add(resize: Callable[[np.ndarray], np.ndarray]) -> None:
        def cases(quick: bool) -> Iterator[Case]:
            for number, size in [(3, 150)] if quick else GRID:
                images = radiosynth.scale(observed(number, size).images, 0, 1)
                ours, theirs = partial(radiosynth.resize, images, TARGET), partial(resize, images)
                check = lambda o=ours, t=theirs: difference(o(), t())  # noqa: E731
                moved = images.nbytes * (1 + (TARGET / size) ** 2)
                yield Case(ours, theirs, number, size, check, tolerance, moved=moved)

        comparison("resizing", peer, note)(cases)

    return add


@resizing(
    "scikit-image", "skimage.transform.resize of order 1, antialiased, one image after the other.", 1e-5
)
def skimage(images: np.ndarray) -> np.ndarray:
    from skimage.transform import resize

    return np.stack([resize(image, (TARGET, TARGET), order=1, anti_aliasing=True) for image in images])


@resizing("scipy.ndimage", "gaussian_filter and zoom of order 1, one image after the other.", 1e-5)
def scipy(images: np.ndarray) -> np.ndarray:
    factor = images.shape[1] / TARGET
    options = {"order": 1, "mode": "mirror", "grid_mode": True}
    smooth = (ndimage.gaussian_filter(image, (factor - 1) / 2, mode="mirror") for image in images)
    return np.stack([ndimage.zoom(image, 1 / factor, **options) for image in smooth])


@resizing(
    "Keras layer",
    """The layer Resizing, bilinear, antialiased, on all images at once. It averages over a triangle, and
    ours, as scikit-image, over a Gaussian: peaks differ by a few per cent.""",
    0.1,
)
def keras(images: np.ndarray) -> np.ndarray:
    from keras import layers

    return np.asarray(layers.Resizing(TARGET, TARGET, antialias=True)(images[..., None]))[..., 0]


# Reading ----------------------------------------------------------------------------------------------


def reading(peer: str, note: str, read: Callable[[list[Path]], np.ndarray]) -> None:
    """Add a way to read files to the comparisons."""

    def cases(quick: bool) -> Iterator[Case]:
        for number, size in [(3, 64)] if quick else GRID:
            with tempfile.TemporaryDirectory() as folder:
                radiosynth.write_cutouts(observed(number, size), folder)
                files = sorted(Path(folder).glob("*.fits"))
                ours, theirs = partial(radiosynth.read_cutouts, files), partial(read, files)
                check = lambda o=ours, t=theirs: difference(o().images, t())  # noqa: E731
                yield Case(ours, theirs, number, size, check, tolerance=0.0)

    comparison("reading FITS", peer, note)(cases)


def with_astropy(files: list[Path]) -> np.ndarray:
    return np.stack([fits.getdata(path).astype(np.float32) for path in files])


def bytes_alone(files: list[Path]) -> np.ndarray:
    """Read the pixels from where they lie."""
    edge = fits.getheader(files[0])["NAXIS1"]
    start = fits.open(files[0])[0].fileinfo()["datLoc"]
    pixels = [np.frombuffer(path.read_bytes(), ">f4", edge**2, start) for path in files]
    return np.stack(pixels).reshape(-1, edge, edge)


reading(
    "astropy",
    """astropy.io.fits.getdata, one file after the other. Ours also reads the coordinates, sets images
    upright, and refuses what could be misread.""",
    with_astropy,
)
reading(
    "the bytes alone",
    "The files read without a look at their headers, which no reader of FITS can be faster than.",
    bytes_alone,
)
