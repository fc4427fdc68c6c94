"""
Does pruning discard good trials?
=================================

A search saves time by pruning trials that fall behind: those whose best epoch so far is below the median
of the earlier trials. To see whether good networks are lost, the trials pruned in the first fold of the
search (:figure:`tuning2_search`) are here trained to the end.

Dots are the scores before pruning; lines are the same training repeated to its end (sums are taken in
another order, so the last digits differ); the broken line is the best trial. Lines that end above it are
networks that should have been kept. An earlier search lost several, by a few points: it evaluated
residual networks with the running averages of batch normalisation, which lag, so that nothing appeared to
be learned for most epochs. These statistics are now recalibrated before each evaluation (Wu & Johnson
2021, arXiv:2105.07576).
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from matplotlib.ticker import MaxNLocator

from radiosynth import plotting
from radiosynth.reproduction import figures, recipes, scales, search, studies

plotting.use_style()
scale = studies.saved_scale("tuning") or scales.current_scale()
result = search.evaluate(scale)  # loaded, or computed now if not saved
families = search.ranking(scale, 0)[:2]
at_most = 1 if scales.current_scale() == "smoke" else None  # of the pruned trials

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
        row = {"family": family, "trial": trial.number, "pruned after epoch": len(seen), "then": seen[-1]}
        rows.append(row | {"in the end": history["val_accuracy"][-1], "best": found.best_value})
    panel.axhline(found.best_value, color="0.3", ls="--", lw=1)
    panel.set(title=f"{family} ({len(cut)} pruned)", xlabel="epoch")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if cut:
        panel.legend(title="trial", ncols=2)
axes[0].set_ylabel("accuracy on the tuning set")
figures.save_figure(figure, "tuning4_cut_trials", runs=[result, *runs])

# %%
# The numbers.
lost = [row["in the end"] > row["best"] for row in rows]
print(f"{sum(lost)} of {len(rows)} would have been the best of their search")
table = Table(rows or [{"trial": "none was pruned"}])
for column in table.itercols():
    column.info.format = ".3f" if column.dtype.kind == "f" else ""
figures.save_table(table, "tuning4_cut_trials", runs=[result, *runs]).pprint_all()
plt.show()
