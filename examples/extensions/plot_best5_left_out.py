"""
The best classifier: a catalogue that it has not seen
=====================================================

Balanced accuracy on the sources of one catalogue, of networks that learned the
published images of all others, without those within 270″ of one of its sources. Left:
the report's network, from real images alone and with geometric simulations added, at
equal exposure to the real ones (three networks each, :doc:`/methods/studies`). Right:
the network of the default classifier, without and with what makes the default robust:
degraded images, and catalogues balanced within a class (one network each, trained on
the labels for 50 epochs, without a teacher; ``benchmarks/left_out.py``). Bars are 95 %
intervals from resampling sources.

Compare with the accuracy on held-out sources of the same catalogues
(:figure:`verdict2_comparison`).
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import CLASSES, metrics, plotting
from radiosynth.reproduction import analysis, figures, protocol, runs

plotting.use_style()
analysis.check_complete("left-out-catalogue")
trials = protocol.trials("left-out-catalogue")
catalogues = list(dict.fromkeys(trial.left_out for trial in trials))

# %%
# For each source, which proportion of the networks of a kind classifies it correctly.


def report_network(catalogue, condition):
    """Return the classes of the sources, and the proportions."""
    asked = catalogue, condition
    chosen = [each for each in trials if (each.left_out, each.condition) == asked]
    networks = analysis.read(chosen, "test")
    return networks.labels[0], networks.correct()[0].mean(axis=0)


def default_network(catalogue, part):
    """Return the same for the network of the default classifier."""
    path = runs.runs_root() / "left-out" / f"{catalogue}-{part}-seed0.npz"
    with np.load(path) as stored:
        labels = stored["labels"].astype(int)
        return labels, stored["probabilities"].argmax(axis=1) == labels


# %%
# The mean recall of the classes that a catalogue has.

left = {"real": "real", "geometric": "real + geometric"}
right = {"before": "as they are", "after": "degraded, balanced"}
panels = (("report's network", report_network, left),)
panels += (("default classifier's network", default_network, right),)
figure, both = plt.subplots(1, 2, figsize=(7.4, 3.4), sharex=True, sharey=True)
styles = ({"fmt": "o", "color": plotting.TRAINING},)
styles += ({"fmt": "s", "color": plotting.VALIDATION},)
rows = []
for axes, (title, answers, kinds) in zip(both, panels, strict=True):
    for number, (kind, label) in enumerate(kinds.items()):
        scores = [metrics.class_mean(*answers(name, kind)) for name in catalogues]
        value, low, high = 100 * np.transpose(scores)
        where = np.arange(len(catalogues)) + 0.28 * number - 0.14
        bars = {"xerr": (value - low, high - value), "ms": 4, "label": label}
        axes.errorbar(value, where, **bars, **styles[number])
        names = [f"{title}, {label}"] * len(catalogues)
        rows += zip(names, catalogues, value, low, high, strict=True)
    axes.set(title=title, xlabel="balanced accuracy / %", xlim=(0, 100))
    axes.legend(loc="upper left", fontsize=7, handlelength=1)
    axes.grid(axis="x", alpha=0.25, lw=0.5)
labelled = []
for catalogue in catalogues:
    codes = report_network(catalogue, "real")[0]
    classes = ", ".join(CLASSES[code].label for code in np.unique(codes))
    labelled.append(f"{catalogue} ({len(codes)})\n{classes}")
both[0].set_yticks(range(len(catalogues)), labelled)
both[0].invert_yaxis()
notes = {"networks": [trial.name for trial in trials], "loaded": True}
notes["scale"] = "that of the comparison"
figures.save_figure(figure, "best5_left_out", **notes)

# %%
# The same as a table, and the change by geometric simulations over all catalogues.

columns = ["training", "catalogue", "balanced accuracy / %", "low", "high"]
table = Table(rows=rows, names=columns)
for name in columns[2:]:
    table[name].format = ".1f"
figures.save_table(table, "best5_left_out").pprint_all()
change = analysis.comparison("test", "left-out-catalogue")[1]
keys = ("value", "low", "high", "p", "corrected_p", "detectable")
print(*(f"{key} {change[key]:.3f}" for key in keys), change["found"], sep="; ")
plt.show()
