"""
Raw and published images of the same source
===========================================

Four sources, from left to right: as published; raw; prepared for the classifier; and
prepared after adding beam-correlated noise until the signal-to-noise ratio of the peak
is 1/2, 1/4 and 1/8 of the original. Above: the probabilities of FR I, FR II, bent and
compact, in per cent. ``RADIOSYNTH_RAW_FITS`` names a folder of raw FIRST files of these
sources; without it the raw images are derived from the published ones, and the figure
says so.

Columns one and three show the same source and should agree. The fainter a source, the
less of its tails remains above three times the noise, until its class changes.
"""

import json
import os
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from scipy import ndimage

import radiosynth
from radiosynth import plotting
from radiosynth.preprocessing import measure_noise
from radiosynth.reproduction import figures, runs

plotting.use_style()
published = radiosynth.load_first_dataset(size=150)
keys = ["data_143", "data_521", "data_1810", "data_2001"]
published = published[[list(published.table["name"]).index(key) for key in keys]]
white = np.random.default_rng(1).normal(size=(2, 4, 150, 150))
beam = 5.4 / 2.3548 / 1.8  # pixels
noise = ndimage.gaussian_filter(white, (0, 0, beam, beam))
noise /= noise.std(axis=(2, 3), keepdims=True)
# Synthetic raw images peak at 30 sigma, with noise where the published ones are black.
grey = published.images / 255
raw = published.derived(np.where(grey > 0, 3 + 27 * grey, np.minimum(noise[1], 3)), "")
origin = "made of published"
if folder := os.environ.get("RADIOSYNTH_RAW_FITS"):
    paths = sorted(Path(folder).glob("*.fits"))
    files = radiosynth.read_cutouts(paths, size=150, nan="keep")
    tables = files.table, published.table
    sky, wanted = (SkyCoord(table["ra"], table["dec"], unit="deg") for table in tables)
    nearest, apart, _ = wanted.match_to_catalog_sky(sky)
    raw, origin = files[nearest], "raw FIRST file"
    assert apart.max().arcsec < 20, f"files of some of {keys} are missing"
sigma = measure_noise(raw.images)[1][:, None, None]
noisy = [raw.images + np.sqrt(n**2 - 1) * sigma * noise[0] for n in (2, 4, 8)]
fainter = [raw.derived(images, "noise") for images in noisy]
classifier = radiosynth.load_classifier()
run = runs.find_run(classifier.card["name"])
ready = [classifier.prepare(sample).images for sample in (published, raw, *fainter)]
given = [100 * classifier.predict(images) for images in ready]
shown = [np.sqrt(radiosynth.center_crop(images + 1, 150)) for images in ready]
shown.insert(1, np.arcsinh(raw.images / sigma))
given.insert(1, np.empty((4, 0)))
titles = [" · ".join(f"{x:.0f}" for x in p[row]) for row in range(4) for p in given]
heads = ["published", origin, "prepared", *(f"peak at 1/{n}" for n in (2, 4, 8))]
titles[:6] = [f"{head}\n{title}" for head, title in zip(heads, titles[:6], strict=True)]
panels = np.concatenate(np.stack(shown, axis=1))
figure = plotting.image_grid(panels, 4, 6, titles=titles, pixel_scale=1.8, panel=1.15)
figures.save_figure(figure, "preparation1_raw_and_published", runs=[run], raw=origin)

# %%
# All 45 raw files (``benchmarks/raw_agreement.py``): the proportion with the class of
# the published image.
for record in runs.runs_root().glob("raw_agreement.json"):
    Table(rows=json.loads(record.read_text())["rows"]).pprint_all()
