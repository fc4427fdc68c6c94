"""
Study 3: dependence on the number of real images
================================================

Synthetic images might be most useful where real ones are scarce. Here only part of the real training
sources is used, down to one in twenty, always augmented to the same number of images, with and without as
many geometric simulations, at an equal number of optimiser steps: with simulations, each real image is
seen half as often, and at laptop scale neither network has converged. So a loss here is not one that
simulations cause at equal exposure to real images (:doc:`/methods/studies`).

Intervals of the points are 95 %, over sources; open symbols are balanced accuracies. The changes in the
table below have intervals over folds.
"""

import matplotlib.pyplot as plt

from radiosynth import plotting
from radiosynth.reproduction import figures, layouts, samples, studies

plotting.use_style()
study = studies.best_study("data-size")
table = study.summary()
conditions = layouts.study_conditions("data-size", study.config.scale)
first = {condition: configs[0] for condition, configs in conditions.items()}
train = {
    c.sources.fraction: len(samples.split_sample(c.sources)[0])
    for condition, c in first.items()
    if "+" not in condition
}
table.add_column(
    [train[first[condition].sources.fraction] for condition in table["condition"]], 1, "sources in training"
)

# %%
# Accuracy against the number of real training sources.

figure, axes = plt.subplots(figsize=(4.6, 3.2))
styles = {"real": (plotting.TRAINING, "o-"), "real+geometric": (plotting.VALIDATION, "s--")}
for name, (colour, style) in styles.items():
    part = table[[str(condition).startswith(f"{name},") for condition in table["condition"]]]
    place = part["sources in training"] * (1.05 if name != "real" else 1)  # beside each other
    plotting.accuracies(axes, place, part, style, color=colour, label=plotting.set_label(name))
axes.set_xscale("log")
ticks = sorted(set(table["sources in training"]))
axes.set_xticks(ticks, [str(tick) for tick in ticks])
axes.minorticks_off()
axes.set(xlabel="real training sources", ylabel="accuracy on the test sources")
axes.legend(loc="lower right")
figures.save_figure(figure, "study3_data_size", runs=[study])

# %%
# The numbers; sets with simulations are compared with real images alone for the same number of sources.

figures.save_table(table, "study3_data_size", runs=[study]).pprint_all()
plt.show()
