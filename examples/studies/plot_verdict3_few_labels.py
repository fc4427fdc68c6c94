"""
Comparison 3: do synthetic images help where labels are few?
============================================================

Change in balanced accuracy when synthetic images are added to one in twenty, one in
four or all of the real training sources, at equal exposure to the real ones: ten folds
with one network each, or with three for simulations added to all sources
(:doc:`/methods/studies`). The simulations are the two kinds that did best on the
validation sources.

Left: sources of the report's sample that the networks were not trained on. Right:
sources outside it. Bars are 95 % intervals from resampling folds, networks and sources.
Below the axis: the number of real training sources, and the balanced accuracy that they
reach alone.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import vstack

from radiosynth import plotting
from radiosynth.reproduction import analysis, figures, protocol, verdict

plotting.use_style()
trials = analysis.compared("few-labels")
real, *conditions = dict.fromkeys(trial.condition for trial in trials)
number = {}
for trial in [*trials, *protocol.trials("main")]:
    if trial.condition == real and trial.fold == trial.seed == 0:
        number[trial.fraction] = len(verdict.sources_of(trial)[0])
colours = (plotting.TRAINING, plotting.VALIDATION, plotting.DENSE)

figure, panels = plt.subplots(1, 2, figsize=(7.4, 3.6), sharey=True)
found = []
for axes, (test, title) in zip(panels, analysis.TESTS.items(), strict=True):
    table = vstack([analysis.comparison(test, part) for part in ("few-labels", "main")])
    table.add_column(test, 0, name="test")
    for i, condition in enumerate([real, *conditions]):
        own = table[table["condition"] == condition]
        own.sort("fraction")
        found.append(own)
        if condition == real:
            alone = 100 * own["balanced_accuracy"]
            continue
        value, low, high = (100 * own[name] for name in ("value", "low", "high"))
        look = {"fmt": " osD"[i], "color": colours[i - 1], "capsize": 3}
        look["label"] = analysis.ADDED[condition]
        place = np.arange(len(own)) + 0.15 * (i - 2)
        axes.errorbar(place, value, yerr=(value - low, high - value), **look)
    pairs = zip(number.values(), alone, strict=True)
    axes.set_xticks(range(len(alone)), [f"{n}\n{score:.1f} %" for n, score in pairs])
    axes.axhline(0, color="0.6", lw=0.8, zorder=0)
    axes.set(
        title=title,
        xlabel="real training sources, balanced accuracy alone",
    )
panels[0].set_ylabel("change in balanced accuracy / points")
labels = panels[0].get_legend_handles_labels()
figure.legend(*labels, loc="outside upper center", ncols=2)
used = trials + analysis.compared("main")
kept = {"networks": [trial.name for trial in used], "loaded": True}
kept["scale"] = "that of the comparison"
figures.save_figure(figure, "verdict3_few_labels", **kept)

# %%
# The numbers. The p values are adjusted for all conditions and proportions that are
# compared with few labels on the same test; those with all labels are adjusted as in
# :figure:`verdict2_comparison`.

names = ["test", "condition", "fraction", "balanced_accuracy", "value", "low"]
names += ["high", "p", "adjusted_p", "detectable", "found"]
table = vstack(found)[names]
figures.save_table(table, "verdict3_few_labels").pprint_all()
plt.show()
