"""
Figure 6: how a generative adversarial network learns
=====================================================

The generator turns noise into images, the discriminator estimates the probability that
an image is real, and each network is updated by its own loss (dashed).

**Report and reproduction.** A schematic, redrawn; it contains no result.

The discriminator's loss is low when it classifies real and generated images correctly,
the generator's when the discriminator takes its images for real. The generator never
receives a real image: its gradient comes only through the discriminator.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures

plotting.use_style()
figure = plt.figure(figsize=(7.2, 2.9))
figure.set_layout_engine("none")
axes = figure.add_axes((0, 0, 1, 1), aspect="equal")
axes.set(xlim=(0, 7.2), ylim=(0, 2.9))  # in inches
axes.set_axis_off()
sample = radiosynth.load_report_sample()
name = "J075628.78+501716.3"
real = sample.images[sample.table["name"] == name][0]
noise = np.random.default_rng(6).normal(size=(10, 10))

# Forward pass: from noise and real images to the discriminator and the losses.

low, high = 0.85, 2.1
middle = (low + high) / 2
for pixels, cmap, x, y in ((noise, "gray", 0.45, low), (real, "inferno", 3.15, high)):
    place = (x - 0.35, x + 0.35, y - 0.35, y + 0.35)
    axes.imshow(pixels, extent=place, cmap=cmap, origin="lower")
axes.text(0.45, low + 0.42, "noise $z$", ha="center", va="bottom")
axes.text(2.72, high, "real\nimages $x$", ha="right", va="center")
losses = "$L_D = -\\log D(x)$\n$-\\log(1 - D(G(z)))$", "$L_G = -\\log D(G(z))$"
boxes = [((1.7, low), (0.95, 0.7), plotting.CONVOLUTION, "generator\n$G$")]
boxes += [((3.15, low), (0.85, 0.7), "white", "generated\nimages\n$G(z)$")]
boxes += [((4.75, middle), (1.05, 0.7), plotting.POOLING, "discriminator\n$D$")]
boxes += [((6.4, high), (1.4, 0.62), "white", losses[0])]
boxes += [((6.4, low), (1.4, 0.62), "white", losses[1])]
style = {"boxstyle": "round,pad=0,rounding_size=0.08", "ec": "black", "lw": 0.7}
for (x, y), (width, height), colour, text in boxes:
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, fc=colour, **style))
    axes.text(x, y, text, ha="center", va="center")
arrow = {
    "arrowstyle": "-|>",
    "mutation_scale": 8,
    "lw": 0.9,
    "shrinkA": 0,
    "shrinkB": 0,
}
ways = [((0.8, low), (1.22, low)), ((2.18, low), (2.72, low))]
ways += [((3.58, low), (4.3, middle - 0.35)), ((3.5, high), (4.3, middle + 0.35))]
ways += [((5.28, middle), (5.7, high)), ((5.28, middle), (5.7, low))]
for start, end in ways:
    axes.annotate("", end, start, arrowprops=arrow | {"color": "black"})

# Backward pass: each loss updates its own network only.

back = {"color": plotting.VALIDATION, "ls": (0, (3, 2))}
axes.plot([6.4, 6.4, 4.75], [high + 0.31, high + 0.5, high + 0.5], lw=0.9, **back)
axes.annotate("", (4.75, middle + 0.35), (4.75, high + 0.5), arrowprops=arrow | back)
axes.plot([6.4, 6.4, 1.7], [low - 0.31, low - 0.6, low - 0.6], lw=0.9, **back)
axes.annotate("", (1.7, low - 0.35), (1.7, low - 0.6), arrowprops=arrow | back)
said = {"ha": "center", "color": plotting.VALIDATION}
axes.text(5.6, high + 0.55, "updates $D$", **said)
axes.text(4.0, low - 0.55, "updates $G$, through $D$", **said)
figures.save_figure(figure, "fig06_gan_loop", data=figures.FIRST, sources=[name])
plt.show()
