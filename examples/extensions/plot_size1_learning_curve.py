"""
How much would more real sources help?
======================================

Accuracy against the number of real training sources, with and without geometric simulations, always
augmented to the same number of images and trained for the same number of optimiser steps. An inverse
power law is fitted to each and extrapolated to all 2158 labelled images of Griese et al. (dotted) and to
10,000. Open symbols are balanced accuracies.

Note the width of the bands (95 %): they come from resampling the test sources and refitting. They exclude
run-to-run scatter, and assume that further sources would resemble these. Laptop scale loads saved runs of
all ten folds (``radiosynth study data-size``, an hour or two on one core).
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from scipy.optimize import curve_fit

from radiosynth import plotting
from radiosynth.reproduction import figures, layouts, samples, studies

plotting.use_style()
study = studies.best_study("data-size")
table = study.summary()
conditions = layouts.study_conditions("data-size", study.config.scale)
firsts = [configs[0] for condition, configs in conditions.items() if condition.startswith("real,")]
train = {f"{config.sources.fraction:.0%}": len(samples.split_sample(config.sources)[0]) for config in firsts}
table.add_column(
    [train[condition.split(", ")[1]] for condition in table["condition"]], 1, "sources in training"
)


def law(n, a, b, c):
    """Return the accuracy: a plateau less what is lacking, which is b at a hundred sources."""
    return a - b * (n / 100) ** -c


figure, axes = plt.subplots(figsize=(5.4, 3.4))
goals = np.sort([*np.geomspace(min(train.values()), 10_000, 60), 2158])
rng, rows = np.random.default_rng(0), []
for name, colour, style in (("real", plotting.TRAINING, "o"), ("real+geometric", plotting.VALIDATION, "s")):
    part = table[[condition.startswith(f"{name},") for condition in table["condition"]]]
    n, value = part["sources in training"], part["accuracy"]
    right = np.array(
        [study.tested(condition)["correct"] for condition in part["condition"]]
    )  # the same sources in each condition
    drawn = [right[:, rng.integers(right.shape[1], size=right.shape[1])].mean(axis=1) for _ in range(100)]
    options = {"p0": (0.85, 0.1, 1), "bounds": ([0.25, 0, 0.1], [1, 1, 3]), "max_nfev": 5000}
    best, *fits = (curve_fit(law, n, y, **options)[0] for y in (value, *drawn))
    plotting.accuracies(axes, n, part, style, color=colour, label=plotting.set_label(name))
    axes.plot(goals, law(goals, *best), color=colour)
    band = np.quantile([law(goals, *fit) for fit in fits], [0.025, 0.975], axis=0)
    axes.fill_between(goals, *band, color=colour, alpha=0.15, lw=0)
    chosen = np.searchsorted(goals, (2158, 10_000))
    rows += [(name, *best, round(goals[i]), law(goals[i], *best), *band[:, i]) for i in chosen]
axes.axvline(2158, color="0.6", lw=0.8, ls=":")
axes.set(xscale="log", xlabel="real training sources", ylabel="accuracy on the test sources")
axes.legend(loc="lower right")
figures.save_figure(figure, "size1_learning_curve", runs=[study])
names = ("training set", "a", "b at 100", "c", "sources", "accuracy", "low", "high")
figures.save_table(Table(rows=rows, names=names), "size1_learning_curve", runs=[study]).pprint_all()
plt.show()
