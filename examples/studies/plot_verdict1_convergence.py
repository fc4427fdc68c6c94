"""
Comparison 1: have the networks converged?
==========================================

Balanced accuracy on the validation sources during training, for the networks of the
comparison of training sets (:doc:`/methods/studies`): ten folds with three networks
each, equal exposure to real images, a learning rate that falls to zero.
:figure:`verdict2_comparison` shows the result.

Thin lines are single networks, thick ones their mean. The last third, shaded, should be
flat if the training has converged, although a falling learning rate flattens it in any
case; the table gives the mean change over it with its
standard error, in percentage points, and the processor hours of all networks together,
without those of the generators.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import plotting
from radiosynth.reproduction import analysis, figures, protocol

plotting.use_style()
analysis.check_complete("main")
conditions = {}
for trial in protocol.trials("main"):
    conditions.setdefault(trial.condition, []).append(trial)

# %%
# Balanced accuracy on the validation sources of each fold after each part of the
# training.

shape = {"figsize": (7.4, 2.4), "sharey": True, "squeeze": False}
figure, panels = plt.subplots(1, len(conditions), **shape)
rows = []
for axes, (condition, trials) in zip(panels[0], conditions.items(), strict=True):
    curves = 100 * analysis.validation_curves(trials)
    parts = curves.shape[1]
    views = np.arange(1, parts + 1) * trials[0].exposure / parts / 1000
    axes.plot(views, curves.T, color="0.75", lw=0.6)
    axes.plot(views, curves.mean(axis=0), color=plotting.TRAINING)
    last = views > 2 / 3 * views[-1]
    axes.axvspan(views[last][0], views[-1], color="0.93", zorder=0)
    name = plotting.set_label("real+" + condition if trials[0].synthetic else condition)
    axes.set(title=name, xlabel="real views / 1000")
    slopes = [np.polyfit(views[last], curve[last], 1)[0] for curve in curves]
    change = np.array(slopes) * np.ptp(views[last])
    error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else np.nan
    level, hours = curves[:, last].mean(), sum(map(analysis.seconds, trials)) / 3600
    rows.append((name, len(trials), level, change.mean(), error, hours))
panels[0, 0].set(ylabel="balanced accuracy / %", ylim=(65, 97))
names = [trial.name for trials in conditions.values() for trial in trials]
notes = {"networks": names, "loaded": True}
notes["scale"] = "that of the comparison"
figures.save_figure(figure, "verdict1_convergence", **notes)

# %%
# Level and change over the last third of the training.

columns = ["training set", "networks", "balanced accuracy / %"]
columns += ["change / points", "standard error / points", "hours"]
table = Table(rows=rows, names=columns)
for name in columns[2:]:
    table[name].format = ".1f"
figures.save_table(table, "verdict1_convergence").pprint_all()
plt.show()
