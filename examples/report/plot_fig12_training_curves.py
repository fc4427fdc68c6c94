"""
Figure 12: training with and without synthetic images
=====================================================

What the networks learn: loss (top) and accuracy (bottom) per epoch on the training images (blue) and on
the real validation images (red, dashed), for real training images alone and with synthetic ones added.

Look at the gap between the curves. Where training keeps improving and validation does not, the network
memorises its images. The report reads from this figure that synthetic images narrow the gap. The
dotted line is the validation accuracy that the report states.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting
from radiosynth.reproduction import configs, figures, presets, published, recipes

plotting.use_style()
runs = {name: recipes.run(presets.classifier_config(name)) for name in configs.TRAINING_SETS}

# %%
# The published headline numbers are means over the last 20 epochs; here over the last fifth.

stated = published.published()["accuracy"]
figure, axes = plt.subplots(2, len(runs), figsize=(2.9 * len(runs), 4.2), sharex="col", squeeze=False)
measured = {}
for column, (name, run) in enumerate(runs.items()):
    loss, accuracy = axes[:, column]
    plotting.training_curve(loss, run.history, "loss")
    plotting.training_curve(accuracy, run.history, "accuracy")
    loss.set(title=f"({'abc'[column]}) {plotting.set_label(name)}", ylim=(0, 1.4), xlabel="")
    accuracy.axhline(stated[name]["validation"], color="0.3", ls=":", lw=1, label="report, validation")
    accuracy.set(ylim=(0.4, 1.0))
    last = run.history[-max(1, len(run.history) // 5) :]
    measured[name] = {key: round(float(np.mean(last[key])), 4) for key in ("accuracy", "val_accuracy")}
    print(f"{name}: {measured[name]}, the report states {stated[name]}")
axes[1, 0].legend(loc="lower right")
figures.save_figure(figure, "fig12_training_curves", runs=runs.values(), measured=measured)
plt.show()
