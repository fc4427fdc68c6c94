"""
The best classifier: where it disagrees with the catalogues
===========================================================

Test images that the classifier assigns to another class than the catalogue, most
confident first. Above each: the catalogue's class, an arrow, the classifier's class,
and its probability.

Judge each by eye: not all are errors of the classifier. Labels come from several
authors, some from deeper or sharper images than these, and a source that is both bent
and edge-darkened belongs to two classes.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from matplotlib.colors import PowerNorm

from radiosynth import CLASS_NAMES, CLASSES, load_first_dataset, plotting
from radiosynth.reproduction import figures, recipes

plotting.use_style()
run = recipes.best_ensemble()
stored = run.predictions
p, labels = stored["probabilities"], stored["labels"]
chosen = p.argmax(axis=1)
wrong = np.flatnonzero(chosen != labels)
wrong = wrong[np.argsort(-p[wrong, chosen[wrong]])][:24]
sample = load_first_dataset(size=150)
row_of = {name: row for row, name in enumerate(sample.table["name"])}

# %%
# Each 4.5 arcmin wide, with a square-root stretch.

figure, axes = plt.subplots(4, 6, figsize=(7.4, 5.8), layout="constrained")
for panel, row in zip(axes.flat, wrong, strict=False):
    image = sample.images[row_of[stored["names"][row]]]
    plotting.show_image(panel, image, norm=PowerNorm(0.5, 0, image.max()))
    said, seen = CLASSES[labels[row]].label, CLASSES[chosen[row]].label
    panel.set_title(f"{said} → {seen} {p[row, chosen[row]]:.2f}", fontsize=7)
for panel in axes.flat[len(wrong) :]:
    panel.axis("off")
figures.save_figure(figure, "best3_disagreements", runs=[run])
plt.show()

# %%
# How often each class is assigned to another, and how often by all networks: since
# these were trained on different sources, errors common to all would also be made by
# further networks of this kind.

alike = (stored["members"].argmax(axis=2) == chosen).all(axis=0)[chosen != labels]
both = np.stack([labels, chosen], 1)[chosen != labels]
pairs, kinds = np.unique(both, axis=0, return_inverse=True)
counts = np.bincount(kinds), np.bincount(kinds, alike).astype(int)
rows = []
for (a, b), *numbers in zip(pairs, *counts, strict=True):
    rows.append((CLASS_NAMES[a], CLASS_NAMES[b], *numbers))
columns = ["catalogue", "classifier", "test images", "by all networks"]
table = Table(rows=rows, names=columns)
table.sort("test images", reverse=True)
figures.save_table(table, "best3_disagreements", runs=[run]).pprint_all()
