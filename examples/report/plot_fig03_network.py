"""
Figure 3: a fully connected network
===================================

Every neuron of a layer takes the outputs of all neurons of the previous layer; each
line is one weight.

**Report and reproduction.** A schematic, redrawn; it contains no result.

Count the lines to see why images are not classified by such a network: two hidden
layers of six neurons already need dozens of weights for four inputs, and an image of 56
by 56 pixels has 3136. Convolutions use the same weights at every position instead
(:figure:`fig04_convolution`).
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting
from radiosynth.reproduction import figures

plotting.use_style()
figure = plt.figure(figsize=(6.3, 2.75))
figure.set_layout_engine("none")
axes = figure.add_axes((0, 0, 1, 1), aspect="equal")
axes.set(xlim=(0, 6.3), ylim=(0, 2.75))  # in inches
axes.set_axis_off()
arrow = {"arrowstyle": "-|>", "mutation_scale": 8, "lw": 0.9, "fc": "black"}
arrow |= {"shrinkA": 0, "shrinkB": 0}

# Each layer is a column of neurons, centred on the same line.

NEURONS = (4, 6, 6, 3)
COLOURS = ("white", plotting.CONVOLUTION, plotting.CONVOLUTION, plotting.DENSE)
NAMES = ("input layer", "hidden layer", "hidden layer", "output layer")
places = []
for i, n in enumerate(NEURONS):
    heights = 1.45 + 0.42 * ((n - 1) / 2 - np.arange(n))
    places.append([(0.8 + 1.55 * i, float(height)) for height in heights])
for before, after in pairwise(places):
    for start in before:
        for end in after:
            axes.plot(*zip(start, end, strict=True), color="0.45", lw=0.5, zorder=1)
style = {"s": (2 * 0.15 * 72) ** 2, "ec": "black", "lw": 0.7}  # a radius of 0.15 inches
for layer, colour, name in zip(places, COLOURS, NAMES, strict=True):
    axes.scatter(*zip(*layer, strict=True), c=colour, zorder=3, **style)
    axes.text(layer[0][0], 0.02, name, ha="center", va="bottom", color="0.3")
for i, (x, y) in enumerate(places[0], 1):
    axes.annotate("", (x - 0.15, y), (x - 0.5, y), arrowprops=arrow)
    axes.text(x - 0.55, y, f"$x_{i}$", ha="right", va="center")
for i, (x, y) in enumerate(places[-1], 1):
    axes.annotate("", (x + 0.5, y), (x + 0.15, y), arrowprops=arrow)
    axes.text(x + 0.55, y, f"$y_{i}$", va="center")
lines = int(np.dot(NEURONS[:-1], NEURONS[1:]))
figures.save_figure(figure, "fig03_network", data=figures.SCHEMATIC, weights=lines)
print(lines, "weights")
plt.show()
