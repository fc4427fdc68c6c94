"""
The best classifier: how far without a network?
===============================================

Four hundred numbers, sizes, symmetries, bends and where the light is, are measured on each image by
`radiosynth.shapes.measure_shapes`, and boosted decision trees learn the classes from them in a minute. Folds,
test images and published accuracies (dotted) are those of :figure:`best1_accuracy`.

Look at how near the trees come to the networks (dots: trained on four of the folds each, diamonds: all
five together, with 95 % intervals), and which measures they need: how much of the accuracy on unseen folds
is lost when those of one family are exchanged among the images. A hot spot is where an arm is brightest;
Fanaroff and Riley told their classes apart in 1974 by how far out it lies. Nobody told the trees.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import CLASS_NAMES, concatenate, metrics, plotting, shapes
from radiosynth.reproduction import figures, published, recipes, samples, scales

plotting.use_style()
run = recipes.best_ensemble()
sample = concatenate(list(samples.prepare_fold(run.config.members[0])))
steps = 40 if scales.current_scale() == "smoke" else 250
found = shapes.classify_by_shape(sample, trees=steps)
answers = {"trees": found.test, "networks": run.predictions["members"]}

figure, (axes, needed) = plt.subplots(1, 2, figsize=(7.6, 2.9), width_ratios=(3, 2), layout="constrained")
labels = run.predictions["labels"]
chosen = {name: each.mean(axis=0).argmax(axis=1) for name, each in answers.items()}
for y, (name, each) in enumerate(answers.items()):
    single = (each.argmax(axis=2) == labels).mean(axis=1)
    value, low, high = metrics.share(chosen[name] == labels, confidence=0.95)
    axes.plot(single, np.full(len(single), y), "o", color=plotting.TRAINING, alpha=0.5)
    axes.errorbar(value, y, xerr=[[value - low], [high - value]], fmt="D", color=plotting.VALIDATION)
    print(f"{name}: singly {single.mean():.3f} ± {single.std(ddof=1):.3f}, together {value:.3f}")
for name, value in published.published()["rustige"].items():
    if not name.startswith("FCN"):  # 0.59 and 0.69, further left
        axes.axvline(value, ls=":", color="0.4", lw=1)
        axes.text(value, 1.55, name, rotation=90, fontsize=6, ha="center")
axes.set_yticks(range(2), list(answers))
axes.set(xlabel="accuracy on the test images", ylim=(-0.5, 1.5))
lost = dict(sorted(found.lost.items(), key=lambda item: item[1]))
needed.barh(list(lost), [100 * value for value in lost.values()], color=plotting.TRAINING)
needed.set(xlabel="accuracy lost (points)")
figures.save_figure(figure, "best4_measured_shapes", runs=[run])
plt.show()

# %%
# Do they err on the same images? By chance, they would share few mistakes in a class.

wrong = {name: (answer != labels)[:, None] & np.eye(4, dtype=bool)[labels] for name, answer in chosen.items()}
table = Table({"class": CLASS_NAMES, **{f"{name} wrong": each.sum(axis=0) for name, each in wrong.items()}})
shared = wrong["trees"] & wrong["networks"]
table["both wrong"] = shared.sum(axis=0)
table["by chance"] = (table["trees wrong"] * table["networks wrong"] / np.bincount(labels)).round(1)
table["alike"] = (shared & (chosen["trees"] == chosen["networks"])[:, None]).sum(axis=0)
figures.save_table(table, "best4_measured_shapes", runs=[run]).pprint_all()
