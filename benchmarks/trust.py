"""What the packaged classifiers make of images that are worse than those they learned, or show another thing.

First the published test images as they are and degraded: noise as the beam correlates it, a neighbour,
missing data, a larger beam, another pixel scale. Printed are the accuracy of the default network and of the
ensemble, with 95 % intervals, and the proportion that the default flags as odd. Then images that fit none of
the classes, and the proportion of them that is flagged. Ten minutes on two cores.

    python benchmarks/trust.py --record paper/runs/trust.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.stats import gaussian_fwhm_to_sigma
from scipy import ndimage

import radiosynth
from radiosynth.metrics import proportion
from radiosynth.preprocessing import noise_threshold, scale
from radiosynth.reproduction import provenance
from radiosynth.simulation.observe import beam_noise
from radiosynth.surveys import FIRST

SIZE, NUMBER = 192, 300
FRAMES = 150, 300  # sizes of the files, with whatever lies beside the sources
BEAM = FIRST.beam * gaussian_fwhm_to_sigma / FIRST.pixel_scale  # standard deviation in pixels
ROW, COLUMN = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
DISTANCE, ANGLE = np.hypot(ROW, COLUMN), np.arctan2(ROW, COLUMN)
Light = np.ndarray  # (n, SIZE, SIZE), background 0


# Degraded images --------------------------------------------------------------------------------------


def noisy(rms: float) -> Callable[[Light, np.random.Generator], Light]:
    """Add noise of an rms in units of the peak, and set what is below three times that to the threshold."""
    return lambda light, rng: np.maximum(light + rms * (beam_noise(light.shape, BEAM, rng) - 3), 0)


def neighbours(brightness: float) -> Callable[[Light, np.random.Generator], Light]:
    """Add another of the images, 2 to 3 arcmin away."""

    def add(light: Light, rng: np.random.Generator) -> Light:
        result = light.copy()
        for image, other in zip(result, light[rng.permutation(len(light))], strict=True):
            away, angle = rng.uniform(65, 100), rng.uniform(0, 2 * np.pi)
            image += brightness * ndimage.shift(other, (away * np.sin(angle), away * np.cos(angle)), order=1)
        return result

    return add


def missing(light: Light, rng: np.random.Generator) -> Light:
    """Leave out what is more than 72 arcsec to one side of the centre."""
    sides = rng.uniform(0, 2 * np.pi, len(light))[:, None, None]
    return np.where(ROW * np.sin(sides) + COLUMN * np.cos(sides) > 40, 0, light)


def zoomed(factor: float) -> Callable[[Light, np.random.Generator], Light]:
    """Show the sky in pixels of another width, which the classifier is not told."""
    place = np.array([ROW, COLUMN]) / factor + (SIZE - 1) / 2
    return lambda light, rng: np.stack([ndimage.map_coordinates(image, place, order=1) for image in light])


DEGRADED = {
    "as published": lambda light, rng: light,
    "noise, 1 % of the peak": noisy(0.01),
    "noise, 3 % of the peak": noisy(0.03),
    "noise, 6 % of the peak": noisy(0.06),
    "a neighbour, half as bright": neighbours(0.5),
    "a neighbour, 1.5 times as bright": neighbours(1.5),
    "data missing on one side": missing,
    "beam of 6.4 arcsec": lambda light, rng: ndimage.gaussian_filter(light, (0, 0.64 * BEAM, 0.64 * BEAM)),
    "sources 20 % larger": zoomed(1.2),
    "sources 20 % smaller": zoomed(1 / 1.2),
}


# Images of something else -----------------------------------------------------------------------------


def stripes(rng: np.random.Generator) -> Light:
    """Ripples across the field, as bad baselines leave them."""
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 30)
    phase = 2 * np.pi * (ROW * np.cos(angle) + COLUMN * np.sin(angle)) / period
    return np.maximum(np.sin(phase + rng.uniform(0, 2 * np.pi)), 0) ** 15


def sidelobes(rng: np.random.Generator) -> Light:
    """A bright point and the sidelobes of a snapshot around it."""
    light, period = np.exp(-((DISTANCE / 1.5) ** 2)), rng.uniform(10, 25)
    spokes = np.cos(2 * np.pi * DISTANCE / period) * np.cos(3 * ANGLE + rng.uniform(0, 2 * np.pi))
    return ndimage.shift(
        light + 0.25 * np.exp(-DISTANCE / 60) * np.maximum(spokes, 0), rng.uniform(-60, 60, 2)
    )


def spiral(rng: np.random.Generator) -> Light:
    """A disc with two arms."""
    width, pitch = rng.uniform(12, 25), rng.uniform(0.15, 0.35)
    arms = (1 + np.cos(2 * (ANGLE - DISTANCE * pitch))) ** 2
    return np.exp(-DISTANCE / width) * arms + np.exp(-((DISTANCE / 3) ** 2))


def ring(rng: np.random.Generator) -> Light:
    """A shell, such as a supernova remnant."""
    return np.exp(-(((np.hypot(ROW, COLUMN / rng.uniform(0.7, 1)) - rng.uniform(15, 60)) / 4) ** 2))


def several(rng: np.random.Generator) -> Light:
    """Four to eight unrelated points."""
    light = np.zeros((SIZE, SIZE))
    number = rng.integers(4, 9)
    light[tuple(rng.integers(20, SIZE - 20, (2, number)))] = rng.uniform(0.3, 1, number)
    return light


def filling(rng: np.random.Generator) -> Light:
    """Emission that is larger than the frame."""
    return np.maximum(ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 14), 0)


ODD = {
    "ripples": stripes,
    "sidelobes": sidelobes,
    "spirals": spiral,
    "shells": ring,
    "several sources": several,
    "larger than the frame": filling,
}


def observed(shape: Callable[[np.random.Generator], Light], rng: np.random.Generator) -> Light:
    """Return images of a shape as FIRST would see it, 15 to 100 times the noise; blank ones are left out."""
    light = ndimage.gaussian_filter(np.stack([shape(rng) for _ in range(NUMBER)]), (0, BEAM, BEAM))
    light *= np.exp(rng.uniform(*np.log([15, 100]), (NUMBER, 1, 1))) / light.max(axis=(1, 2), keepdims=True)
    return prepared(light + beam_noise(light.shape, BEAM, rng))


def prepared(images: Light) -> Light:
    clean = noise_threshold(images)[0]
    return scale(clean[np.ptp(clean, axis=(1, 2)) > 0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    default, ensemble = radiosynth.load_classifier(), radiosynth.load_classifier("ensemble")
    test, rng, rows = tested(default, SIZE), np.random.default_rng(0), []

    def note(case: str, **said: tuple[float, float, float]) -> None:
        rows.append({"case": case} | {name: [round(x, 4) for x in values] for name, values in said.items()})
        print(case, *(f"{name} {v:.3f} ({a:.3f} to {b:.3f})" for name, (v, a, b) in said.items()), sep=" | ")

    cases = {
        case: test.derived(scale(change((test.images + 1) / 2, rng)), case)
        for case, change in DEGRADED.items()
    }
    cases |= {f"frames of {size} pixels": tested(default, size) for size in FRAMES}
    for case, sample in cases.items():
        said, oddness = classes(default, sample.images)
        by_ensemble = ensemble.predict(sample.images).argmax(axis=1)
        note(
            case,
            default=proportion(said == test.labels, confidence=0.95),
            ensemble=proportion(by_ensemble == test.labels, confidence=0.95),
            flagged=proportion(oddness > 1, confidence=0.95),
        )
    shuffled = test.images.reshape(len(test), -1).copy()
    for image in shuffled:
        rng.shuffle(image)
    others = {
        "noise alone": prepared(beam_noise((NUMBER, SIZE, SIZE), BEAM, rng)),
        "shuffled pixels": shuffled.reshape(test.images.shape),
        **{name: observed(shape, rng) for name, shape in ODD.items()},
    }
    for case, images in others.items():
        note(case, flagged=proportion(classes(default, images)[1] > 1, confidence=0.95))
    if arguments.record:
        record = {"classifier": default.card["name"], **provenance.provenance(), "rows": rows}
        arguments.record.write_text(json.dumps(record, indent=1) + "\n")


def tested(classifier: radiosynth.Classifier, size: int) -> radiosynth.Sample:
    """Return the published test images as a classifier prepares them, from frames of some size."""
    ready = classifier.prepare(radiosynth.load_first_dataset(size=size))
    return ready[np.asarray(ready.table["fold"]) == -1]


def classes(classifier: radiosynth.Classifier, images: Light) -> tuple[np.ndarray, np.ndarray]:
    """Return the class and the oddness of each image."""
    from radiosynth.classification import predict

    probabilities, oddness = predict(classifier.complete, images)
    return probabilities.argmax(axis=1), oddness


if __name__ == "__main__":
    main()
