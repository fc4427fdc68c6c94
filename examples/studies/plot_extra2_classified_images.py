"""
Classified images and their probabilities
=========================================

What the classifier says of single sources: validation images with the four class probabilities beside
each. The true class is printed bold.

The first two rows are sources drawn at random, two of each class; the last row are those on which the
network is surest and wrong. Some of these are errors of the network, some are labels that one can argue
about.
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
# Choose two sources of each class, and the four worst errors.

rng = np.random.default_rng(run.config.settings.seed)
chosen = [
    i for code in range(4) for i in rng.choice(np.flatnonzero(validation.labels == code), 2, replace=False)
]
on_truth = probabilities[np.arange(len(validation)), validation.labels]
chosen += np.argsort(on_truth)[:4].tolist()

figure, axes = plt.subplots(3, 8, figsize=(9.6, 4.2), width_ratios=(1.1, 0.8) * 4)
for i, (picture, bars) in zip(chosen, axes.reshape(-1, 2), strict=True):
    plotting.show_image(
        picture, validation.images[i], str(validation.table["name"][i]), pixel_scale=1.8 * 150 / 56
    )
    picture.title.set_fontsize(7)
    plotting.probability_bars(bars, probabilities[i], truth=int(validation.labels[i]))
    bars.set_box_aspect(1.4)
figures.save_figure(figure, "extra2_classified_images", runs=[run])
plt.show()
