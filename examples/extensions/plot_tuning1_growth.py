"""
How deep can a network be before it over-fits?
==============================================

The report's plan for future work begins with a simple network, to which convolution and
pooling are added until it over-fits. The figure shows the loss of networks with one to
five blocks of 3×3 convolution and 2×2 max-pooling, the first of 8 channels, doubling in
each further block, and of one with twice the channels. Global average pooling and a
softmax follow; there is no dropout. Images are 32 pixels wide.

Solid: training images; dashed: validation sources. A network over-fits where the dashed
loss no longer decreases while the solid one does. The minimum of the dashed curve is
marked.

At laptop scale this happens with five blocks, after about fifteen epochs. Yet the fifth
block does not lower the accuracy: only the loss over-fits. Two of five folds are saved.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import plotting
from radiosynth.reproduction import figures, search, studies

plotting.use_style()
study = search.grow(studies.saved_scale("growth"))  # loaded, or computed now
measures = ["loss", "val_loss", "accuracy", "val_accuracy"]

# %%
# Loss per epoch, mean over the folds.

tested = {row["condition"]: row for row in study.summary()}
number, rows = len(study.conditions), []
figure, axes = plt.subplots(1, number, figsize=(1.2 * number + 0.8, 2.5), sharey=True)
held_out = {"color": plotting.VALIDATION}
for panel, condition in zip(axes, study.conditions, strict=True):
    history = study.histories[study.histories["condition"] == condition]
    mean = history["epoch", *measures].group_by("epoch").groups.aggregate(np.mean)
    lowest, last = mean[int(np.argmin(mean["val_loss"]))], mean[-1]
    panel.plot(mean["epoch"], mean["loss"], color=plotting.TRAINING, label="training")
    panel.plot(mean["epoch"], mean["val_loss"], "--", label="validation", **held_out)
    panel.plot(lowest["epoch"], lowest["val_loss"], "v", **held_out)
    panel.set(title=condition, xlabel="epoch")
    row = {"blocks × channels": condition, "lowest val_loss": lowest["val_loss"]}
    row |= {"in epoch": lowest["epoch"], **{name: last[name] for name in measures}}
    row["gap"] = last["accuracy"] - last["val_accuracy"]
    for kind in ("accuracy", "balanced_accuracy"):
        row[f"test {kind}"] = tested[condition][kind]
    rows.append(row)
axes[0].set_ylabel("loss (cross-entropy)")
axes[0].legend(loc="lower left")
figure.suptitle("blocks × channels of the first block")
figures.save_figure(figure, "tuning1_growth", runs=[study])

# %%
# The numbers after the last epoch. The gap between training and validation accuracy
# measures over-fitting.
table = Table(rows)
for column in table.itercols():
    column.info.format = ".3f" if column.dtype.kind == "f" else ""
figures.save_table(table, "tuning1_growth", runs=[study]).pprint_all()
plt.show()
