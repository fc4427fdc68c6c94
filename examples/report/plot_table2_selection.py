"""
Table 2: which sources are kept
===============================

From the catalogues to the sample: of 1478 catalogued sources the author of the report
kept 1094. The image cut rejects unsuitable images, the morphology cut sources whose
class is not apparent.

**Report and reproduction.** The column "report" compares the counts. They follow from
the author's own decisions, so agreement shows only that these have been reconstructed
correctly.

The sources come from VizieR: all rows of FRICAT, FRIICAT, CoNFIG and Proctor (2011)
with one of the four classes. Each is looked up, by name and position, in the package's
table of decisions. Without a network, the positions in that table are counted instead.
The last column counts the kept sources with a published image, the data of all figures
here.
"""

import numpy as np
from astropy.table import Table

import radiosynth
from radiosynth import catalogues
from radiosynth.reproduction import figures, published
from radiosynth.sample import DataUnavailableError
from radiosynth.taxonomy import CLASS_NAMES

candidates = radiosynth.load_report_candidates()
try:
    sources, origin = radiosynth.load_report_sources(), "VizieR"
except DataUnavailableError:
    sources = candidates["name", "ra", "dec", "class", "catalogue"]
    origin = "the package"
    print("VizieR cannot be reached")
print(f"{len(sources)} sources from {origin}")
decided = catalogues.add_decisions(sources, candidates)

with_image = radiosynth.load_report_sample().counts()
rows = []
for name in CLASS_NAMES:
    of_class = decided[np.asarray(decided["class"]) == name]
    cut, decision = np.asarray(of_class["cut"]), np.asarray(of_class["decision"])
    counts = [len(of_class), (cut == "image").sum(), (cut == "morphology").sum()]
    counts.append((decision == "keep").sum())
    agrees = counts == published.published()["selection"][name]
    rows.append([name, *counts, "agrees" if agrees else "differs", with_image[name]])
total = np.sum([row[1:5] for row in rows], axis=0)
rows.append(["total", *total, "", sum(with_image.values())])

# %%
# "report" says whether the row agrees with the published one.

names = ["class", "initial", "image cut", "morphology cut", "final"]
table = Table(rows=rows, names=[*names, "report", "with image"])
data = f"positions from {origin}, decisions of the author"
figures.save_table(table, "table2_selection", data=data)
table

# %%
# Kept sources within one arcminute of each other appear in each other's images; some
# pairs are one source listed in two catalogues with different classes.

pairs = catalogues.find_duplicates(decided[decided["decision"] == "keep"])
two = (pairs["class_1"] != pairs["class_2"]).sum()
print(f"{len(pairs)} pairs, {two} of them with two classes")
