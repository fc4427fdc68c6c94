"""
Study 1: do synthetic images improve the accuracy?
==================================================

The report compares 91 % with 92 % on one split. Here the sources are divided into ten
folds, each of which tests networks that, like their generators, were trained without
it. At laptop scale all ten folds are saved, at full scale four. All three training sets
get the same number of optimiser steps.

Left: the accuracy in each fold; lines join the same sources, diamonds are means. Right:
the change in accuracy due to synthetic images, and in balanced accuracy (open), since
the training sets are balanced and the test sets are not. The 95 % intervals are over
folds and include run-to-run scatter (:doc:`/methods/studies`). The dotted line is the
gain claimed in the report.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting
from radiosynth.reproduction import figures, published, studies

plotting.use_style()
study = studies.best_study("protocol")
reference, *others = study.conditions

# %%
# The accuracy in each fold, and the paired comparison.

figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.9), width_ratios=(3, 4))
folds = np.array([study.accuracy_by_fold(condition) for condition in study.conditions])
left.plot(folds, color="0.75", lw=0.8, marker="o", ms=3)
places, style = range(len(folds)), {"fmt": "D", "color": plotting.TRAINING}
left.errorbar(places, folds.mean(1), folds.std(1), capsize=4, **style)
labels = [plotting.set_label(condition) for condition in study.conditions]
left.set_xticks(places, [label.replace("+ ", "+\n") for label in labels])
left.set(ylabel="accuracy on the test sources", xlim=(-0.4, len(folds) - 0.6))
table = study.summary()
plotting.differences(right, table[1:])
stated = published.published()["accuracy"]
claim = stated["real+gan"]["validation"] - stated["real"]["validation"]
right.axvline(100 * claim, color="0.3", ls=":", lw=1)
right.set_xlabel("change in accuracy / percentage points")
figures.save_figure(figure, "study1_protocol", runs=[study])

# %%
# The numbers, one row per training set.

figures.save_table(table, "study1_protocol", runs=[study]).pprint_all()
plt.show()
