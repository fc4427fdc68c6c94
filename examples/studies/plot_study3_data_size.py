"""
Study 3: dependence on the number of real images
================================================

Synthetic images might be most useful where real ones are scarce. Here only part of the
real training sources is used, down to one in twenty, always augmented to the same
number of images, with and without as many geometric simulations, for the same number of
optimiser steps. With simulations, each real image is then seen half as often, and at
laptop scale neither network has converged, so a loss here need not occur at equal
exposure to real images (:doc:`/methods/studies`).

Intervals of the points are 95 %, over sources; open symbols are balanced accuracies.
The changes in the table below have intervals over folds.
"""

import matplotlib.pyplot as plt

from radiosynth import plotting
from radiosynth.reproduction import figures, samples, studies

plotting.use_style()
study = studies.best_study("data-size")
table = study.summary()
conditions, _ = studies.layout("data-size", study.config.scale)
sources = {condition: configs[0].sources for condition, configs in conditions.items()}
train = {}
for condition, each in sources.items():
    if "+" not in condition:
        train[each.fraction] = len(samples.split_sample(each)[0])
numbers = [train[sources[condition].fraction] for condition in table["condition"]]
table.add_column(numbers, 1, "sources in training")

# %%
# Accuracy against the number of real training sources.

figure, axes = plt.subplots(figsize=(4.6, 3.2))
styles = {
    "real": (plotting.TRAINING, "o-"),
    "real+geometric": (plotting.VALIDATION, "s--"),
}
for name, (colour, style) in styles.items():
    part = table[[each.startswith(f"{name},") for each in table["condition"]]]
    beside = 1.05 if name != "real" else 1
    place, label = part["sources in training"] * beside, plotting.set_label(name)
    plotting.accuracies(axes, place, part, style, color=colour, label=label)
axes.set_xscale("log")
ticks = sorted(set(table["sources in training"]))
axes.set_xticks(ticks, [str(tick) for tick in ticks])
axes.minorticks_off()
axes.set(xlabel="real training sources", ylabel="accuracy on the test sources")
axes.legend(loc="lower right")
figures.save_figure(figure, "study3_data_size", runs=[study])

# %%
# The numbers; sets with simulations are compared with real images alone for the same
# number of sources.

figures.save_table(table, "study3_data_size", runs=[study]).pprint_all()
plt.show()
