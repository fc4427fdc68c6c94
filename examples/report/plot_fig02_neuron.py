"""
Figure 2: an artificial neuron
==============================

A neuron multiplies each of its inputs by a weight, adds a bias to their sum, and
applies an activation function to the result.

**Report and reproduction.** A schematic, redrawn; it contains no result.

Weights and bias are learned. The activation shown is the rectifier, zero for negative
sums, used in the hidden layers of the classifier. Without a non-linear activation,
several layers would be equivalent to one.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle, FancyBboxPatch

from radiosynth import plotting
from radiosynth.reproduction import figures

plotting.use_style()
figure = plt.figure(figsize=(6.3, 2.55))
figure.set_layout_engine("none")
axes = figure.add_axes((0, 0, 1, 1), aspect="equal")
axes.set(xlim=(0, 6.3), ylim=(0, 2.55))  # in inches
axes.set_axis_off()
centred = {"ha": "center", "va": "center", "zorder": 4}
arrow = {"arrowstyle": "-|>", "mutation_scale": 8, "lw": 0.9, "fc": "black"}
arrow |= {"shrinkA": 0, "shrinkB": 0}

# Inputs and weights on the left, the sum in the middle, the bias above it.

middle, heights = 1.3, {"1": 2.25, "2": 1.65, "n": 0.55}
nodes = [((0.7, y), 0.2, "white", f"$x_{index}$") for index, y in heights.items()]
nodes += [((2.6, middle), 0.28, plotting.CONVOLUTION, r"$\Sigma$")]
nodes += [((2.6, 2.25), 0.2, "white", "$b$")]
nodes += [((5.6, middle), 0.25, plotting.DENSE, "$y$")]
for place, radius, colour, text in nodes:
    axes.add_patch(Circle(place, radius, fc=colour, ec="black", lw=0.7, zorder=3))
    axes.text(*place, text, **centred)
ways = [((0.9, y), (2.33, middle + 0.2 * (y - middle))) for y in heights.values()]
ways += [((2.6, 2.05), (2.6, middle + 0.28))]
ways += [((2.88, middle), (3.65, middle)), ((4.55, middle), (5.35, middle))]
for start, end in ways:
    axes.annotate("", end, start, arrowprops=arrow)
gap = {"fc": "white", "ec": "none", "pad": 1.5}
for index, y in heights.items():
    axes.text(1.5, middle + 0.68 * (y - middle), f"$w_{index}$", bbox=gap, **centred)
axes.text(0.7, 1.1, "⋮", fontsize=13, **centred)

# The activation function is computed, not sketched.

style = {"boxstyle": "round,pad=0,rounding_size=0.08", "ec": "black", "lw": 0.7}
corner = (3.65, middle - 0.45)
axes.add_patch(FancyBboxPatch(corner, 0.9, 0.9, fc=plotting.POOLING, **style))
s = np.linspace(-1, 1, 101)
axes.plot(4.1 + 0.36 * s, middle - 0.25 + 0.55 * np.maximum(s, 0), color="black")
axes.text(3.27, middle + 0.07, "$s$", ha="center", va="bottom")
names = {0.7: "inputs", 1.5: "weights", 2.6: "sum", 4.1: "activation", 5.6: "output"}
for x, text in names.items():
    axes.text(x, 0.02, text, ha="center", va="bottom", color="0.3")
axes.text(2.85, 2.25, "bias", va="center", color="0.3")
axes.text(4.85, 2.25, r"$y = f\,(\sum_i w_i x_i + b)$", fontsize=10, **centred)
figures.save_figure(figure, "fig02_neuron", data=figures.SCHEMATIC)
plt.show()
