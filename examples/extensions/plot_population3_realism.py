"""
How realistic are fitted populations?
=====================================

The report's population of simulated sources compared with one fitted to real training
sources: the accuracy with which a newly trained classifier distinguishes them from
held-out real sources. Chance is 0.5; the reference is the same accuracy for two sets of
real sources.

Note how much closer to the reference the fitted points are. Whether such sources, seen
as FIRST would observe them, also improve the classification of real ones is tested in
:figure:`verdict2_comparison`. Bars are one standard deviation, over draws of sources.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import CLASSES, concatenate, plotting, realism, simulation
from radiosynth.reproduction import figures, presets, recipes, samples, scales

plotting.use_style()
number = 100 if scales.current_scale() == "smoke" else 1000
shared = {"folds": 4, "validation_per_class": 100, "precision": "mixed_bfloat16"}
shared["per_class"] = max(250, number // 2)
run = recipes.run(presets.classifier_config("real", **shared))
train, *held_out = samples.split_sample(run.config.sources)
real = concatenate(held_out)
rng, tables = np.random.default_rng(0), {}
fitted = simulation.fit_population(train, per_class=number, rng=rng)
for name, population in (("report", None), ("fitted", fitted)):
    rng = np.random.default_rng(1)
    fake = simulation.simulate(number // 5, real.size, population=population, rng=rng)
    options = {"training": train, "draws": 10, "rng": rng}
    tables[name] = realism.realism(real, fake, run.model(), **options)

# %%
# The accuracy for each class and population, and all measures of realism.

table = tables["fitted"]["class", "measure", "reference"]
for name, measured in tables.items():
    for column, end in (("value", ""), ("low", " low"), ("high", " high")):
        table[name + end] = measured[column]
table.round(3)
figures.save_table(table, "population3_realism", runs=[run]).pprint_all()
figure, axes = plt.subplots(figsize=(4.6, 3))
beside = {"report": (-0.1, plotting.TRAINING), "fitted": (0.1, plotting.VALIDATION)}
for name, (shift, colour) in beside.items():
    part = tables[name][tables[name]["measure"] == "two-sample accuracy"]
    error = part["value"] - part["low"], part["high"] - part["value"]
    style = {"fmt": "o", "color": colour, "capsize": 3, "label": name}
    axes.errorbar(np.arange(4) + shift, part["value"], error, **style)
axes.plot(range(4), part["reference"], "_", color="0.3", ms=24, label="reference")
axes.set_xticks(range(4), [morphology.label for morphology in CLASSES])
axes.set(ylabel="accuracy, real or simulated", ylim=(0.4, 1.02))
axes.legend(loc="center", bbox_to_anchor=(0.5, 0.65), ncols=3)
figures.save_figure(figure, "population3_realism", runs=[run])
plt.show()
