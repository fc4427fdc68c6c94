"""
The best classifier: are its probabilities calibrated?
======================================================

A classifier is calibrated if 80 % of the images to which it assigns a probability of 80
% are classified correctly. Left: the proportion correct against that probability,
before and after scaling by one temperature, fitted to out-of-fold predictions and never
to the test images. Right: accuracy on the most confident images.

Check whether the points are closer to the diagonal after scaling than before, within
their 95 % intervals, and how many images must be left to a human so that nine in ten of
the rest are correct. The calibration holds for images like these: from FIRST, from the
same catalogues, with equal numbers in each class. Fainter sources, other surveys and
other proportions were not tested.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import metrics, plotting
from radiosynth.reproduction import figures, recipes

plotting.use_style()
run = recipes.best_ensemble()
stored = run.predictions
before, after = stored["members"].mean(axis=0), stored["probabilities"]
labels = stored["labels"]

# %%
# Six bins with equal numbers of images.

figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained")
left.plot([0.25, 1], [0.25, 1], color="0.6", lw=1)
losses = {}
styles = {
    "before": (before, "s", plotting.TRAINING, -0.004),
    "after scaling": (after, "o", plotting.VALIDATION, 0.004),
}
for name, (p, style, colour, shift) in styles.items():
    sure, correct = p.max(axis=1), p.argmax(axis=1) == labels
    true = p[np.arange(len(labels)), labels]
    losses[name] = float(-np.log(np.maximum(true, 1e-7)).mean())
    for number, part in enumerate(np.array_split(np.argsort(sure), 6)):
        value, low, high = metrics.proportion(correct[part], confidence=0.95)
        x, error = sure[part].mean() + shift, [[value - low], [high - value]]
        label = f"{name} (log loss {losses[name]:.3f})" if number == 0 else None
        left.errorbar(x, value, error, fmt=style, color=colour, label=label, ms=4)
left.set(xlabel="probability of the class chosen", ylabel="proportion correct")
left.legend(fontsize=7)
order = np.argsort(-after.max(axis=1))
correct = (after.argmax(axis=1) == labels)[order]
kept = np.arange(1, len(order) + 1)
accuracy = np.cumsum(correct) / kept
right.plot(100 * kept[20:] / len(kept), accuracy[20:], color=plotting.VALIDATION)
right.axhline(0.9, ls=":", color="0.4", lw=1)
right.set(xlabel="most confident images kept (%)", ylabel="accuracy on these")
numbers = {"log_loss": losses, "temperature": run.provenance["temperature"]}
figures.save_figure(figure, "best2_calibration", runs=[run], **numbers)
plt.show()
