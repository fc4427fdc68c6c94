"""Simulated radio galaxies: draw the parameters of sources from a population, then render them.

A source is a sum of Gaussians: a core and, unless it is compact, two lobes of unequal inner and
outer length, each inside a round halo (report, section "Geometric simulation"). The two steps,
`draw_parameters` and `render`, are joined by `simulate`, and either can be replaced.

Lengths are in pixels of the report's frame of 56 × 56 pixels, which spans 0 to 56 on both axes with
its centre at 28, whatever the size of the rendered image. Angles are in degrees; position angles
run from north (up, towards higher rows) through east (left), as on the sky.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from scipy import ndimage

from radiosynth._io import check, refuse_beyond_memory
from radiosynth._kernels import in_threads
from radiosynth.preprocessing import noise_threshold
from radiosynth.sample import Sample, check_count, check_rng
from radiosynth.simulation.gaussians import FRAME, Trajectory, checked, compacts, galaxies
from radiosynth.simulation.kernels import FAINTEST, draw, limits, stretch
from radiosynth.simulation.observe import Observation, beam_noise
from radiosynth.simulation.population import Population, draw_parameters
from radiosynth.taxonomy import class_code

_CHUNK_PIXELS = 64 * 56**2  # large enough to hide Python's overhead, small enough for the cache


_DIRECT_PIXELS = 512 * 56**2  # where an image is finished before the next: enough for a thread to pay


_LARGEST_EDGE = 8192  # of an image in work: 270 MB; with a beam or noise, twice for each processor


def simulate(
    per_class: int | Mapping[str, int] = 6000,
    size: int = 56,
    *,
    population: Population | None = None,
    trajectory: Trajectory = "ray",
    noise: float = 0.0,
    observation: Observation | None = None,
    rng: np.random.Generator,
) -> Sample:
    """Draw sources from a population and render them: `draw_parameters`, then `render`.

    Parameters
    ----------
    per_class : int or mapping of str to int, default 6000
        Sources of each class; by name, of those classes alone.
    size : int, default 56
        Edge of the images in pixels.
    population : Population, optional
        Distributions to draw from; the report's by default.
    trajectory : {"ray", "parabola"}
        Where the lobes lie, see `render`.
    noise : float, default 0
        Uniform noise from 0 to this fraction of the peak.
    observation : Observation, optional
        Beam and noise of a telescope, with the noise threshold of real images; none by default. At 150 px,
        the pixels of FIRST, `preprocess` then makes smaller images as it does of real ones.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    Sample
        Images in [-1, 1], in the order of the classes; the table holds every parameter, and with an
        observation ``rms``.

    Raises
    ------
    ValueError
        If a class is unknown, a number negative or a parameter out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> sample = simulate({"FRII": 2, "bent": 1}, rng=np.random.default_rng(1))
    >>> sample
    Sample(3 images of 56×56: FRI 0, FRII 2, bent 1, compact 0)
    >>> bool(sample.table["bending_angle"][2] >= 20)
    True
    """
    check_rng(rng)
    drawing, noising = rng.spawn(2)
    table = draw_parameters(per_class, population=population, rng=drawing)
    if observation is not None:
        table["rms"] = observation.noise_of(table, noising)
    images = render(table, size, trajectory=trajectory, noise=noise, observation=observation, rng=noising)
    step = f"simulated at {size} px (trajectory={trajectory}, noise={noise}, observation={observation})"
    table.meta["history"] = [step, "scaled each image to [-1, 1]"]
    return Sample(images, [class_code(name) for name in table["class"]], table)


def render(
    parameters: Table | Mapping[str, Any],
    size: int = 56,
    *,
    trajectory: Trajectory = "ray",
    noise: float = 0.0,
    observation: Observation | None = None,
    scale: bool = True,
    out: NDArray[np.float32] | None = None,
    rng: np.random.Generator | None = None,
) -> NDArray[np.float32]:
    """Render sources at any image size.

    The Gaussians are evaluated at the centres of the pixels, so that nothing is shifted or rotated on
    a grid. The result does not depend on the number of processors.

    Parameters
    ----------
    parameters : `~astropy.table.Table` or mapping of str to array
        The columns of `draw_parameters`; ``name`` and ``class`` are not used. A column ``rms`` takes the
        place of that of the observation.
    size : int, default 56
        Edge of the images in pixels, at least 2.
    trajectory : {"ray", "parabola"}
        ``"ray"``: the lobes lie at ``lobe_distance`` from the core on two rays that make an angle of
        180° minus the bending angle. ``"parabola"``: they lie on the same rays, on a parabola with its
        vertex at the core; ``lobe_distance`` is the length of the jet along it, and the lobes point
        along its tangent. Straight sources are the same in both.
    noise : float, default 0
        Uniform noise from 0 to this fraction of the peak (the report's optional noise).
    observation : Observation, optional
        Beam and noise of a telescope.
    scale : bool, default True
        Scale each image to [-1, 1], as the report does, noise of an observation being thresholded first.
        Otherwise, brightness in units of the amplitudes is returned, without what is fainter than 10⁻¹² of
        the peak of a Gaussian.
    out : array of float32, shape (n, size, size), optional
        Array to write to, for example a `numpy.memmap` for images that do not fit into memory.
    rng : numpy.random.Generator, optional
        Source of random numbers; needed for noise only.

    Returns
    -------
    array of float32, shape (n, size, size)
        The images, row 0 south; `out` if it was given.

    Raises
    ------
    ValueError
        If a parameter or argument is missing or out of its range, or a source misses its image.

    Notes
    -----
    All Gaussians of an image are summed in one compiled pass in single precision (numba). It is
    compiled on first use and kept beside the package, or in the user's cache where that is read-only.
    """
    # 1. The arguments.
    columns = checked(parameters, trajectory)
    n = len(columns["fr_type"])
    check_count(size, "size", 2)
    shape = n, size, size
    if out is None:
        refuse_beyond_memory(shape, "ask for fewer or smaller images, or give a memmap as out")
        out = np.empty(shape, np.float32)
    fits = out.shape == shape and out.dtype == np.float32 and out.flags.carray
    given = f"out is {out.dtype} of shape {out.shape}"
    check(fits, f"{given}; it must be float32 of shape {shape}, in C order and writable")
    check(0 <= noise <= 1e6, f"noise is {noise}; give a fraction of the peak, a number from 0 to a million")
    beam, rms = 0.0, np.zeros(n)
    if observation is not None:
        beam, rms = observation.beam_sigma(size), observation.noise_of(parameters, rng)
    noisy = noise > 0 or rms.any()
    if noisy:
        check_rng(rng)
    # 2. A beam that is narrow on the pixel grid is applied on a finer one that shares its pixel centres.
    fine = 2 * max(0, int(np.ceil((1 / beam - 1) / 2))) + 1 if beam else 1
    edge = size * fine
    fault = f"size={size} with {observation} has to be rendered at {edge} px, of {_LARGEST_EDGE} at most"
    check(edge <= _LARGEST_EDGE, f"{fault}: give fewer pixels, or a wider beam")
    # 3. Sources become Gaussians, in chunks of one kind each, with a stream of random numbers of its own.
    direct = not (beam or noisy)
    step = max(1, (_DIRECT_PIXELS if direct else _CHUNK_PIXELS) // edge**2)
    extended = columns["fr_type"] > 0
    chunks = []
    for rows in (np.flatnonzero(extended), np.flatnonzero(~extended)):
        p = {name: values[rows] for name, values in columns.items()}
        spheres, lobes = galaxies(p, trajectory) if extended[rows].all() else compacts(p)
        starts = range(0, len(rows), step)
        chunks += [(rows[i : i + step], spheres[i : i + step], lobes[i : i + step]) for i in starts]
    target, pixel = np.asarray(out), np.float32(FRAME / size)
    streams: list[Any] = rng.spawn(len(chunks)) if noisy and rng else [None] * len(chunks)

    def work(chunk: tuple[NDArray[np.intp], NDArray, NDArray], stream: Any) -> list[int]:
        """Render a chunk into `out`, and return the rows that stayed dark."""
        rows, spheres, lobes = chunk
        if direct:
            low, high = draw(spheres, lobes, target, rows, pixel, scale)
            return rows[~(high - low >= FAINTEST)].tolist()
        images = np.empty((len(rows), edge, edge), np.float32)
        draw(spheres, lobes, images, np.arange(len(rows)), pixel, False)
        if beam:
            images = ndimage.gaussian_filter(images, (0, beam * fine, beam * fine), mode="nearest")
            images = np.ascontiguousarray(images[:, fine // 2 :: fine, fine // 2 :: fine])
        low, high = limits(images)
        # Noise in units of the peak; that of a telescope is thresholded as in real images.
        peaks = high[:, None, None]
        if noise > 0:
            images += peaks * np.float32(noise) * stream.random(images.shape, dtype=np.float32)
        if rms.any():
            heights = peaks * rms[rows, None, None].astype(np.float32)
            images += heights * beam_noise(images.shape, beam, stream)
            if scale:
                images = noise_threshold(images)[0]
        if scale:
            stretch(images)
        target[rows] = images
        return rows[~(high - low >= FAINTEST)].tolist()

    # 4. Threads, not processes: all write to one array.
    dark = [row for found in in_threads(work, chunks, streams) for row in found]
    fault = f"{len(dark)} sources leave no light on their image, or less than 1e-38"
    check(not dark, f"{fault}, row {min(dark, default=0)} first; move them into it")
    return out
