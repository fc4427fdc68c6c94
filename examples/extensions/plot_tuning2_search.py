"""
Comparison and tuning of network families
=========================================

Four families of networks are compared with settings near the report's; then Optuna
tunes the best two: learning rate, dropout, kernels, stride, channels, blocks, dense
units. Trials are scored on the validation fold, and pruned when below the median of
earlier trials. Images are 32 pixels wide. Each search is for one test fold, which it
does not see. Shown are the history of the searches for one family, the importance of
its settings, and the accuracy against each.

Note how much the families differ before tuning, and how much tuning adds. Importances
and slices combine the searches of one family.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from optuna import create_study, importance
from optuna.visualization import matplotlib as draw

from radiosynth import plotting
from radiosynth.reproduction import figures, runs, search, studies

plotting.use_style()
plt.rcParams["figure.figsize"] = (6, 2.8)
plt.style.library["ggplot"] = {}  # instead of Optuna's style
scale = studies.saved_scale("tuning")
plan, searches = search.plan(scale), {}
for name in plan["families"]:  # loaded, or one trial each now if not saved
    folds = range(plan["tested"])
    searches[name] = [search.tune(name, scale, fold=fold, trials=1) for fold in folds]
best = search.trial_config(searches["report"][0])
folder = studies.study_folder("tuning", best.scale)
result = runs.Run(folder, best, loaded=scale is not None)

# %%
# Means over the searches: the first trials, and the best ones, with tuning where a
# family was tuned.
rows = []
for name, found in searches.items():
    states = [trial.state.name for each in found for trial in search.finished(each)]
    row = {"family": name, "searches": len(found), "trials": len(states)}
    row["pruned"] = states.count("PRUNED")
    firsts = [search.finished(each)[0].value for each in found]
    row["first trial"] = np.mean(firsts).round(3)
    row["best trial"] = np.mean([each.best_value for each in found]).round(3)
    rows.append(row)
figures.save_table(Table(rows), "tuning2_search", runs=[result]).pprint_all()

# %%
# History of the searches for the family with the most trials, one for each test fold.

family = max(rows, key=lambda row: row["trials"])["family"]
score = {"target_name": "validation accuracy"}
axes = draw.plot_optimization_history(searches[family], **score)
axes.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
figures.save_figure(axes.figure, "tuning2_search", runs=[result])

# %%
# Importance of the settings, as fractions of the variance (fANOVA), and accuracy
# against each setting.

pooled = create_study(direction="maximize")
for each in searches[family]:
    pooled.add_trials(search.finished(each))
axes = draw.plot_param_importances(pooled, importance.FanovaImportanceEvaluator(seed=0))
figures.save_figure(axes.figure, "tuning2_importances", runs=[result])
slices = draw.plot_slice(pooled, **score)
for panel in slices:
    panel.minorticks_off()
    tried = sorted(trial.params[panel.get_xlabel()] for trial in pooled.trials)
    ends = tried[:: len(tried) - 1]
    panel.set_xticks(ends, [f"{value:.2g}" for value in ends])
slices[0].figure.set_size_inches(1.3 * len(slices) + 0.8, 2.5)
figures.save_figure(slices[0].figure, "tuning2_slices", runs=[result])
