"""
The best classifier: can it be trusted outside its own sample?
==============================================================

Top: accuracy of the default network, and of the ensemble from which it was distilled,
on the 399 published test images, as published and degraded. Bottom: the proportion of
images that the default network flags as fitting none of its classes, for the test
images (1 % by definition) and for images of something else. Bars are 95 % intervals.
The numbers are from ``benchmarks/trust.py``, which describes the kinds of image.

Note how far noise lowers the accuracy, since faint tails fall below the threshold, and
which kinds of image pass unflagged.
"""

import json

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting
from radiosynth.reproduction import figures, runs

plotting.use_style()
path = runs.runs_root() / "trust.json"
record = json.loads(path.read_text())
run = runs.find_run(record["classifier"])
degraded = [row for row in record["rows"] if "default" in row]
flagged = [degraded[0], *(row for row in record["rows"] if "default" not in row)]

# %%
# Each value has its 95 % interval (Wilson).

shape = {"figsize": (5.6, 6), "height_ratios": (len(degraded), len(flagged))}
figure, (top, bottom) = plt.subplots(2, 1, layout="constrained", **shape)
ensemble = {"fmt": "s", "color": plotting.TRAINING, "label": "ensemble, 40 passes"}
default = {"fmt": "o", "color": plotting.VALIDATION, "label": "default, one pass"}
styles = {"ensemble": (ensemble, 0.14), "default": (default, -0.14)}
for name, (style, shift) in styles.items():
    value, low, high = np.transpose([row[name] for row in degraded])
    where = np.arange(len(degraded)) + shift
    top.errorbar(value, where, xerr=(value - low, high - value), ms=4, **style)
top.set_yticks(range(len(degraded)), [row["case"] for row in degraded])
top.set(xlabel="proportion correct", xlim=(0.6, 1))
top.legend(loc="upper left")
value, low, high = np.transpose([row["flagged"] for row in flagged])
where = np.arange(len(flagged))
error = value - low, high - value
bottom.errorbar(value, where, xerr=error, fmt="D", color="black", ms=4)
cases = ["test images, as published", *(row["case"] for row in flagged[1:])]
bottom.set_yticks(where, cases)
bottom.set(xlabel="proportion flagged", xlim=(-0.02, 1.02))
for axes in (top, bottom):
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.25, lw=0.5)
figures.save_figure(figure, "best4_trust", runs=[run])
plt.show()
