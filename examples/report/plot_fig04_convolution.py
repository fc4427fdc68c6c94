"""
Figure 4: a convolution, without and with padding
=================================================

A small kernel slides over the image; at each position its values are multiplied by the pixels under it
and summed. The shaded window gives the shaded number of the result.

**Report and reproduction.** A schematic, redrawn with numbers that are computed.

Without padding (top) the kernel must stay inside the image, and the result is smaller than the image.
With a border of zeros (bottom) the result is as large as the image, as in all layers of the report's
networks.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.signal import correlate2d

from radiosynth import plotting
from radiosynth.reproduction import figures

plotting.use_style()
image = np.array([[1, 0, 2, 1, 0], [0, 1, 3, 1, 0], [1, 2, 3, 0, 1], [0, 1, 2, 1, 0], [1, 0, 1, 0, 2]])
kernel = np.array([[0, 1, 0], [1, -2, 1], [0, 1, 0]])
figure, axes = plotting.schematic(6.3, 3.75)

# What networks call a convolution is a correlation: the kernel is not flipped.

for top, padding in ((3.48, 0), (1.78, 1)):
    padded = np.pad(image, padding)
    result = correlate2d(padded, kernel, mode="valid")
    window, rim = np.zeros(padded.shape, bool), np.pad(np.zeros_like(image), padding, constant_values=1)
    window[:3, :3] = True
    colours = np.where(window, plotting.CONVOLUTION, np.where(rim, "0.88", "white"))
    first = np.full(result.shape, "white", dtype=object)
    first[0, 0] = plotting.CONVOLUTION
    middle = top - 0.12 * len(padded)
    name = "image" + (", padded with zeros" if padding else "")
    plotting.number_grid(
        axes, padded, (1.1 - 0.12 * len(padded), top), colours=colours.astype(object), title=name
    )
    plotting.number_grid(axes, kernel, (2.94, middle + 0.36), colours=plotting.POOLING, title="kernel")
    plotting.number_grid(axes, result, (5.1 - 0.12 * len(result), middle + 0.12 * len(result)), colours=first)
    axes.text(5.1, middle + 0.12 * len(result) + 0.07, "result", ha="center", va="bottom")
    axes.text(2.45, middle, "∗", ha="center", va="center", fontsize=14)
    plotting.arrow(axes, (3.95, middle), (4.35, middle))
axes.text(0.02, 3.55, "(a)", weight="bold")
axes.text(0.02, 1.85, "(b)", weight="bold")
figures.save_figure(figure, "fig04_convolution", data=figures.SCHEMATIC)
plt.show()
