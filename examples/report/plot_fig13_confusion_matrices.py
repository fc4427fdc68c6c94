"""
Figure 13: which classes are confused
=====================================

How the classifiers err: the proportion of the validation images of each true class (rows) that is given to
each class (columns). The first row of panels counts the most probable class of each image, as the report's
figure does; the second adds up the class probabilities, as its code also does.

Compact sources are nearly always recognised. Most errors are among the other three classes; where training is
short, small FR I galaxies are taken for compact sources too, as at 56 pixels they look alike.
"""

import matplotlib.pyplot as plt

from radiosynth import confusion_matrix, metrics, plotting
from radiosynth.reproduction import configs, figures, presets, published, recipes

plotting.use_style()
runs = {name: recipes.run(presets.classifier_config(name)) for name in configs.TRAINING_SETS}

figure, axes = plt.subplots(2, len(runs), figsize=(3.1 * len(runs), 6.1), squeeze=False)
matrices = {}
for column, (name, run) in enumerate(runs.items()):
    stored = run.predictions
    for panel, kind in zip(axes[:, column], ("class", "probability"), strict=True):
        matrix = confusion_matrix(stored["labels"], stored["probabilities"], kind=kind)
        plotting.confusion(panel, matrix, f"({'abc'[column]}) {plotting.set_label(name)}, by {kind}")
        panel.set_ylabel("true class" if column == 0 else "")
        matrices[f"{name}, by {kind}"] = matrix.round(4).tolist()
figures.save_figure(figure, "fig13_confusion_matrices", runs=runs.values(), matrices=matrices)
plt.show()

# %%
# The report's own matrices, and recall and precision of each class on the untouched validation images with
# their binomial intervals of one standard deviation:

print("report, real:", *published.published()["confusion"]["real"], sep="\n  ")
for name, run in runs.items():
    stored = run.predictions
    plain = stored["plain"]
    scores = metrics.class_scores(stored["labels"][plain], stored["probabilities"][plain])
    for column in scores.colnames[2:]:
        scores[column].info.format = ".3f"
    value, low, high = metrics.accuracy(stored["labels"], stored["probabilities"], sources=stored["names"])
    print(f"\n{name}: accuracy on turned images {value:.3f} ({low:.3f} to {high:.3f}); untouched images:")
    print(*scores.pformat(max_width=-1), sep="\n")
