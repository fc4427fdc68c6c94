"""
Are fitted populations more realistic, and do they improve the accuracy?
========================================================================

The report's population of simulated sources compared with one fitted to real training
sources. Left: the accuracy with which a newly trained classifier distinguishes them
from held-out real sources; 0.5 is chance. Right: the change in accuracy when they are
added to the real training images, on the same sources and with equal optimiser steps.

Note how much closer to the reference the fitted points are, and whether the intervals
(95 %, over folds) exclude zero: neither does, in accuracy or in balanced accuracy
(open), so no loss is established. The changes are loaded from a saved study of all ten
folds; the rest is computed for this page.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import CLASSES, concatenate, plotting, realism, simulation
from radiosynth.reproduction import (
    comparisons,
    figures,
    presets,
    recipes,
    samples,
    scales,
    studies,
)

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

table = tables["fitted"]["class", "measure", "reference"]
for name, measured in tables.items():
    for column, end in (("value", ""), ("low", " low"), ("high", " high")):
        table[name + end] = measured[column]
table.round(3)
figures.save_table(table, "population3_realism", runs=[run]).pprint_all()
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
for name, colour in (("report", plotting.TRAINING), ("fitted", plotting.VALIDATION)):
    part = tables[name][tables[name]["measure"] == "two-sample accuracy"]
    error = part["value"] - part["low"], part["high"] - part["value"]
    style = {"fmt": "o", "color": colour, "capsize": 3, "label": name}
    left.errorbar(range(4), part["value"], error, **style)
left.plot(range(4), part["reference"], "_", color="0.3", ms=16, label="reference")
left.set_xticks(range(4), [morphology.label for morphology in CLASSES])
left.set(ylabel="accuracy, real or simulated", ylim=(0.4, 1.02))
left.legend(loc="center", bbox_to_anchor=(0.5, 0.65), ncols=3)

# The accuracies are compared with real images alone, and those of the two populations
# with each other.
study = studies.best_study("populations")
accuracies = study.summary()
differ = accuracies["condition"] != accuracies["compared_with"]
plotting.differences(right, accuracies[differ])
right.margins(x=0.25)
right.set_xlabel("change in accuracy / percentage points")
figures.save_figure(figure, "population3_value", runs=[run, study])
figures.save_table(accuracies, "population3_value", runs=[study]).pprint_all()
compared = study.compare("real+geometric", "real+fitted")
comparisons.formatted(Table([compared])).pprint_all()
plt.show()
