"""
Figure 9: a generator learns to draw FR II galaxies
===================================================

What the adversarial network draws while it learns: images of the same eight noise vectors before training,
after a fifth of it, and after three fifths, as in the report (epochs 0, 100 and 300 of its 500). Below is
the whole training as an animation, two rows of eight noise vectors.

Look at one place from panel to panel. The untrained generator draws a flat image. First it learns that the
sky is dark and the middle bright, then that there are two lobes, and last where each noise vector puts them.
Brightness is drawn by its square root, to show faint parts.
At smoke and laptop scale one class-conditional network stands for the report's four; shown is its class
FR II. At smoke scale it has seen too little to draw a galaxy.
"""

import shutil

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

from radiosynth import generators, plotting
from radiosynth.reproduction import figures, presets, recipes, scales
from radiosynth.taxonomy import class_code

CLASS = "FRII"
plotting.use_style()
conditional = "all" in scales.GENERATORS[scales.current_scale()]
run = recipes.run(presets.gan_config("all" if conditional else CLASS))

# %%
# A frame holds 16 images, or 16 of each class if the network knows classes. Frames are not kept after every
# epoch, so each panel shows the first one at or after its part of the training.

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
shown = epochs[chosen].tolist()
path = figures.save_figure(figure, "fig09_gan_training", runs=[run], morphology=CLASS, epochs=shown)
plt.show()

# %%
# The frames are closer together in the beginning, where much changes: they are thinned as the square root of
# the epoch. Where ffmpeg is installed, there is a film too.

generators.write_animation(frames, epochs, path.with_suffix(".gif"))
if shutil.which("ffmpeg"):
    generators.write_animation(frames, epochs, path.with_suffix(".mp4"))

# sphinx_gallery_thumbnail_number = -1
