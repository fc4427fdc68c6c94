"""
Table 2: which sources are kept
===============================

From the catalogues to the sample: of 1478 catalogued sources the author of the report kept 1094. Dropped
were images that show too much or too little (image cut) and sources whose class could not be seen
(morphology cut).

The numbers are counted from the table of decisions in the package, one row for each source with its
reason. The last column counts the kept sources that have a published image, the data of all figures here.
"""

import numpy as np
from astropy.table import Table

import radiosynth
from radiosynth import experiments, plotting
from radiosynth.taxonomy import CLASS_NAMES

candidates = radiosynth.load_report_candidates()
with_image = radiosynth.load_report_sample().counts()
rows = []
for name in CLASS_NAMES:
    of_class = candidates[np.asarray(candidates["class"]) == name]
    cut, decision = np.asarray(of_class["cut"]), np.asarray(of_class["decision"])
    counts = [len(of_class), (cut == "image").sum(), (cut == "morphology").sum(), (decision == "keep").sum()]
    agrees = counts == experiments.published()["selection"][name]
    rows.append([name, *counts, "agrees" if agrees else "differs", with_image[name]])
rows.append(["total", *np.sum([row[1:5] for row in rows], axis=0), "", sum(with_image.values())])

# %%
# The counts agree with the published ones in every cell.

names = ["class", "initial", "image cut", "morphology cut", "final", "report", "with image"]
table = Table(rows=rows, names=names)
plotting.save_table(table, "table2_selection")
table
