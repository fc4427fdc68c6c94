"""
Figure 9: a generator learns to draw FR II galaxies
===================================================

Images generated from the same eight noise vectors before training, after one fifth and
after three fifths of it. Below, the whole training as an animation, for sixteen noise
vectors.

**Report and reproduction.** The report shows epochs 0, 100 and 300 of 500. Except at
smoke scale, the order in which features appear agrees: first a dark background with a
bright centre, then two lobes, finally the variation in their positions.

Compare one position from panel to panel. Blobs without two separate lobes remain: 4.5′
in 56 pixels leave many FR II sources only a few pixels wide. The images have a
square-root stretch. At smoke and laptop scale one class-conditional network replaces
the report's four, and its FR II images are shown; at smoke scale it has hardly been
trained.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

from radiosynth import generators, plotting
from radiosynth.reproduction import figures, presets, recipes, scales
from radiosynth.taxonomy import class_code

CLASS = "FRII"
plotting.use_style()
conditional = "all" in scales.SCALES[scales.current_scale()]["generators"]
run = recipes.run(presets.gan_config("all" if conditional else CLASS))

# %%
# A frame holds 16 images, or 16 of each class if the network is class-conditional.
# Frames are not saved after every epoch, so each panel shows the first one at or after
# the given fraction of the training.

frames, epochs = run.frames
if conditional:
    frames = frames[:, 16 * class_code(CLASS) :][:, :16]
last = epochs[-1]
chosen = np.searchsorted(epochs, [0, last / 5, 3 * last / 5])

figure = plt.figure(figsize=(9.6, 1.95))
for panel, i in zip(figure.subfigures(1, 3), chosen, strict=True):
    panel.suptitle(f"epoch {epochs[i]} of {last}", fontsize=10)
    for axes, image in zip(panel.subplots(2, 4).flat, frames[i], strict=False):
        plotting.show_image(axes, image, norm=PowerNorm(0.5, 0, 255))
notes = {"morphology": CLASS, "epochs": epochs[chosen].tolist()}
path = figures.save_figure(figure, "fig09_gan_training", runs=[run], **notes)
plt.show()

# %%
# The frames are closer together at the beginning, where changes are largest: they are
# thinned as the square root of the epoch.

generators.write_animation(frames, epochs, path.with_suffix(".gif"))

# sphinx_gallery_thumbnail_number = 1
