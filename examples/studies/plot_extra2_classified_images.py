"""
Classified images and their probabilities
=========================================

Validation images with their four class probabilities; the true class is in bold.

The first two rows show sources drawn at random, two of each class; the last row, the
four sources with the lowest probability of the true class. Some of these are errors of
the network, others debatable labels.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting, predict
from radiosynth.reproduction import figures, presets, recipes, samples

plotting.use_style()
run = recipes.run(presets.classifier_config("real"))
_, validation, _ = samples.split_sample(run.config.sources)
probabilities = predict(run.model(), validation.images)

# %%
# Two random sources of each class, and the four worst errors.

rng = np.random.default_rng(run.config.settings.seed)
chosen = []
for code in range(4):
    members = np.flatnonzero(validation.labels == code)
    chosen += rng.choice(members, 2, replace=False).tolist()
on_truth = probabilities[np.arange(len(validation)), validation.labels]
chosen += np.argsort(on_truth)[:4].tolist()

figure, axes = plt.subplots(3, 8, figsize=(9.6, 4.2), width_ratios=(1.1, 0.8) * 4)
for i, (picture, bars) in zip(chosen, axes.reshape(-1, 2), strict=True):
    image, name = validation.images[i], str(validation.table["name"][i])
    plotting.show_image(picture, image, name, pixel_scale=1.8 * 150 / 56)
    picture.title.set_fontsize(7)
    plotting.probability_bars(bars, probabilities[i], truth=int(validation.labels[i]))
    bars.set_box_aspect(1.4)
figures.save_figure(figure, "extra2_classified_images", runs=[run])
plt.show()
