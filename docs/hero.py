"""Draw the picture of the front page, docs/_static/hero.png: synthetic radio galaxies, no observed ones.

The upper row is the geometric simulation, the lower one the conditional adversarial network of the report's
scale, which is saved.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

from radiosynth import plotting, simulate
from radiosynth.generators import sample_generators
from radiosynth.reproduction import presets, recipes
from radiosynth.taxonomy import CLASSES

PER_CLASS = 2

plotting.use_style()
run = recipes.run(presets.gan_config("all", "report"))
rows = {
    "geometric": simulate(PER_CLASS, 56, rng=np.random.default_rng(4)),
    "adversarial": sample_generators([run.folder], PER_CLASS, rng=np.random.default_rng(5)),
}
figure, axes = plt.subplots(2, 4 * PER_CLASS, figsize=(8, 2.25))
for panels, (kind, sample) in zip(axes, rows.items(), strict=True):
    for panel, image in zip(panels, sample.images, strict=True):
        plotting.show_image(panel, (image + 1) / 2, norm=PowerNorm(0.6, 0, 1))
    panels[0].set_ylabel(kind, fontsize=8)
for panel, morphology in zip(axes[0, ::PER_CLASS], CLASSES, strict=True):
    panel.set_title(morphology.label, loc="left")
figure.savefig(Path(__file__).parent / "_static" / "hero.png", dpi=150)
