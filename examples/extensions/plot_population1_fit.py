"""
A population fitted to real images
==================================

The report chose the distributions of its simulated sources by hand. Here they are
fitted, class by class, to the measured properties of real *training* images, and both
populations are compared with *other* real sources. Boxes contain the central half of
the sources, with a line at the median; whiskers contain nine tenths. Below, sources
drawn at random from each.

Look for boxes of "fitted" that coincide with those of "real". The report's FR I and FR
II galaxies are about three times as large as the real ones at 56 pixels, with little
spread in size; its lobes are too wide and too bright. The fit cannot reproduce
correlations, since each parameter is drawn independently. Nothing here is saved: the
page takes about a minute.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import CLASSES, concatenate, measurements, plotting, simulation, surveys
from radiosynth.reproduction import figures, presets, samples

plotting.use_style()
config = presets.classifier_config("real", folds=4)
train, *held_out = samples.split_sample(config.sources)
rng = np.random.default_rng(0)
number, size = 200 if config.scale == "smoke" else 500, config.sources.size
fitted = simulation.fit_population(train, per_class=number, rng=rng)
samples = {
    "real": concatenate(held_out),
    "report": simulation.simulate(number // 4, size, rng=rng),
    "fitted": simulation.simulate(number // 4, size, population=fitted, rng=rng),
}

# %%
# Rows are measurements, columns classes.

SHOWN = ["angular_size", "area", "concentration", "axis_ratio"]
SHOWN += ["edge_brightening", "bending_angle"]
scale, measured = surveys.FIRST.scale(size), {}
for kind, sample in samples.items():
    measured[kind] = measurements.measure(sample.images, pixel_scale=scale)
figure, axes = plt.subplots(len(SHOWN), 4, figsize=(7.6, 9), sharex=True, sharey="row")
for row, name in zip(axes, SHOWN, strict=True):
    for panel, morphology in zip(row, CLASSES, strict=True):
        chosen = {
            k: t[name].value[samples[k].labels == morphology.code]
            for k, t in measured.items()
        }
        plotting.boxes(panel, chosen, log=name in ("angular_size", "area"))
    unit = measured["real"][name].unit
    row[0].set_ylabel(name.replace("_", " ") + (f" ({unit:unicode})" if unit else ""))
for panel, morphology in zip(axes[0], CLASSES, strict=True):
    panel.set_title(morphology.label)
figures.save_figure(figure, "population1_fit", seed=0)

# %%
# Sources drawn at random: three columns of each class.

parts = [sample.of_class(m.name).images for sample in samples.values() for m in CLASSES]
rows = [images[rng.permutation(len(images))[:3]] for images in parts]
titles = [m.label if i == 1 else "" for m in CLASSES for i in range(3)] + [""] * 24
shown, options = np.concatenate(rows), {"pixel_scale": scale, "panel": 0.75}
figure = plotting.image_grid(shown, 3, 12, titles=titles, **options)
style = {"rotation": 90, "ha": "right", "va": "center"}
for edge, kind in zip(figure.axes[::12], samples, strict=True):
    edge.text(-0.1, 0.5, kind, transform=edge.transAxes, **style)
figures.save_figure(figure, "population1_images", seed=0)
plt.show()
