"""
How much would more real sources help?
======================================

Accuracy against the number of real training sources, with and without geometric
simulations, always augmented to the same number of images and trained for the same
number of optimiser steps. With simulations each real image is then seen half as often,
so the two curves are not at equal exposure (:doc:`/methods/studies`). An inverse power
law is fitted to each and extrapolated to all 2158 labelled images of Griese et al.
(dotted) and to 10,000. Open symbols are balanced accuracies.

Note the width of the bands (95 %): they come from resampling the test sources and
refitting. They exclude run-to-run scatter, and assume that further sources would
resemble these. The runs, ten folds at laptop scale, are saved (``radiosynth study
data-size`` takes about two hours on one core).
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from scipy.optimize import curve_fit

from radiosynth import plotting
from radiosynth.reproduction import figures, samples, studies

plotting.use_style()
study = studies.best_study("data-size")
table = study.summary()
conditions, _ = studies.layout("data-size", study.config.scale)
train = {}
for condition, (config, *_) in conditions.items():
    if condition.startswith("real,"):
        sources, *_ = samples.split_sample(config.sources)
        train[f"{config.sources.fraction:.0%}"] = len(sources)
numbers = [train[condition.split(", ")[1]] for condition in table["condition"]]
table.add_column(numbers, 1, "sources in training")


def law(n, a, b, c):
    """Return the accuracy: a plateau less a power law, b at a hundred sources."""
    return a - b * (n / 100) ** -c


figure, axes = plt.subplots(figsize=(5.4, 3.4))
goals = np.sort([*np.geomspace(min(train.values()), 10_000, 60), 2158])
rng, rows = np.random.default_rng(0), []
fit = {"p0": (0.85, 0.1, 1), "bounds": ([0.25, 0, 0.1], [1, 1, 3]), "max_nfev": 5000}
styles = {
    "real": (plotting.TRAINING, "o"),
    "real+geometric": (plotting.VALIDATION, "s"),
}
for name, (colour, style) in styles.items():
    part = table[[condition.startswith(f"{name},") for condition in table["condition"]]]
    n, value = part["sources in training"], part["accuracy"]
    # Each condition tests the same sources, which are resampled for the interval.
    right = np.array([study.tested(each)["correct"] for each in part["condition"]])
    tested = right.shape[1]
    drawn = [
        right[:, rng.integers(tested, size=tested)].mean(axis=1) for _ in range(100)
    ]
    best, *fits = (curve_fit(law, n, y, **fit)[0] for y in (value, *drawn))
    label = plotting.set_label(name)
    plotting.accuracies(axes, n, part, style, color=colour, label=label)
    axes.plot(goals, law(goals, *best), color=colour)
    band = np.quantile([law(goals, *each) for each in fits], [0.025, 0.975], axis=0)
    axes.fill_between(goals, *band, color=colour, alpha=0.15, lw=0)
    for i in np.searchsorted(goals, (2158, 10_000)):
        n, expected = round(goals[i]), law(goals[i], *best)
        rows.append((name, *best, n, expected, *band[:, i]))
axes.axvline(2158, color="0.6", lw=0.8, ls=":")
axes.set(xlabel="real training sources", ylabel="accuracy on the test sources")
axes.set_xscale("log")
axes.legend(loc="lower right")
figures.save_figure(figure, "size1_learning_curve", runs=[study])
names = ("training set", "a", "b at 100", "c", "sources", "accuracy", "low", "high")
table = Table(rows=rows, names=names)
table.round(4)
figures.save_table(table, "size1_learning_curve", runs=[study]).pprint_all()
plt.show()
