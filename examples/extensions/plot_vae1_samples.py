"""
VAE 1: a generator on another principle
=======================================

A variational autoencoder encodes an image as 16 numbers and reconstructs it from them.
Its decoder then turns random numbers into new images; one network represents all four
classes. Top: *held-out* sources; middle: their reconstructions; bottom: images from
random numbers. Shown are the central 2.6 arcmin, with a square-root stretch.

Note what is lost between the first two rows: companions and sharp edges, since the
network predicts the mean of all images compatible with the numbers. The curves are the
two parts of the loss: the reconstruction error, and the information in the numbers, in
nats; zero would mean that they are ignored. At smoke scale the network has hardly been
trained.
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
firsts = [np.flatnonzero(held_out.labels == code)[:EACH] for code in range(4)]
chosen, rng = np.concatenate(firsts), np.random.default_rng(0)
real, labels = held_out.images[chosen], held_out.labels[chosen]
rows = {"real": real}
rows["reconstructed"] = generators.reconstruct(run.folder, real, labels)
rows["sampled"] = generators.generate(run.model(), len(labels), labels=labels, rng=rng)

# %%
# The first three validation sources of each class, and the first draws of one seed, not
# selected.

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
for axes, name in ((loss, "reconstruction"), (divergence, "divergence")):
    axes.plot(history["epoch"], history[name], "o-", color=plotting.TRAINING)
    axes.set(xlabel="epoch", ylabel=name, ylim=(0, 1.15 * max(history[name][1:])))
    axes.grid(alpha=0.25, lw=0.5)
divergence.set_ylabel("divergence (nats)")
figures.save_figure(figure, "vae1_samples", runs=[run])
plt.show()

# %%
# The losses. The reconstruction error refers to the square root of the brightness,
# scaled to −1 to 1.

columns = ["epoch", "reconstruction", "divergence", "seconds"]
table = history[columns]
table.round(4)
figures.save_table(table, "vae1_samples", runs=[run]).pprint_all()
