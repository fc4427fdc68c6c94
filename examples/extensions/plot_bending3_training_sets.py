"""
Bending angles 3: comparison of training sets and baselines
===========================================================

Mean absolute error and proportion within 10° for the author's three training sets and
improved ones, each tested on the 195 real sources by cross-validation, with 95 %
intervals over sources; for two constant baselines; and for a measurement from the two
brightest peaks without a network. Dotted: the published values, 10.9° and 68.7 %, for
4287 images that are not public.

These were different sources: for all 4304 of the catalogue, predicting the median gives
an error of 13.5°, with 73.7 % within 10°; for the sources here 10.0° and 78 % (dashed).
The column "gain" is the reduction of the error relative to that baseline. The lobes of
the matched simulations, the square-root stretch and the test-time augmentation were
chosen on these same sources, so the best results are slightly optimistic.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import datasets, measurements, metrics, plotting
from radiosynth.reproduction import figures, presets, recipes

plotting.use_style()
conditions = presets.bending_conditions()
results = {name: recipes.cross_validate(each) for name, each in conditions.items()}
runs, reference = results["real"]
truth, median = reference["truth"], reference["baseline"]
mean = (truth.sum() - truth) / (len(truth) - 1)
sample = datasets.load_bending_sample(size=runs[0].config.crop)
sample = sample[np.argsort(sample.table["name"])]
sample = sample[np.isin(sample.table["name"], reference["name"])]
measured = measurements.measure_angles(sample.images)
predicted = {"median of training": median, "mean of training": mean}
predicted |= {name: table["bending_angle"] for name, (_, table) in results.items()}
predicted["two peaks, or median"] = np.where(np.isfinite(measured), measured, median)

# %%
# Mean absolute error, proportion within 10°, and reduction of the error relative to the
# median.

rows = []
for name, angles in predicted.items():
    rows.append({"angle from": name, **metrics.angle_scores(truth, angles, median)})
table = Table(rows=rows)
for column in table.colnames[1:]:
    table[column].format = ".3f" if column.startswith("within") else ".2f"
every = [run for each, _ in results.values() for run in each]
figures.save_table(table, "bending3_training_sets", runs=every).pprint_all()

# %%
# The same as a figure, with the published numbers dotted.

figure, panels = plt.subplots(1, 2, figsize=(7.6, 3.6), sharey=True)
places = np.arange(len(table))[::-1]
style = {"fmt": "o", "ms": 4, "color": plotting.TRAINING, "capsize": 2}
stated = {"mae": 10.9, "within": 0.687}
for panel, (name, published) in zip(panels, stated.items(), strict=True):
    ends = np.array([table[f"{name}_low"], table[f"{name}_high"]])
    panel.errorbar(table[name], places, xerr=np.abs(ends - table[name]), **style)
    panel.axvline(table[name][0], color="0.5", ls="--", lw=0.9)
    panel.axvline(published, color=plotting.VALIDATION, ls=":")
panels[0].set_yticks(places, table["angle from"])
panels[0].set(xlabel="mean absolute error (°)")
panels[1].set(xlabel="proportion within 10°")
figures.save_figure(figure, "bending3_training_sets", runs=every)
plt.show()
