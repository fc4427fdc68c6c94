"""
How realistic are the synthetic images?
=======================================

Measured properties of real images, geometric simulations and images from the
adversarial networks, by class. The real sources are held out: no network was trained on
them. Boxes contain the central half of the sources, with a line at the median; whiskers
contain nine tenths.

Check whether the boxes of one class agree in position and length. Images of a collapsed
network are nearly identical, and its boxes short. Where hardly any source has two
components, no bending angle is shown.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import vstack

from radiosynth import (
    CLASS_NAMES,
    CLASSES,
    generators,
    measurements,
    plotting,
    realism,
    simulation,
    surveys,
)
from radiosynth.reproduction import figures, presets, recipes, samples

plotting.use_style()
config = presets.classifier_config("real")
used = presets.classifier_config("real+gan").generators
judge, *runs = recipes.run_each([config, *used])
training, real, _ = samples.split_sample(config.sources)
number, size = max(training.counts().values()), config.sources.size


def draw(networks):
    """Return as many images of each class as the largest class has training sources."""
    folders, rng = [run.folder for run in networks], np.random.default_rng(0)
    return generators.sample_generators(folders, number, rng=rng)


simulated = simulation.simulate(number, size, rng=np.random.default_rng(0))
samples = {"real": real, "geometric": simulated, "GAN": draw(runs)}

# %%
# Rows are measurements, columns classes.

scale, measured = surveys.FIRST.scale(size), {}
for kind, sample in samples.items():
    measured[kind] = measurements.measure(sample.images, pixel_scale=scale)
figure, axes = plt.subplots(5, 4, figsize=(7.6, 8.2), sharex=True, sharey="row")
for row, name in zip(axes, realism.PROPERTIES, strict=True):
    for panel, morphology in zip(row, CLASSES, strict=True):
        chosen = {
            k: table[name][samples[k].labels == morphology.code]
            for k, table in measured.items()
        }
        # An untrained network draws hundreds of specks.
        plotting.boxes(panel, chosen, log=name in ("angular_size", "components"))
    unit = f" ({chosen['real'].unit})" if chosen["real"].unit else ""
    row[0].set_ylabel(name.replace("_", " ") + unit)
for panel, morphology in zip(axes[0], CLASSES, strict=True):
    panel.set_title(morphology.label)
figures.save_figure(figure, "gan4_realism", runs=[judge, *runs])
plt.show()

# %%
# Distances from the held-out images, with their real-to-real reference; the nearest
# neighbour is sought among the training images, and its reference is that of held-out
# images. The networks of training set (c) are compared with the other kind: one for
# each class, or a conditional one for all.

names, other = CLASS_NAMES, "GANs, one per class"
if len(runs) > 1:
    names, other = ("all",), "conditional GAN"
trained = recipes.run_each([presets.gan_config(name) for name in names])
samples[other] = draw(trained)
options = {"training": training, "draws": 20, "rng": np.random.default_rng(0)}
tables = []
for kind in ("geometric", "GAN", other):
    tables.append(realism.realism(real, samples[kind], judge.model(), **options))
    tables[-1].add_column(kind, name="images", index=0)
table, runs = vstack(tables), [judge, *runs, *trained]
table.round(5)
figures.save_table(table, "gan4_realism", runs=runs).pprint_all()
