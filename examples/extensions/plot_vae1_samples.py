"""
VAE 1: a generator by another principle
=======================================

A variational autoencoder squeezes an image into 16 numbers and draws it again from them. Its decoder then
draws new images from random numbers; one network knows all four classes. Top: sources that it has *not* been
trained on; middle: the same, encoded and drawn again; bottom: drawn from random numbers. Shown are the
central 2.6 arcmin and the square root of the brightness.

Look at what is lost between the first two rows: companions and sharp edges, as the network draws the mean of
all that the numbers leave open. Below are the two parts of the loss: how well images come back, and how many
nats of information the numbers hold; zero would mean that they are ignored. At smoke scale the network has
seen too little to draw a galaxy.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

from radiosynth import CLASSES, generators, plotting
from radiosynth.reproduction import figures, presets, recipes, samples

EACH = 3
plotting.use_style()
run = recipes.run(presets.vae_config())
_, held_out, _ = samples.split_sample(run.config.sources)
chosen = np.concatenate([np.flatnonzero(held_out.labels == code)[:EACH] for code in range(4)])
real, labels = held_out.images[chosen], held_out.labels[chosen]
rows = {
    "real": real,
    "reconstructed": generators.reconstruct(run.folder, real, labels),
    "sampled": generators.generate(run.model(), len(labels), labels=labels, rng=np.random.default_rng(0)),
}

# %%
# The first three validation sources of each class, and the first draws of one seed, none of them chosen.

figure = plt.figure(figsize=(8.4, 4.6))
above, below = figure.subfigures(2, 1, height_ratios=(2.3, 1.9))
panels = above.subplots(len(rows), len(labels))
for line, (name, images) in zip(panels, rows.items(), strict=True):
    line[0].set_ylabel(name, fontsize=7)
    for axes, image in zip(line, images, strict=True):
        plotting.show_image(axes, image[12:-12, 12:-12] + 1, norm=PowerNorm(0.5, 0, 2))
for axes, morphology in zip(panels[0, 1::EACH], CLASSES, strict=True):
    axes.set_title(morphology.label)
loss, divergence = below.subplots(1, 2)
history = run.history
for axes, name, unit in ((loss, "reconstruction", ""), (divergence, "divergence", " (nats)")):
    axes.plot(history["epoch"], history[name], "o-", color=plotting.TRAINING)
    axes.set(xlabel="epoch", ylabel=name + unit, ylim=(0, 1.15 * max(history[name][1:])))
    axes.grid(alpha=0.25, lw=0.5)
figures.save_figure(figure, "vae1_samples", runs=[run])
plt.show()

# %%
# The losses in numbers. The difference is that of square roots of brightness, scaled to run from −1 to 1.

columns = ["epoch", "reconstruction", "divergence", "seconds"]
figures.save_table(history[columns], "vae1_samples", runs=[run]).pprint_all()
