"""
Figure 5: a convolutional network
=================================

Convolutions map where a pattern occurs, pooling halves the size of the maps, and after
a few repetitions a fully connected part assigns the class.

**Report and reproduction.** A schematic, redrawn; it contains no result.

The maps are the computed responses of four kernels, which detect edges in four
directions, to a simulated FR II galaxy. A trained network learns its own kernels.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from scipy.signal import correlate2d
from skimage.measure import block_reduce

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures

plotting.use_style()
rng = np.random.default_rng(5)
source = radiosynth.simulate({"FRII": 1}, 56, rng=rng)
image = source.images[0, 12:44, 12:44]
edge = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]])
kernels = [np.rot90(edge, turns) for turns in range(4)]
stages, maps = [[image]], [image] * 4
for _ in range(2):
    maps = [
        np.maximum(correlate2d(m, k, "same", "symm"), 0)
        for m, k in zip(maps, kernels, strict=True)
    ]
    stages += [maps, maps := [block_reduce(m, (2, 2), np.max) for m in maps]]

# %%
# The maps of a layer are stacked. The colours of their frames are those of figure 11.

colours = {"image": "0.5", "convolution": plotting.CONVOLUTION}
colours["pooling"] = plotting.POOLING
figure = plt.figure(figsize=(7.7, 2.1))
figure.set_layout_engine("none")
axes = figure.add_axes((0, 0, 1, 1), aspect="equal")
axes.set(xlim=(0, 7.7), ylim=(0, 2.1))  # in inches
axes.set_axis_off()
left = 0.1
for name, stage in zip([*colours, "convolution", "pooling"], stages, strict=True):
    size = stage[0].shape[0] / 32
    for depth, pixels in enumerate(stage):
        x, y, z = left + 0.08 * depth, 1.1 - size / 2 + 0.08 * depth, 9 - depth
        place = (x, x + size, y, y + size)
        axes.imshow(pixels, extent=place, cmap="inferno", origin="lower", zorder=z)
        frame = {"fc": "none", "ec": colours[name], "lw": 1.6, "zorder": z}
        axes.add_patch(Rectangle((x, y), size, size, **frame))
    axes.text(left + size / 2, 0.06, name, ha="center", va="bottom", color="0.3")
    left += size + 0.08 * len(stage) + 0.22

# All pixels of the last maps are inputs of the fully connected part.

left += 0.35
arrow = {"arrowstyle": "-|>", "mutation_scale": 8, "lw": 0.9, "fc": "black"}
arrow |= {"shrinkA": 0, "shrinkB": 0}
axes.annotate("", (left - 0.2, 1.1), (left - 0.55, 1.1), arrowprops=arrow)
inputs = 1.1 + 0.3 * np.arange(-2, 3)
ends = {kind.label: 1.55 - 0.3 * kind.code for kind in radiosynth.CLASSES}
for label, end in ends.items():
    axes.text(left + 0.77, end, label, va="center")
    for y in inputs:
        axes.plot([left, left + 0.6], [y, end], color="0.45", lw=0.5, zorder=1)
neuron = {"s": (2 * 0.1 * 72) ** 2, "c": plotting.DENSE}  # a radius of 0.1 inches
for x, heights in ((left, inputs), (left + 0.6, list(ends.values()))):
    axes.scatter([x] * len(heights), heights, ec="black", lw=0.7, zorder=3, **neuron)
axes.text(left + 0.3, 0.06, "dense", ha="center", va="bottom", color="0.3")
figures.save_figure(figure, "fig05_cnn", data=figures.SCHEMATIC, seed=5)
plt.show()
