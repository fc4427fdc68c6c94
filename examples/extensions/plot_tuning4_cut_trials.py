"""
Does pruning cut the right trials?
==================================

A search saves time by cutting the trials that fall behind: one whose best epoch so far is below the median of
the earlier trials. Is a good network lost that way? Here the trials that were cut in the first fold of the
search (:figure:`tuning2_search`) are trained to the end, now.

Dots are what the search saw of a trial before it was cut; lines are the same training again, to its end (sums
in another order, so not the same to the last digit); the broken line is the best trial. Look for lines that
end above it: networks that should have been kept. A first search lost several, ahead by some points: it saw
residual networks by the running averages of batch normalisation, which lag, and nothing learned for most
epochs. They are measured anew before each look now (Wu & Johnson 2021, arXiv:2105.07576).
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from matplotlib.ticker import MaxNLocator

from radiosynth import plotting
from radiosynth.reproduction import figures, recipes, scales, search, studies

plotting.use_style()
scale = studies.saved_scale("tuning") or scales.current_scale()
result = search.evaluate(scale)  # loaded, or computed now if it is not saved
families = search.ranking(scale, 0)[:2]
at_most = 1 if scales.current_scale() == "smoke" else None  # of the trials that were cut

# %%
# One panel for each family that was tuned.

figure, axes = plt.subplots(1, 2, figsize=(6.6, 2.8), sharey=True)
rows, runs = [], []
for panel, family in zip(axes, families, strict=True):
    found = search.tune(family, scale, trials=1)
    cut = [trial for trial in search.finished(found) if trial.state.name == "PRUNED"][:at_most]
    for number, trial in enumerate(cut):
        runs.append(recipes.run(search.trial_config(found, trial)))
        history, seen = runs[-1].history, np.array(list(trial.intermediate_values.values()))
        panel.plot(history["epoch"], history["val_accuracy"], color=f"C{number}", label=trial.number)
        panel.plot(np.arange(len(seen)) + 1, seen, "o", ms=3, color=f"C{number}")
        row = {"family": family, "trial": trial.number, "cut after epoch": len(seen), "then": seen[-1]}
        rows.append(row | {"in the end": history["val_accuracy"][-1], "best": found.best_value})
    panel.axhline(found.best_value, color="0.3", ls="--", lw=1)
    panel.set(title=f"{family} ({len(cut)} cut)", xlabel="epoch")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if cut:
        panel.legend(title="trial", ncols=2)
axes[0].set_ylabel("accuracy on the sources\nthat guide the search")
figures.save_figure(figure, "tuning4_cut_trials", runs=[result, *runs])

# %%
# The same in numbers.
lost = [row["in the end"] > row["best"] for row in rows]
print(f"{sum(lost)} of {len(rows)} would have been the best of their search")
table = Table(rows or [{"trial": "none was cut"}])
for column in table.itercols():
    column.info.format = ".3f" if column.dtype.kind == "f" else ""
figures.save_table(table, "tuning4_cut_trials", runs=[result, *runs]).pprint_all()
plt.show()
