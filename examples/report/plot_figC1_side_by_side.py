"""
Figure C1: real, adversarial and geometric images side by side
==============================================================

Real sources, images from the adversarial network, and geometric simulations, one class
per row, drawn at random, with a square-root stretch.

**Report and reproduction.** The report shows the same comparison, with the same
differences by eye; :figure:`gan4_realism` measures them.

The simulated sources are smooth sums of two lobes, a core and halos. The adversarial
network has learned from real images the ragged edges that the noise threshold leaves,
and irregular sources; some of its images belong to no class. At smoke and laptop scale
it is one class-conditional network in place of the report's four, and at smoke scale it
has hardly been trained.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

from radiosynth import CLASSES, generators, plotting, simulate
from radiosynth.reproduction import figures, presets, recipes, samples, scales

EACH, SEED = 3, 4
plotting.use_style()
names = scales.SCALES[scales.current_scale()]["generators"]
runs = [recipes.run(presets.gan_config(name)) for name in names]

# %%
# The real images are sources on which the adversarial network was trained.

rng = np.random.default_rng(SEED)
sources, *_ = samples.split_sample(runs[0].config.sources)
folders = [run.folder for run in runs]
samples = {
    "real": sources[rng.permutation(len(sources))],
    "adversarial network": generators.sample_generators(folders, EACH, rng=rng),
    "geometric simulation": simulate(EACH, runs[0].config.sources.size, rng=rng),
}

widths = [1, 1, 1, 0.15] * 2 + [1, 1, 1]
figure, axes = plt.subplots(4, 11, figsize=(9.6, 4.4), width_ratios=widths)
for panel in axes[:, 3::4].flat:
    panel.axis("off")
for column, (title, sample) in enumerate(samples.items()):
    panels = axes[:, 4 * column : 4 * column + EACH]
    for row, morphology in zip(panels, CLASSES, strict=True):
        images = sample.images[sample.labels == morphology.code]
        for panel, image in zip(row, images, strict=False):
            plotting.show_image(panel, image, norm=PowerNorm(0.5, -1, 1))
    panels[0, 1].set_title(title)
for panel, morphology in zip(axes[:, 0], CLASSES, strict=True):
    panel.set_ylabel(morphology.label)
figures.save_figure(figure, "figC1_side_by_side", runs=runs, seed_of_choice=SEED)
plt.show()
