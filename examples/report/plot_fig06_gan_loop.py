"""
Figure 6: how a generative adversarial network learns
=====================================================

The generator turns noise into images, the discriminator estimates the probability that an image is real,
and each network is updated by its own loss (dashed). **Report and reproduction.** A schematic, redrawn.

The discriminator's loss is low when it classifies real and generated images correctly, the generator's
when the discriminator takes its images for real. The generator never receives a real image: its gradient
comes only through the discriminator.
"""

import matplotlib.pyplot as plt
import numpy as np

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures

plotting.use_style()
figure, axes = plotting.schematic(7.2, 2.9)
sample = radiosynth.load_report_sample()
real = sample.images[sample.table["name"] == "J075628.78+501716.3"][0]
noise = np.random.default_rng(6).normal(size=(10, 10))

# Forward pass: from the noise and the real images to the discriminator.

low, high = 0.85, 2.1
for pixels, colours, (x, y) in ((noise, "gray", (0.45, low)), (real, "inferno", (3.15, high))):
    axes.imshow(pixels, extent=(x - 0.35, x + 0.35, y - 0.35, y + 0.35), cmap=colours, origin="lower")
axes.text(0.45, low + 0.42, "noise $z$", ha="center", va="bottom")
axes.text(2.72, high, "real\nimages $x$", ha="right", va="center")
plotting.block(axes, (1.7, low), "generator\n$G$", plotting.CONVOLUTION, size=(0.95, 0.7))
plotting.block(axes, (3.15, low), "generated\nimages\n$G(z)$", size=(0.85, 0.7))
middle = (low + high) / 2
plotting.block(axes, (4.75, middle), "discriminator\n$D$", plotting.POOLING, size=(1.05, 0.7))
plotting.arrow(axes, (0.8, low), (1.22, low))
plotting.arrow(axes, (2.18, low), (2.72, low))
plotting.arrow(axes, (3.58, low), (4.3, middle - 0.35))
plotting.arrow(axes, (3.5, high), (4.3, middle + 0.35))

# Backward pass: each loss updates its own network only.

back = {"color": plotting.VALIDATION, "ls": (0, (3, 2))}
losses = {high: "$L_D = -\\log D(x)$\n$-\\log(1 - D(G(z)))$", low: "$L_G = -\\log D(G(z))$"}
for height, text in losses.items():
    plotting.block(axes, (6.4, height), text, size=(1.4, 0.62))
    plotting.arrow(axes, (5.28, middle), (5.7, height))
axes.plot([6.4, 6.4, 4.75], [high + 0.31, high + 0.5, high + 0.5], lw=0.9, **back)
plotting.arrow(axes, (4.75, high + 0.5), (4.75, middle + 0.35), **back)
axes.plot([6.4, 6.4, 1.7], [low - 0.31, low - 0.6, low - 0.6], lw=0.9, **back)
plotting.arrow(axes, (1.7, low - 0.6), (1.7, low - 0.35), **back)
axes.text(5.6, high + 0.55, "updates $D$", ha="center", color=plotting.VALIDATION)
axes.text(4.0, low - 0.55, "updates $G$, through $D$", ha="center", color=plotting.VALIDATION)
figures.save_figure(figure, "fig06_gan_loop", data=figures.FIRST, sources=["J075628.78+501716.3"])
plt.show()
