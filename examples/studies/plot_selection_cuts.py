"""
What the selection removed
==========================

The author of the report inspected 1478 images and rejected 384. For each of the nine
reasons, six of the rejected sources are shown.

The image cut removes images unsuitable for a network: too faint or disturbed (not
great), several sources in the field, a source listed twice, or one larger than the 4.5
arcminutes shown. The morphology cut removes sources that do not match their class:
uncertain ones, an FR I that is bent or looks like an FR II, a bent source that is
straight, a compact one that is resolved. Many decisions are subjective. Beside each
reason are the number of sources rejected for it and, in brackets, the number of those
with a published image; the examples are spread evenly over these.
"""

import matplotlib.pyplot as plt
import numpy as np

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures
from radiosynth.taxonomy import CLASSES, class_code

plotting.use_style()
everything = radiosynth.load_first_dataset(size=150)
row_of = {key: row for row, key in enumerate(everything.table["griese_key"])}
dropped = radiosynth.load_report_candidates()
dropped = dropped[dropped["decision"] == "drop"]
order = np.lexsort((dropped["reason"], dropped["cut"]))
reasons = list(dict.fromkeys(dropped["reason"][order].tolist()))
shown, labels, titles = np.full((6 * len(reasons), 150, 150), np.nan), [], []
for i, reason in enumerate(reasons):
    of_reason = dropped[dropped["reason"] == reason]
    pictured = of_reason[of_reason["griese_match"] == "close"]
    spread = np.unique(np.linspace(0, len(pictured) - 1, 6).round().astype(int))
    for j, row in enumerate(pictured[spread]):
        image = everything.images[row_of[row["griese_key"]]]
        shown[6 * i + j] = np.sqrt(image / image.max())
    classes = [CLASSES[class_code(name)].label for name in pictured["class"][spread]]
    titles += classes + [""] * (6 - len(classes))
    words = reason.replace("_", " ").replace("fr2", "FR II")
    numbers = f"{len(of_reason)} ({len(pictured)})"
    labels.append(f"{words}\n{of_reason['cut'][0]} cut\n{numbers}")

# %%
# Above each image is the class given by the catalogue. The brightness scale is a square
# root.

options = {"titles": titles, "pixel_scale": 1.8, "panel": 0.95}
figure = plotting.image_grid(shown, len(reasons), 6, **options)
style = {"ha": "right", "va": "center", "fontsize": 8}
for axes, label in zip(figure.axes[::6], labels, strict=True):
    axes.text(-0.1, 0.5, label, transform=axes.transAxes, **style)
figures.save_figure(figure, "selection_cuts")
plt.show()
