"""
The best classifier: measured features instead of a network
===========================================================

Four hundred features (sizes, symmetries, bends and the distribution of light) are measured on each image
by `radiosynth.measurements.measure_shapes`, and boosted decision trees learn the classes from them in a
minute. Folds, test images and published accuracies (dotted) are those of :figure:`best1_accuracy`.

Compare the trees with the networks (dots: trained on four of the folds each; diamonds: all five combined,
with 95 % intervals), and see which features matter: the loss of accuracy on held-out folds when those of
one family are permuted among the images. A hotspot is the brightest point of an arm; its distance from
the core is the criterion of Fanaroff and Riley (1974), which the trees recover from the data.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import CLASS_NAMES, classification, concatenate, metrics, plotting
from radiosynth.reproduction import figures, published, recipes, samples, scales

plotting.use_style()
run = recipes.best_ensemble()
sample = concatenate(list(samples.prepare_fold(run.config.members[0])))
steps = 40 if scales.current_scale() == "smoke" else 250
found = classification.classify_by_shape(sample, trees=steps)
answers = {"trees": found.test, "networks": run.predictions["members"]}

figure, (axes, needed) = plt.subplots(1, 2, figsize=(7.6, 2.9), width_ratios=(3, 2), layout="constrained")
labels = run.predictions["labels"]
chosen = {name: each.mean(axis=0).argmax(axis=1) for name, each in answers.items()}
for y, (name, each) in enumerate(answers.items()):
    single = (each.argmax(axis=2) == labels).mean(axis=1)
    value, low, high = metrics.proportion(chosen[name] == labels, confidence=0.95)
    axes.plot(single, np.full(len(single), y), "o", color=plotting.TRAINING, alpha=0.5)
    axes.errorbar(value, y, xerr=[[value - low], [high - value]], fmt="D", color=plotting.VALIDATION)
    print(f"{name}: single {single.mean():.3f} ± {single.std(ddof=1):.3f}, ensemble {value:.3f}")
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
# Do they misclassify the same images? By chance, few errors in a class would be common to both.

wrong = {name: (answer != labels)[:, None] & np.eye(4, dtype=bool)[labels] for name, answer in chosen.items()}
table = Table({"class": CLASS_NAMES, **{f"{name} wrong": each.sum(axis=0) for name, each in wrong.items()}})
shared = wrong["trees"] & wrong["networks"]
table["both wrong"] = shared.sum(axis=0)
table["by chance"] = (table["trees wrong"] * table["networks wrong"] / np.bincount(labels)).round(1)
table["alike"] = (shared & (chosen["trees"] == chosen["networks"])[:, None]).sum(axis=0)
figures.save_table(table, "best4_measured_shapes", runs=[run]).pprint_all()
