"""
Figure 10: images from the trained generators
=============================================

The first images drawn with one seed, not selected, one class per column, with a
square-root stretch.

**Report and reproduction.** The report shows FR I, FR II and bent-tailed sources;
compact ones are added here. By eye, the three classes are as recognisable at full scale
as in the report.

Look for the features of each class: a bright centre that fades outwards, two separate
bright ends, a bend, a point. Then look for artefacts: repeated images, isolated specks,
detached arcs, and a faint grid, which transposed convolutions leave
(:doc:`/methods/gan`). At smoke and laptop scale one class-conditional network draws all
columns; at full scale there is one network for each class, as in the report. At smoke
scale the networks have hardly been trained.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

from radiosynth import CLASSES, generators, plotting
from radiosynth.reproduction import figures, presets, recipes, scales

ROWS, SEED = 5, 10
plotting.use_style()
names = scales.SCALES[scales.current_scale()]["generators"]
runs = [recipes.run(presets.gan_config(name)) for name in names]

# %%
# The generators of all runs together give one labelled sample.

folders, rng = [run.folder for run in runs], np.random.default_rng(SEED)
fake = generators.sample_generators(folders, ROWS, rng=rng)

figure, axes = plt.subplots(ROWS, len(CLASSES), figsize=(5.2, 6.9))
for column, morphology in zip(axes.T, CLASSES, strict=True):
    images = fake.images[fake.labels == morphology.code]
    for panel, image in zip(column, images, strict=True):
        plotting.show_image(panel, image, norm=PowerNorm(0.5, -1, 1))
    column[0].set_title(morphology.label)
figures.save_figure(figure, "fig10_gan_samples", runs=runs, seed_of_noise=SEED)
plt.show()
