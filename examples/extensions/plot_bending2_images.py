"""
Bending angles 2: what the network sees
=======================================

Real sources in the order of their bending angle, each titled with the angle that Garon et al. (2019)
measured and the one read by a network that never saw this source, with the error that it expects.

The catalogue's angle is that at the host galaxy, found in the infrared and marked by the cross in the middle.
Look for sources whose bend you would not have seen without it: two lobes alone make a straight line.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import datasets, plotting, surveys
from radiosynth.reproduction import figures, presets, recipes

plotting.use_style()
configs = presets.bending_conditions()["with spread"]
runs, table = recipes.cross_validate(configs)

# %%
# Twelve sources spread evenly over all in the order of the angle; the last row holds the most bent ones.

order = np.argsort(table["truth"])
chosen = np.concatenate([order[np.linspace(0, len(order) - 8, 12).astype(int)], order[-6:]])
sample = datasets.load_bending_sample(size=configs[0].crop)
row_of = {name: row for row, name in enumerate(sample.table["name"])}
images = sample.images[[row_of[name] for name in table["name"][chosen]]]
titles = [
    f"{row['truth']:.0f}°, read {row['bending_angle']:.0f} ± {row['spread']:.0f}°" for row in table[chosen]
]
figure = plotting.image_grid(np.sqrt(images), 3, 6, titles=titles, pixel_scale=surveys.PIXEL_SCALE, panel=1.4)
for panel in figure.axes:
    panel.plot((configs[0].crop - 1) / 2, (configs[0].crop - 1) / 2, "+", color="white", ms=5, mew=0.6)
figures.save_figure(figure, "bending2_images", runs=runs)
plt.show()
