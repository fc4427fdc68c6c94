"""
Losses of generator and discriminator
=====================================

The loss of each network per epoch (top), and the proportion of real and of generated
images that the discriminator classifies correctly (bottom). The dotted lines mark a
discriminator at chance level, which assigns every image a probability of one half: its
two cross-entropies sum to 2 ln 2, the generator's is ln 2, and half of its
classifications are correct.

These losses are not expected to decrease steadily. Each depends on how good the other
network is, and images may improve while both curves stay level. If the discriminator's
loss tends to zero, the generator hardly learns. At smoke and laptop scale one
class-conditional network replaces the report's four, so there is one column.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from radiosynth import CLASSES, plotting
from radiosynth.reproduction import figures, presets, recipes, scales

plotting.use_style()
names = scales.SCALES[scales.current_scale()]["generators"]
runs = {name: recipes.run(presets.gan_config(name)) for name in names}

# %%
# The history of a run has one row for each epoch.

CURVES = {
    "discriminator_loss": ("discriminator", plotting.TRAINING, "-"),
    "generator_loss": ("generator", plotting.VALIDATION, "--"),
    "accuracy_on_real": ("real images", plotting.TRAINING, "-"),
    "accuracy_on_fake": ("generated images", plotting.VALIDATION, "--"),
}
labels = {morphology.name: morphology.label for morphology in CLASSES}
shape = {"figsize": (2.4 * max(2, len(runs)), 4.4), "squeeze": False}
figure, axes = plt.subplots(2, len(runs), sharex="col", sharey="row", **shape)
for (loss, accuracy), (name, run) in zip(axes.T, runs.items(), strict=True):
    history = run.history
    for column, (label, colour, style) in CURVES.items():
        panel = loss if column.endswith("loss") else accuracy
        line = {"color": colour, "ls": style, "label": label}
        panel.plot(history["epoch"], history[column], **line)
    line = {"color": "0.4", "ls": ":", "lw": 1}
    loss.axhline(2 * np.log(2), **line)
    for panel, chance in ((loss, np.log(2)), (accuracy, 0.5)):
        panel.axhline(chance, label="chance", **line)
        panel.grid(alpha=0.25, lw=0.5)
    loss.set(title=labels.get(name, "all classes in one network"), ylim=(0, None))
    accuracy.set(ylim=(0, 1.02), xlabel="epoch")
    accuracy.xaxis.set_major_locator(MaxNLocator(integer=True))
axes[0, 0].set_ylabel("loss")
axes[1, 0].set_ylabel("proportion classified correctly")
axes[0, 0].legend()
axes[1, 0].legend(loc="lower right")
figures.save_figure(figure, "gan1_losses", runs=runs.values())
plt.show()
