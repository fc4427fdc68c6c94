"""How often a raw FITS file and the published image of the same source get one class, by preparation.

Give the folder of raw FIRST files, with a ``manifest.csv`` whose columns ``file`` and ``griese_key`` name
each file and its published image. Printed are the share of sources with the same class, with its 95 %
interval, and the mean of the largest difference of a probability: first for what the library does, also
with noise added, as the beam correlates it, until the peak stands at 1/2, 1/4 and 1/8 of its signal-to-
noise, then for each noise estimate, pixels used, threshold and filling. The old way was "clipped", 3 sigma,
zero. Three minutes on two cores. With ``--held-out`` each source is also judged by the network of
`presets.student_config` that was not trained on it. Their saved runs have no weights: with RADIOSYNTH_RUNS
set to an empty folder the five are trained there, ten minutes each.

    python benchmarks/raw_agreement.py ../shared/data/first_fits --record paper/runs/raw_agreement.json
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
from astropy.stats import binom_conf_interval, mad_std, sigma_clipped_stats
from astropy.table import Table
from scipy import ndimage

import radiosynth
from radiosynth.preprocessing import measure_noise
from radiosynth.reproduction import presets, provenance, recipes

ESTIMATES = ("clipped", "mad")
SIGMAS = (2.5, 3.0, 3.5, 4.0)
# The networks take 192 px: with 300 the noise is measured on the whole file, and the rest is cut off.
PIXELS = {"150": (150, 150), "150, noise of the file": (300, 150), "192": (192, 192), "300": (300, 192)}
BEAM = [5.4 / 2.3548 / 1.8] * 2  # standard deviation in pixels
FILLS = ("zero", "threshold", "threshold and grey level")
COLUMNS = ("noise", "pixels", "sigma", "fill", "same", "files", "low", "high", "difference")


def clipped(
    image: np.ndarray, estimate: str, measured: int, width: int, n_sigma: float, fill: str
) -> np.ndarray:
    """Return the centre of an image with the pixels below the threshold filled."""
    area = radiosynth.center_crop(image[None], measured).astype(float)
    area = area[np.isfinite(area)]
    _, level, noise = sigma_clipped_stats(area, sigma=3.0, maxiters=None)
    if estimate == "mad":
        level, noise = np.median(area), mad_std(area)
    limit = level + n_sigma * noise
    if fill == "threshold and grey level":
        limit += (area.max() - limit) / 255
    blank = min(limit, 0) if fill == "zero" else limit
    return radiosynth.center_crop(np.where(image >= limit, image, blank)[None], width)[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="raw FITS files and their manifest.csv")
    parser.add_argument("--record", type=Path, help="JSON file to write")
    parser.add_argument("--held-out", action="store_true", help="use networks not trained on the source, too")
    parser.add_argument("--only", default="", metavar="TEXT", help="only what has this in its noise estimate")
    arguments = parser.parse_args()
    manifest = Table.read(arguments.folder / "manifest.csv")
    files = [arguments.folder / name for name in manifest["file"]]
    raw = radiosynth.read_cutouts(files, size=300, nan="keep")
    published = radiosynth.load_first_dataset()
    row_of = {key: row for row, key in enumerate(published.table["griese_key"])}
    published = published[[row_of[key] for key in manifest["griese_key"]]]
    classifier = radiosynth.load_classifier()

    def probabilities(images: np.ndarray | list[np.ndarray]) -> np.ndarray:
        sample = radiosynth.Sample(images, raw.labels, raw.table)
        return classifier.predict(classifier.prepare(sample).images)

    # Thresholded images go through the preparation unchanged, but for frame and scale.
    cases = {
        ("library", name, 3.0, "threshold and grey level"): radiosynth.center_crop(raw.images, size)
        for name, size in (("150", 150), ("192", 192), ("300", 300))
    }
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=raw.images.shape), (0, *BEAM))
    noise *= (measure_noise(raw.images)[1] / noise.std(axis=(1, 2)))[:, None, None]
    for factor in (2, 4, 8):
        fainter = radiosynth.center_crop(raw.images + np.sqrt(factor**2 - 1) * noise, 150)
        cases[f"library, peak at 1/{factor}", "150", 3.0, "threshold and grey level"] = fainter
    for estimate, name, n_sigma, fill in itertools.product(ESTIMATES, PIXELS, SIGMAS, FILLS):
        cases[estimate, name, n_sigma, fill] = [
            clipped(image, estimate, *PIXELS[name], n_sigma, fill) for image in raw.images
        ]
    reference = {
        width: probabilities(radiosynth.center_crop(published.images, width)) for width in (150, 192)
    }
    rows = []

    def note(case: tuple[str, str, float, str], found: np.ndarray, wanted: np.ndarray) -> None:
        same = int((found.argmax(axis=1) == wanted.argmax(axis=1)).sum())
        low, high = binom_conf_interval(same, len(raw), 0.95, interval="wilson")
        numbers = [same / len(raw), low, high, np.abs(found - wanted).max(axis=1).mean()]
        share, low, high, difference = (round(float(number), 4) for number in numbers)
        rows.append((*case, share, len(raw), low, high, difference))
        print(*rows[-1], sep=" | ", flush=True)

    for case, images in cases.items():
        if arguments.only in case[0]:
            note(case, probabilities(images), reference[PIXELS[case[1]][1]])
    if arguments.held_out:
        found, wanted = np.zeros((2, len(raw), 4))
        for fold in np.unique(published.table["fold"]):
            own = np.flatnonzero(published.table["fold"] == fold)
            student = radiosynth.load_classifier(recipes.run(presets.student_config(int(fold))).folder)
            for images, said in ((raw.images, found), (published.images, wanted)):
                sample = radiosynth.Sample(radiosynth.center_crop(images[own], 150), raw.labels[own])
                said[own] = student.predict(student.prepare(sample).images)
        note(("library, networks not trained on the source", "150", 3.0, FILLS[2]), found, wanted)
    if arguments.record:
        entries = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        record = {"classifier": classifier.card["name"], **provenance.provenance(), "rows": entries}
        arguments.record.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
