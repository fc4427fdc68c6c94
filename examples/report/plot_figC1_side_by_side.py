"""
Figure C1: real, adversarial and geometric images side by side
==============================================================

How alike the three kinds of images are: real sources, what the adversarial network draws, and what the
geometric simulation draws, with one class a row. All are random draws, none chosen.

The simulation is smooth, and knows nothing but two lobes, a core and halos. The adversarial network has
learned the ragged edges that the noise threshold leaves, and irregular sources, from real images; it also
draws some that belong to no class. At smoke and laptop scale it is one class-conditional network for the
report's four, and at smoke scale it has learned next to nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import CLASSES, experiments, gan, plotting, simulate

EACH, SEED = 3, 4
plotting.use_style()
names = experiments.GENERATORS[experiments.current_scale()]
runs = [experiments.run(experiments.gan_config(name)) for name in names]

# %%
# The real images are training sources, those that the adversarial network has learned from, prepared like them.

rng = np.random.default_rng(SEED)
sources, _ = experiments.split_sample(runs[0].config)
samples = {
    "real": sources[rng.permutation(len(sources))],
    "adversarial network": gan.sample_generators([run.folder for run in runs], EACH, rng=rng),
    "geometric simulation": simulate(EACH, runs[0].config.size, rng=rng),
}

figure = plt.figure(figsize=(9.6, 4.6))
for part, (title, sample) in zip(figure.subfigures(1, 3), samples.items(), strict=True):
    part.suptitle(title)
    panels = part.subplots(len(CLASSES), EACH)
    for row, morphology in zip(panels, CLASSES, strict=True):
        for panel, image in zip(row, sample.images[sample.labels == morphology.code], strict=False):
            plotting.show_image(panel, image, vmin=-1, vmax=1)
        if title == "real":
            row[0].set_ylabel(morphology.label)
plotting.save_figure(figure, "figC1_side_by_side", runs=runs, seed_of_choice=SEED)
plt.show()
