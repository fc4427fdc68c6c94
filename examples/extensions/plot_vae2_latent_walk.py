"""
VAE 2: a path through latent space
==================================

Images from the decoder of the variational autoencoder along a circle in the space of
its 16 latent values: each column shows the same latent values, decoded as four classes.

Look for sources that rotate, stretch and bend gradually, without jumps: nearby values
give similar images. Where a source fades or fragments, the circle crosses values that
no training image had. The animation shows two circles, one per row, with FR I, FR II,
bent-tailed and compact from left to right.
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
# Two random points span a circle about the origin with the radius of a typical random
# vector.

angles = np.linspace(0, 2 * np.pi, STEPS, endpoint=False)[:, None]
rng, latent_dim = np.random.default_rng(1), run.config.settings.latent_dim
places = rng.standard_normal((2, 2, latent_dim))
walks = [np.cos(angles) * start + np.sin(angles) * side for start, side in places]
drawn = []
for walk in walks:
    for code in range(4):
        given = [walk.astype("float32"), np.full(STEPS, code, "int32")]
        drawn.append(decoder(given, training=False)[..., 0])
images = np.stack(drawn, axis=1)

figure, axes = plt.subplots(4, SHOWN, figsize=(7.6, 3.9))
rows = images[:: STEPS // SHOWN].swapaxes(0, 1)
for line, morphology, drawn in zip(axes, CLASSES, rows, strict=False):
    line[0].set_ylabel(morphology.label)
    for panel, image in zip(line, drawn, strict=True):
        plotting.show_image(panel, image[12:-12, 12:-12] + 1, norm=PowerNorm(0.5, 0, 2))
for panel, angle in zip(axes[0], np.degrees(angles[:: STEPS // SHOWN, 0]), strict=True):
    panel.set_title(f"{angle:.0f}°")
path = figures.save_figure(figure, "vae2_latent_walk", runs=[run])
plt.show()

# %%
# The complete circle, for two walks.

frames = np.round((images + 1) * 127.5).astype(np.uint8)
degrees = np.degrees(angles[:, 0]).round().astype(int)
options = {"columns": 4, "caption": "{}° of a circle", "milliseconds": 120}
generators.write_animation(frames, degrees, path.with_suffix(".gif"), **options)
