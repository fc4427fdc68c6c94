"""
VAE 2: a walk in latent space
=============================

The decoder of the variational autoencoder is led along a circle through its 16 latent values, and draws what
it finds there. All classes walk along the same circle: a column of the figure shows the same latent values,
read as four classes.

Look for sources that turn, stretch and bend little by little, without jumps: near values mean near images.
Where a source fades or breaks into pieces, the circle crosses values that no training image had. The
animation shows two walks, one a row, with FR I, FR II, bent-tailed and compact from left to right.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

from radiosynth import CLASSES, generators, plotting
from radiosynth.reproduction import figures, presets, recipes

STEPS, SHOWN = 48, 8
plotting.use_style()
run = recipes.run(presets.vae_config())
decoder = run.model()

# %%
# Two random places span a circle about the middle that is as far from it as random values are.

angles = np.linspace(0, 2 * np.pi, STEPS, endpoint=False)[:, None]
places = np.random.default_rng(1).standard_normal((2, 2, run.config.settings.latent))
walks = [np.cos(angles) * start + np.sin(angles) * side for start, side in places]
images = np.stack(
    [
        decoder([walk.astype("float32"), np.full(STEPS, code, "int32")], training=False)[..., 0]
        for walk in walks
        for code in range(4)
    ],
    axis=1,
)

figure, axes = plt.subplots(4, SHOWN, figsize=(7.6, 3.9))
for line, morphology, drawn in zip(axes, CLASSES, images[:: STEPS // SHOWN].swapaxes(0, 1), strict=False):
    line[0].set_ylabel(morphology.label)
    for panel, image in zip(line, drawn, strict=True):
        plotting.show_image(panel, image[12:-12, 12:-12] + 1, norm=PowerNorm(0.5, 0, 2))
for panel, angle in zip(axes[0], np.degrees(angles[:: STEPS // SHOWN, 0]), strict=True):
    panel.set_title(f"{angle:.0f}°")
path = figures.save_figure(figure, "vae2_latent_walk", runs=[run])
plt.show()

# %%
# The whole way round, two walks.

frames = np.round((images + 1) * 127.5).astype(np.uint8)
degrees = np.degrees(angles[:, 0]).round().astype(int)
generators.write_gif(
    frames, degrees, path.with_suffix(".gif"), columns=4, caption="{}° of a circle", milliseconds=120
)

# sphinx_gallery_thumbnail_number = -1
