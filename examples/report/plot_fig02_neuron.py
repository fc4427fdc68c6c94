"""
Figure 2: an artificial neuron
==============================

A neuron multiplies each of its inputs by a weight, adds a bias to their sum, and applies an activation
function to the result.

**Report and reproduction.** A schematic, redrawn; it contains no result.

Weights and bias are learned. The activation shown is the rectifier, zero for negative sums, used in the
hidden layers of the classifier. Without a non-linear activation, several layers could do no more than
one.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting
from radiosynth.reproduction import figures

plotting.use_style()
figure, axes = plotting.schematic(6.3, 2.55)

# Inputs and weights on the left, the sum in the middle, the bias above it.

middle = 1.3
for height, index in zip((2.25, 1.65, 0.55), ("1", "2", "n"), strict=True):
    plotting.node(axes, (0.7, height), f"$x_{index}$", radius=0.2)
    plotting.arrow(axes, (0.9, height), (2.33, middle + 0.2 * (height - middle)))
    place = (1.5, middle + 0.68 * (height - middle))
    axes.text(
        *place, f"$w_{index}$", ha="center", va="center", bbox={"fc": "white", "ec": "none", "pad": 1.5}
    )
axes.text(0.7, 1.1, "⋮", ha="center", va="center", fontsize=13)
plotting.node(axes, (2.6, middle), r"$\Sigma$", plotting.CONVOLUTION, radius=0.28)
plotting.node(axes, (2.6, 2.25), "$b$", radius=0.2)
plotting.arrow(axes, (2.6, 2.05), (2.6, middle + 0.28))

# The activation function is computed, not sketched.

plotting.arrow(axes, (2.88, middle), (3.65, middle))
axes.text(3.27, middle + 0.07, "$s$", ha="center", va="bottom")
plotting.block(axes, (4.1, middle), "", plotting.POOLING, size=(0.9, 0.9))
s = np.linspace(-1, 1, 101)
axes.plot(4.1 + 0.36 * s, middle - 0.25 + 0.55 * np.maximum(s, 0), color="black", zorder=5)
plotting.arrow(axes, (4.55, middle), (5.35, middle))
plotting.node(axes, (5.6, middle), "$y$", plotting.DENSE, radius=0.25)

for x, text in ((0.7, "inputs"), (1.5, "weights"), (2.6, "sum"), (4.1, "activation"), (5.6, "output")):
    axes.text(x, 0.02, text, ha="center", va="bottom", color="0.3")
axes.text(2.85, 2.25, "bias", va="center", color="0.3")
axes.text(4.85, 2.25, r"$y = f\,(\sum_i w_i x_i + b)$", ha="center", va="center", fontsize=10)
figures.save_figure(figure, "fig02_neuron", data=figures.SCHEMATIC)
plt.show()
