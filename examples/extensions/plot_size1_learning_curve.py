"""
How much would more real sources help?
======================================

Balanced accuracy on held-out sources against the number of real training sources, alone
and with geometric simulations: one in twenty, one in four and all of the training
sources of ten folds, at equal exposure to real images (:doc:`/methods/studies`). The
error is fitted by a power law, extrapolated to all 2158 labelled images of Griese et
al. (dotted) and to 10,000.

Bands and bars are 95 % intervals from resampling the test sources and, for the bands,
refitting. They leave out the scatter between trainings, and assume that further sources
resemble these, which those of other catalogues do not, and that the error has no floor.
The three points for real images already flatten more than the law, so the extrapolation
is probably too optimistic; the gap between the curves is not significant at any point.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import plotting
from radiosynth.metrics import mean_over_classes
from radiosynth.reproduction import analysis, figures, protocol, verdict

plotting.use_style()
analysis.check_complete("few-labels")
analysis.check_complete("main")
everything = [*protocol.trials("few-labels"), *protocol.trials("main")]
goals = np.sort([*np.geomspace(40, 10_000, 60), 2158])
rng, rows = np.random.default_rng(0), []
styles = {
    "real": ("real", plotting.TRAINING, "o"),
    "geometric": ("real+geometric", plotting.VALIDATION, "s"),
}

figure, axes = plt.subplots(figsize=(5.4, 3.4))
for condition, (name, colour, symbol) in styles.items():
    # The sources of all folds, and what part of the networks gets each of them right.
    numbers, hits = [], []
    for fraction in (0.05, 0.25, 1.0):
        trials = [
            trial
            for trial in everything
            if (trial.condition, trial.fraction) == (condition, fraction)
        ]
        networks = analysis.read(trials, "test")
        numbers.append(len(verdict.sources_of(trials[0])[0]))
        hits.append(np.concatenate(networks.hits()))
    labels = np.concatenate(networks.labels)
    of_class = [np.flatnonzero(labels == code) for code in np.unique(labels)]
    drawn = [np.arange(len(labels))]
    drawn += [
        np.concatenate([rng.choice(c, len(c)) for c in of_class]) for _ in range(500)
    ]
    scores = [[mean_over_classes(labels[i], each[i]) for each in hits] for i in drawn]
    # A straight line in the logarithms of number and error.
    fits = np.polyfit(np.log(numbers), np.log1p(-np.array(scores).T), 1)
    curves = 1 - np.exp(np.outer(np.log(goals), fits[0]) + fits[1])
    band = np.quantile(curves[:, 1:], [0.025, 0.975], axis=1)
    low, high = np.quantile(scores[1:], [0.025, 0.975], axis=0)
    error = scores[0] - low, high - scores[0]
    look = {"color": colour, "label": plotting.set_label(name), "capsize": 3}
    axes.errorbar(numbers, scores[0], yerr=error, fmt=symbol, **look)
    axes.plot(goals, curves[:, 0], color=colour)
    axes.fill_between(goals, *band, color=colour, alpha=0.15, lw=0)
    for i in np.searchsorted(goals, (2158, 10_000)):
        b = np.exp(fits[1, 0] + fits[0, 0] * np.log(100))
        row = (name, b, -fits[0, 0], round(goals[i]), curves[i, 0], *band[:, i])
        rows.append(row)
axes.axvline(2158, color="0.6", lw=0.8, ls=":")
axes.set(xlabel="real training sources", ylabel="balanced accuracy", xscale="log")
axes.legend(loc="lower right")
kept = {"networks": [trial.name for trial in everything], "loaded": True}
kept["scale"] = "that of the comparison"
figures.save_figure(figure, "size1_learning_curve", **kept)
columns = ["training set", "b at 100", "c", "sources", "balanced accuracy"]
columns += ["low", "high"]
table = Table(rows=rows, names=columns)
table.round(4)
figures.save_table(table, "size1_learning_curve", **kept).pprint_all()
plt.show()
