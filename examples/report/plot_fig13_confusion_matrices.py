"""
Figure 13: which classes are confused
=====================================

The proportion of the validation images of each true class (rows) that is assigned to
each class (columns). The upper panels count the most probable class of each image, as
in the report's figure; the lower ones sum the class probabilities, as its code also
does.

**Report and reproduction.** The report gives the matrices for (a) and (c). In these and
in ours, compact sources are nearly always recognised, and most errors are among the
other three classes.

After a short training, small FR I galaxies are also classified as compact, since the
two look alike at 56 pixels.
"""

import matplotlib.pyplot as plt

from radiosynth import confusion_matrix, metrics, plotting
from radiosynth.reproduction import configs, figures, presets, published, recipes

plotting.use_style()
names = configs.TRAINING_SETS
each = [presets.classifier_config(name) for name in names]
runs = dict(zip(names, recipes.run_each(each), strict=True))

figure, axes = plt.subplots(2, len(runs), figsize=(3.1 * len(runs), 6.1), squeeze=False)
matrices = {}
for column, (name, run) in enumerate(runs.items()):
    stored = run.predictions
    for panel, kind in zip(axes[:, column], ("class", "probability"), strict=True):
        matrix = confusion_matrix(stored["labels"], stored["probabilities"], kind=kind)
        title = f"({'abc'[column]}) {plotting.set_label(name)}, by {kind}"
        plotting.confusion(panel, matrix, title)
        panel.set_ylabel("true class" if column == 0 else "")
        matrices[f"{name}, by {kind}"] = matrix.round(4).tolist()
numbers = {"matrices": matrices}
figures.save_figure(figure, "fig13_confusion_matrices", runs=runs.values(), **numbers)
plt.show()

# %%
# The report's own matrix, and recall and precision of each class on the unaugmented
# validation images with their binomial intervals of one standard deviation:

print("report, real:", *published.published()["confusion"]["real"], sep="\n  ")
for name, run in runs.items():
    stored = run.predictions
    labels, probabilities = stored["labels"], stored["probabilities"]
    plain = stored["plain"]
    scores = metrics.class_scores(labels[plain], probabilities[plain])
    for column in scores.colnames[2:]:
        scores[column].info.format = ".3f"
    of_all = metrics.accuracy(labels, probabilities, sources=stored["names"])
    print(f"\n{name}: accuracy on augmented images", end=" ")
    print("{:.3f} ({:.3f} to {:.3f}); unaugmented:".format(*of_all))
    print(*scores.pformat(max_width=-1), sep="\n")
