"""
How large may a network grow before it over-fits?
=================================================

The plan that the report left to do begins with a simple network, to which convolution and pooling are added
until it over-fits. Here are one to five blocks of 3×3 convolution and 2×2 max-pooling, the first of 8
channels, each next one of twice as many; then all channels are doubled. The mean over the image and a
softmax follow; there is no dropout. Images are 32 px wide.

Solid: images that train; dashed: sources that do not. Look for where the lines part: a network over-fits
where the dashed loss no longer falls while the solid one does. The lowest dashed point is marked.

At laptop scale this happens at five blocks, after about fifteen epochs. Yet the fifth costs no accuracy: what
over-fits is the loss. Two of five parts of the sources are a record, a third is learned with the page.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import plotting
from radiosynth.reproduction import figures, search, studies

plotting.use_style()
study = search.grow(studies.saved_scale("growth"))  # loaded, or computed now if it is not saved
measures = ["loss", "val_loss", "accuracy", "val_accuracy"]

# %%
# Loss per epoch, mean over the divisions of the sources.

tested = {row["condition"]: row for row in study.summary()}
figure, axes = plt.subplots(
    1, len(study.conditions), figsize=(1.2 * len(study.conditions) + 0.8, 2.5), sharey=True
)
rows = []
for panel, condition in zip(axes, study.conditions, strict=True):
    history = study.histories[study.histories["condition"] == condition]
    mean = history["epoch", *measures].group_by("epoch").groups.aggregate(np.mean)
    lowest, last = mean[int(np.argmin(mean["val_loss"]))], mean[-1]
    panel.plot(mean["epoch"], mean["loss"], color=plotting.TRAINING, label="training")
    panel.plot(mean["epoch"], mean["val_loss"], "--", color=plotting.VALIDATION, label="validation")
    panel.plot(lowest["epoch"], lowest["val_loss"], "v", color=plotting.VALIDATION)
    panel.set(title=condition, xlabel="epoch")
    row = {"blocks × channels": condition, "lowest val_loss": lowest["val_loss"], "in epoch": lowest["epoch"]}
    row |= {name: last[name] for name in measures} | {"gap": last["accuracy"] - last["val_accuracy"]}
    rows.append(row | {f"test {kind}": tested[condition][kind] for kind in ("accuracy", "balanced_accuracy")})
axes[0].set_ylabel("loss (cross-entropy)")
axes[0].legend(loc="lower left")
figure.suptitle("blocks × channels of the first")
figures.save_figure(figure, "tuning1_growth", runs=[study])

# %%
# The numbers after the last epoch. The gap between training and validation is what over-fitting costs.
table = Table(rows)
for column in table.itercols():
    column.info.format = ".3f" if column.dtype.kind == "f" else ""
figures.save_table(table, "tuning1_growth", runs=[study]).pprint_all()

# %%
# Does it hold? The same networks on one part of the sources more, trained now.
again, runs = studies.untested_fold(search.grown_conditions())
figures.save_table(again, "tuning1_again", runs=runs).pprint_all()
plt.show()
