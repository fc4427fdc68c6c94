"""
Sixty-four real sources
=======================

Sixty-four real images, prepared at 56 pixels, sixteen of each class, two rows per
class.

The report's code draws such a grid to check its input. The first two rows are FR I
galaxies, many of them barely wider than the beam, which makes the classification
difficult.
"""

import matplotlib.pyplot as plt
import numpy as np

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures
from radiosynth.taxonomy import CLASSES

SEED = 64
plotting.use_style()
ready = radiosynth.preprocess(radiosynth.load_report_sample(), size=56)
rng = np.random.default_rng(SEED)
members = [np.flatnonzero(ready.labels == code) for code in range(4)]
chosen = np.concatenate([rng.choice(each, 16, replace=False) for each in members])

options = {"pixel_scale": 1.8 * 150 / 56, "panel": 0.82}
figure = plotting.image_grid(ready.images[chosen], 8, 8, **options)
style = {"rotation": 90, "ha": "right", "va": "center"}
for row, axes in enumerate(figure.axes[::8]):
    label = CLASSES[row // 2].label
    axes.text(-0.1, 0.5, label, transform=axes.transAxes, **style)
figures.save_figure(figure, "extra1_clipped_images", seed=SEED)
plt.show()
