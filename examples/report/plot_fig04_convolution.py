"""
Figure 4: a convolution, without and with padding
=================================================

A small kernel slides over the image; at each position its values are multiplied by the
pixels under it and summed. The shaded window gives the shaded value of the result.

**Report and reproduction.** A schematic, redrawn with numbers that are computed.

Without padding (top) the kernel must stay inside the image, and the result is smaller
than the image. With a border of zeros (bottom) the result is as large as the image, as
in all layers of the report's networks.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from scipy.signal import correlate2d

from radiosynth import plotting
from radiosynth.reproduction import figures

plotting.use_style()
rows = ([1, 0, 2, 1, 0], [0, 1, 3, 1, 0], [1, 2, 3, 0, 1], [0, 1, 2, 1, 0])
image = np.array([*rows, [1, 0, 1, 0, 2]])
kernel = np.array([[0, 1, 0], [1, -2, 1], [0, 1, 0]])
figure = plt.figure(figsize=(6.3, 3.75))
figure.set_layout_engine("none")
axes = figure.add_axes((0, 0, 1, 1), aspect="equal")
axes.set(xlim=(0, 6.3), ylim=(0, 3.75))  # in inches
axes.set_axis_off()
CELL = 0.24
centred = {"ha": "center", "va": "center"}


def draw(values, x, y, colours, title):
    """Draw a matrix around a point, the first row on top."""
    left, top = x - CELL * len(values) / 2, y + CELL * len(values) / 2
    for (row, column), number in np.ndenumerate(values):
        x_cell, y_cell = left + column * CELL, top - (row + 1) * CELL
        style = {"fc": colours[row][column], "ec": "0.3", "lw": 0.6}
        axes.add_patch(Rectangle((x_cell, y_cell), CELL, CELL, **style))
        text = f"{number}".replace("-", "−")
        axes.text(x_cell + CELL / 2, y_cell + CELL / 2, text, fontsize=7, **centred)
    axes.text(x, top + 0.07, title, ha="center", va="bottom")


# What networks call a convolution is a correlation: the kernel is not flipped.

arrow = {"arrowstyle": "-|>", "mutation_scale": 8, "lw": 0.9, "fc": "black"}
arrow |= {"shrinkA": 0, "shrinkB": 0}
for top, padding, title in ((3.48, 0, "image"), (1.78, 1, "image, padded with zeros")):
    padded = np.pad(image, padding)
    result = correlate2d(padded, kernel, mode="valid")
    white = np.full(image.shape, "white")
    colours = np.pad(white, padding, constant_values="0.88").astype(object)
    colours[:3, :3] = plotting.CONVOLUTION
    first = np.full(result.shape, "white", dtype=object)
    first[0, 0] = plotting.CONVOLUTION
    middle = top - CELL * len(padded) / 2
    draw(padded, 1.1, middle, colours, title)
    draw(kernel, 3.3, middle, np.full(kernel.shape, plotting.POOLING), "kernel")
    draw(result, 5.1, middle, first, "result")
    axes.text(2.45, middle, "∗", fontsize=14, **centred)
    axes.annotate("", (4.35, middle), (3.95, middle), arrowprops=arrow)
axes.text(0.02, 3.55, "(a)", weight="bold")
axes.text(0.02, 1.85, "(b)", weight="bold")
figures.save_figure(figure, "fig04_convolution", data=figures.SCHEMATIC)
plt.show()
