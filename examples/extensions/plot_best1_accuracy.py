"""
The best classifier: how accurate can a classifier of these images be?
======================================================================

Accuracy of a residual network that views the centre of an image at high and all of it
at low resolution, with and without an equal number of geometric simulations, at equal
optimiser steps, at the largest scale that is saved. It is trained with on-the-fly
augmentation on the five folds of Griese et al. (2023): each fold validates one network,
trained on the others, and 400 images, 100 of each class, are the test set. Right: the
confusion matrix of the ensemble without simulations.

Compare the dots (single networks) and diamonds (their ensemble, with 95 % intervals
over the test images) with the published means over folds (dotted). The test classes
have equal numbers (one blank image apart), so accuracy and balanced accuracy are the
same.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from scipy.stats import binomtest

from radiosynth import metrics, plotting
from radiosynth.reproduction import figures, published, recipes

plotting.use_style()
synthetic = {"real": 0.0, "real + geometric": 1.0}
rows = {name: recipes.best_ensemble(share) for name, share in synthetic.items()}

shape = {"figsize": (7.6, 3.2), "width_ratios": (3, 2), "layout": "constrained"}
figure, (axes, matrix) = plt.subplots(1, 2, **shape)
found, right = [], {}
for y, (condition, run) in enumerate(rows.items()):
    stored = run.predictions
    single = (stored["members"].argmax(axis=2) == stored["labels"]).mean(axis=1)
    right[condition] = stored["probabilities"].argmax(axis=1) == stored["labels"]
    value, low, high = metrics.proportion(right[condition], confidence=0.95)
    axes.plot(single, np.full(len(single), y), "o", color=plotting.TRAINING, alpha=0.5)
    error = [[value - low], [high - value]]
    axes.errorbar(value, y, xerr=error, fmt="D", color=plotting.VALIDATION)
    one, other = right[condition], right["real"]
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    p_value = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    spread = single.mean(), single.std(ddof=min(1, len(single) - 1))
    numbers = (len(single), *spread, value, low, high, gained, lost, p_value)
    found.append((condition, *numbers))
for name, value in published.published()["rustige"].items():
    if not name.startswith("FCN"):  # 0.59 and 0.69, further left
        axes.axvline(value, ls=":", color="0.4", lw=1)
        axes.text(value, len(rows) - 0.45, name, rotation=90, fontsize=6, ha="center")
axes.set_yticks(range(len(rows)), list(rows))
axes.set(xlabel="accuracy on the test images", ylim=(-0.5, len(rows) - 0.5))
last = rows["real"].predictions
classes = metrics.confusion_matrix(last["labels"], last["probabilities"])
plotting.confusion(matrix, classes, "real")
figures.save_figure(figure, "best1_accuracy", runs=rows.values())
plt.show()

# %%
# Gained and lost: test images classified correctly only with, or only without,
# simulations.

columns = ["condition", "n", "mean", "sd", "ensemble", "low", "high"]
columns += ["gained", "lost", "p_value"]
table = Table(rows=found, names=columns)
table.round(4)
figures.save_table(table, "best1_accuracy", runs=rows.values()).pprint_all()
