"""How often a raw FITS file and the published image of the same source get one class, by preparation.

Give the folder of raw FIRST files, with a ``manifest.csv`` whose columns ``file`` and ``griese_key`` name each file
and its published image. Every noise estimate, width, threshold and filling is predicted by the default
classifier, together; ``--record FILE`` keeps the numbers as JSON.

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

import radiosynth
from radiosynth import classifier, experiments

ESTIMATES = ("clipped", "mad")
SIGMAS = (2.5, 3.0, 3.5, 4.0)
# The networks take 192 px: with 300 the noise is measured on the whole file, and the rest is cut off.
PIXELS = {"150": (150, 150), "150, noise of the file": (300, 150), "192": (192, 192), "300": (300, 192)}
COLUMNS = ("noise", "pixels", "sigma", "fill", "same", "files", "low", "high", "difference")


def clipped(images: np.ndarray, estimate: str, measured: int, width: int, n_sigma: float, fill: str) -> list:
    """Return the centres of images with the pixels below the threshold filled."""
    result = []
    for image in images.astype(float):
        area = radiosynth.center_crop(image[None], measured)[0].astype(float)
        area = area[np.isfinite(area)]
        _, level, std = sigma_clipped_stats(area, sigma=3.0, maxiters=None)
        if estimate == "mad":
            level, std = np.median(area), mad_std(area)
        limit = level + n_sigma * std
        blank = limit if fill == "threshold" else min(limit, 0)
        result.append(radiosynth.center_crop(np.where(image >= limit, image, blank)[None], width)[0])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="raw FITS files and their manifest.csv")
    parser.add_argument("--record", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    manifest = Table.read(arguments.folder / "manifest.csv")
    files = [arguments.folder / name for name in manifest["file"]]
    raw = radiosynth.read_cutouts(files, size=300, nan="keep")
    published = radiosynth.load_first_dataset()
    row_of = {key: row for row, key in enumerate(published.table["griese_key"])}
    published = published[[row_of[key] for key in manifest["griese_key"]]]

    run = experiments.default_classifier()
    variants = list(itertools.product(ESTIMATES, PIXELS, SIGMAS, ("zero", "threshold")))
    samples = [radiosynth.center_crop(published.images, width) for _, width in PIXELS.values()]
    samples += [
        clipped(raw.images, estimate, *PIXELS[pixels], *rest) for estimate, pixels, *rest in variants
    ]
    # Thresholded already, so that nothing but crop, frame and scale is left to do.
    ready = [
        experiments.make_ready(radiosynth.Sample(images, raw.labels, raw.table), run.config).images
        for images in samples
    ]
    probabilities = classifier.predict(run.model(), np.concatenate(ready)).reshape(len(samples), len(raw), -1)
    reference = dict(zip(PIXELS, probabilities, strict=False))

    rows = []
    for variant, found in zip(variants, probabilities[len(PIXELS) :], strict=True):
        wanted = reference[variant[1]]
        same = int((found.argmax(axis=1) == wanted.argmax(axis=1)).sum())
        low, high = binom_conf_interval(same, len(raw), 0.95, interval="wilson")
        difference = np.abs(found - wanted).max(axis=1).mean()
        rows.append((*variant, round(same / len(raw), 4), len(raw), *np.round([low, high, difference], 4)))
    table = Table(rows=rows, names=COLUMNS)
    table.pprint_all()
    if arguments.record:
        entries = [dict(zip(COLUMNS, (v.item() if hasattr(v, "item") else v for v in row), strict=True)) for row in rows]
        record = {"classifier": run.folder.name, **experiments.provenance(), "rows": entries}
        arguments.record.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
