"""
Bending angles 2: what the network sees
=======================================

Real sources in order of their bending angle. Above each: the angle measured by Garon et
al. (2019), an arrow, and that predicted by a network trained without this source, with
its predicted error.

The catalogue's angle is measured at the host galaxy, identified in the infrared and
marked by the cross in the middle. Look for sources whose bend is not apparent without
it: two lobes alone define a straight line.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import datasets, plotting, surveys
from radiosynth.reproduction import figures, presets, recipes

plotting.use_style()
configs = presets.bending_conditions()["with spread"]
runs, table = recipes.cross_validate(configs)

# %%
# Twelve sources evenly spaced in the order of the angle; the last row holds the most
# bent ones.

order = np.argsort(table["truth"])
even = np.linspace(0, len(order) - 8, 12).astype(int)
chosen = np.concatenate([order[even], order[-6:]])
sample = datasets.load_bending_sample(size=configs[0].crop)
row_of = {name: row for row, name in enumerate(sample.table["name"])}
images = sample.images[[row_of[name] for name in table["name"][chosen]]]
shown = table["truth", "bending_angle", "spread"][chosen]
titles = ["{:.0f}° → {:.0f} ± {:.0f}°".format(*row) for row in shown]
options = {"pixel_scale": surveys.FIRST.pixel_scale, "panel": 1.4}
figure = plotting.image_grid(np.sqrt(images), 3, 6, titles=titles, **options)
middle = (configs[0].crop - 1) / 2
for panel in figure.axes:
    panel.plot(middle, middle, "+", color="white", ms=5, mew=0.6)
figures.save_figure(figure, "bending2_images", runs=runs)
plt.show()
