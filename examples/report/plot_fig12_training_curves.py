"""
Figure 12: training with and without synthetic images
=====================================================

Loss (top) and accuracy (bottom) after each epoch, on the training images (blue) and the
real validation images (orange, dashed), for real images alone and with synthetic images
added.

**Report and reproduction.** In the report, images from adversarial networks raise the
validation accuracy from 91 % to 92 % (dotted lines). One split of 160 sources, with a
standard error of 2.3 points, cannot establish this; :figure:`verdict2_comparison`
compares the training sets over ten folds.

Where the training accuracy keeps improving and the validation accuracy does not, the
network over-fits. The report concludes from this figure that synthetic images narrow
the gap; :figure:`study2_published_code` shows what mislabelled images do to it.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting
from radiosynth.reproduction import configs, figures, presets, published, recipes

plotting.use_style()
names = configs.TRAINING_SETS
each = [presets.classifier_config(name) for name in names]
runs = dict(zip(names, recipes.run_each(each), strict=True))

# %%
# The published headline numbers are means over the last 20 epochs; here over the last
# fifth.

stated = published.published()["accuracy"]
shape = {"figsize": (2.9 * len(runs), 4.2), "sharex": "col", "squeeze": False}
figure, axes = plt.subplots(2, len(runs), **shape)
dotted = {"color": "0.3", "ls": ":", "lw": 1, "label": "report, validation"}
measured = {}
for column, (name, run) in enumerate(runs.items()):
    loss, accuracy = axes[:, column]
    plotting.training_curve(loss, run.history, "loss")
    plotting.training_curve(accuracy, run.history, "accuracy")
    loss.set_title(f"({'abc'[column]}) {plotting.set_label(name)}")
    loss.set(ylim=(0, 1.4), xlabel="")
    accuracy.axhline(stated[name]["validation"], **dotted)
    accuracy.set(ylim=(0.4, 1.0))
    last = run.history[-max(1, len(run.history) // 5) :]
    means = {key: float(np.mean(last[key])) for key in ("accuracy", "val_accuracy")}
    measured[name] = {key: round(mean, 4) for key, mean in means.items()}
    here, there = means["val_accuracy"], stated[name]["validation"]
    print(f"{name}: validation accuracy {here:.3f}, in the report {there:.2f}")
axes[1, 0].legend(loc="lower right")
numbers = {"measured": measured}
figures.save_figure(figure, "fig12_training_curves", runs=runs.values(), **numbers)
plt.show()
