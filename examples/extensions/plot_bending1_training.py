"""
Bending angles 1: a network that measures them
==============================================

Instead of a class, the network predicts the bending angle; the real sources are divided
into five folds, each tested by a network trained on the other four. A small version of
the author's network, with one linear output and trained on rotated and flipped real
images, is compared with one that is pre-trained on simulations and also predicts its
error. Top: mean absolute and mean squared error after each epoch (dashed: held-out
sources), and predicted against true angle. Bottom: the distribution of the errors,
absolute against expected error, and absolute errors beside those of the baseline.

In the plot of predicted against true angle, compare the points with the diagonal and
with the grey line, a constant prediction of the median: half of the sources are bent by
less than 7°, so an error below 10° is easy. The sources to the right matter most.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting
from radiosynth.reproduction import figures, presets, recipes

plotting.use_style()
conditions = presets.bending_conditions()
chosen = {"real": plotting.TRAINING, "with spread": plotting.VALIDATION}
results = {name: recipes.cross_validate(conditions[name]) for name in chosen}
layout = [["mae", "mse", "true"], ["histogram", "spread", "box"]]
figure, panels = plt.subplot_mosaic(layout, figsize=(8.4, 5))

# Errors per epoch on real images, averaged over the folds; dashed: held-out sources.

for name, (runs, _) in results.items():
    for measure in ("mae", "mse"):
        for start, style in (("", "-"), ("val_", "--")):
            curve = np.mean([run.history[start + measure] for run in runs], axis=0)
            line = {"color": chosen[name], "label": name if not start else None}
            panels[measure].plot(runs[0].history["epoch"], curve, style, **line)
panels["mae"].set(xlabel="epoch", ylabel="mean absolute error (°)")
panels["mse"].set(xlabel="epoch", ylabel="mean squared error (°²)")
panels["mae"].legend()

# Predicted against true angle, the distribution of the errors, and their sizes beside
# those of the baseline.

median, truth = (results["real"][1][name] for name in ("baseline", "truth"))
errors = {"baseline": median - truth}
steps = {"bins": np.arange(-60, 61, 5), "histtype": "step", "lw": 1.4}
dots = {"ls": "", "marker": ".", "ms": 4}
for name, (_, table) in results.items():
    true, predicted = table["truth"], table["bending_angle"]
    errors[name] = predicted - true
    panels["true"].plot(true, predicted, color=chosen[name], alpha=0.6, **dots)
    panels["histogram"].hist(errors[name], color=chosen[name], **steps)
panels["true"].plot([0, 130], [0, 130], color="0.6", lw=0.8)
panels["true"].plot([0, 130], [np.median(median)] * 2, color="0.6")
panels["true"].set(xlabel="true bending angle (°)", ylabel="predicted (°)")
panels["histogram"].set(xlabel="predicted − true (°)", ylabel="sources")
sizes = {name: np.abs(error) for name, error in errors.items()}
plotting.boxes(panels["box"], sizes)
panels["box"].set_ylabel("absolute error (°)")
spread = results["with spread"][1]["spread"]
colour = chosen["with spread"]
panels["spread"].loglog(spread, sizes["with spread"], color=colour, **dots)
panels["spread"].plot([1, 60], [1, 60], color="0.6", lw=0.8)
panels["spread"].set(xlabel="expected error (°)", ylabel="absolute error (°)")
panels["spread"].set_ylim(0.05, 200)
runs = [run for each, _ in results.values() for run in each]
figures.save_figure(figure, "bending1_training", runs=runs)
plt.show()
