"""
Is the tuned network better on sources not used in the search?
==============================================================

The score of the best of many trials is biased upwards by the selection. Here each choice is tested on a
fold that was not used for it: the report's network, the family that was best before tuning, and the tuned
network, all trained on the same images for equally many epochs, with a learning rate that falls to zero.
Each training is shorter than that of the report's classifier, whose 0.91 needs larger images and more of
them.

Left: accuracy with 95 % intervals; crosses are the accuracies on validation images. Right: the change
relative to the report's network on the same sources, with its paired 95 % interval. Look where that
excludes zero. Open symbols are balanced accuracies.

The saved laptop search has eight trials for each of two families. The gain from residual blocks varies
greatly among the three folds, and that of the tuned network less ("finding" in the table); after twelve
epochs the report's network, at a quarter of its width, is far from converged. To search longer:
``radiosynth tune --trials N``, with ``RADIOSYNTH_RUNS`` naming another folder.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting
from radiosynth.reproduction import figures, scales, search, studies

plotting.use_style()
scale = studies.saved_scale("tuning") or scales.current_scale()
result = search.evaluate(scale)  # loaded, or computed now if not saved
table = result.summary()

# %%
# Accuracies and differences.

figure, axes = plt.subplots(1, 2, figsize=(6.6, 2.2), sharey=True)
shown = (("accuracy", "accuracy_", "balanced_accuracy"), ("difference", "", "balanced"))
for panel, (value, ends, balanced) in zip(axes, shown, strict=True):
    error = np.abs(np.array([table[f"{ends}low"], table[f"{ends}high"]]) - table[value])
    panel.errorbar(table[value], table["condition"], xerr=error, fmt="o", color=plotting.TRAINING, capsize=3)
    panel.plot(table[balanced], table["condition"], "o", color=plotting.TRAINING, mfc="white", ms=4)
last = result.histories[result.histories["epoch"] == result.histories["epoch"].max()]
promised = [last["val_accuracy"][last["condition"] == condition].mean() for condition in table["condition"]]
axes[0].plot(promised, table["condition"], "x", color=plotting.VALIDATION)
axes[0].set_xlabel("accuracy")
axes[0].set_ylim(2.5, -0.5)
axes[1].axvline(0, color="0.6", linewidth=0.8)
axes[1].set_xlabel("change relative to the report's network")
figures.save_figure(figure, "tuning3_nested", runs=[result])

# %%
# The numbers; the gain of tuning over the choice of a family; the settings chosen in each fold; and the
# selection bias of the best of as many equally good trials, in standard errors.

figures.save_table(table, "tuning3_nested", runs=[result]).pprint_all()
added = result.compare("best family", "tuned")
print(f"tuned against best family: {added.difference:+.3f} ({added.low:+.3f} to {added.high:+.3f})")
for fold in range(search.plan(scale)["tested"]):
    best = search.chosen(scale, fold)
    settings = ", ".join(f"{name} {setting:.3g}" for name, setting in best.best_params.items())
    trials = len(search.finished(best))
    print(f"{best.user_attrs['family']}: {settings}; best of {trials}: {search.optimism(trials):.2f} σ")
plt.show()
