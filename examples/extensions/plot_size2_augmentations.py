"""
How many augmented images of each source are enough?
====================================================

The report rotates and flips its thousand real images until each class has 6000, and asks whether fewer or
more would be better. Here the number of images per class varies at **equal optimiser steps**: few images
are shown often, many rarely. With synthetic data, an equal number of geometric simulations is added.

At the left end there is hardly any augmentation, and the network sees the same images again and again.
Look where the curves flatten. In the short training of laptop scale a few augmented images do as well as
many, and with simulations of the report's population networks are far from converged; in the main study,
with two and a half times the steps and twice the channels, a loss is not established
(:figure:`study1_protocol`). Intervals are 95 %, over sources; open symbols are balanced accuracies.
Laptop scale loads two of four folds, one training each.
"""

import matplotlib.pyplot as plt

from radiosynth import plotting
from radiosynth.reproduction import figures, studies

plotting.use_style()
study = studies.best_study("augmentations")
table = study.summary()
table.add_column([condition.split(", ")[0] for condition in table["condition"]], 1, "training set")
table.add_column([int(condition.split(", ")[1]) for condition in table["condition"]], 2, "images per class")

# %%
# Left: accuracy. Right: change due to simulations for each number of images.

figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.0), width_ratios=(5, 4))
styles = {"real": (plotting.TRAINING, "o-"), "real+geometric": (plotting.VALIDATION, "s--")}
for name, (colour, style) in styles.items():
    part = table[table["training set"] == name]
    place = part["images per class"] * (1.05 if name != "real" else 1)  # beside each other
    label = plotting.set_label(name)
    plotting.accuracies(left, place, part, style, color=colour, label=label)
left.set_xscale("log")
ticks = sorted(set(table["images per class"]))
left.set_xticks(ticks, [str(tick) for tick in ticks])
left.minorticks_off()
left.set(xlabel="real images per class, augmented ones included", ylabel="accuracy on the test sources")
left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
paired = table[table["training set"] == "real+geometric"]
plotting.differences(right, paired)
right.margins(x=0.2)
right.set_yticks(range(len(paired)), [str(copies) for copies in paired["images per class"]])
right.set(xlabel="change due to simulations / percentage points", ylabel="images per class")
figures.save_figure(figure, "size2_augmentations", runs=[study])

# %%
# The numbers. Sets with simulations are compared with real images alone, augmented equally.
figures.save_table(table, "size2_augmentations", runs=[study]).pprint_all()
plt.show()
