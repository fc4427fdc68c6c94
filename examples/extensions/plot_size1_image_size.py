"""
How large must the images be?
=============================

The report reduces its cutouts from 150 to 56 pixels and leaves other sizes to future work. Here the same
sources are used at several sizes, with the report's network and a small residual one, at equal optimiser
steps. The field is always 4.5 arcminutes: at 28 pixels the beam of FIRST is half a pixel wide.

Open symbols are balanced accuracies. The saved laptop runs are one seed on **two of four folds**, too few
to call any size the best: the intervals (95 %, over sources) exclude run-to-run scatter, which may
explain the dip of the report's network at 56 pixels and that of the residual one at 150, where it finds
24 % of the bent sources. It does not follow that 56 pixels are enough; at 4.8″ they under-sample the
beam. The dotted line is the report's 91 %, for a wider network trained for longer.
"""

import matplotlib.pyplot as plt

from radiosynth import plotting
from radiosynth.reproduction import figures, published, studies

plotting.use_style()
study = studies.best_study("image-size")
table = study.summary()
table.add_column([condition.split(", ")[0] for condition in table["condition"]], 1, "network")
table.add_column([int(condition.split()[1]) for condition in table["condition"]], 2, "size")

# %%
# Accuracy against image size.

figure, axes = plt.subplots(figsize=(4.8, 3.2))
styles = {"report": (plotting.TRAINING, "o-"), "residual": (plotting.VALIDATION, "s--")}
for name, (colour, style) in styles.items():
    part = table[table["network"] == name]
    place = part["size"] * (1.02 if name != "report" else 1)  # beside each other
    label = "report's network" if name == "report" else "residual network"
    plotting.accuracies(axes, place, part, style, color=colour, label=label)
stated = published.published()["accuracy"]["real"]["validation"]
axes.axhline(stated, color="0.3", ls=":", lw=1, label="report, 56 px")
axes.set_xscale("log")
ticks = sorted(set(table["size"]))
axes.set_xticks(ticks, [str(tick) for tick in ticks])
axes.minorticks_off()
axes.set(xlabel="image size / pixels", ylabel="accuracy on the test sources")
axes.legend(loc="lower right")
figures.save_figure(figure, "size1_image_size", runs=[study])

# %%
# The numbers. Each row is compared with the report's network at 56 pixels, whose own scatter is unknown.

figures.save_table(table, "size1_image_size", runs=[study]).pprint_all()
plt.show()
