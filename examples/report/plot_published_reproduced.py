"""
Published against reproduced
============================

Every number of the report beside the one that comes out here: counts of sources, layers and weights,
settings, the ranges of the simulation, accuracies and confusion matrices.

Look at the verdicts. Exact numbers agree if they are equal. A measurement agrees if the published value
differs from ours by less than the 95 % interval of ours and two standard errors of the published one, taken
together. What cannot be reproduced says why. Numbers of settings are those of the report scale; numbers
of runs are those of the scale at which this page was made.
"""

from contextlib import suppress

import numpy as np
from astropy import conf

from radiosynth import comparison, experiments, plotting, studies

runs = [experiments.run(experiments.classifier_config(name)) for name in experiments.TRAINING_SETS]
found = []
for name, scale in (("published-code", studies.recorded_scale("published-code")), ("protocol", None)):
    with suppress(FileNotFoundError):  # many runs taken together, where they are recorded
        found.append(comparison.study_summary(name, scale))
table = comparison.compare(runs, found)

# %%
# How many of each verdict there are, then the whole table. It is also a CSV file.

for verdict, number in zip(*np.unique(table["verdict"], return_counts=True), strict=True):
    print(f"{number:4d} {verdict}")
for column in ("reproduced", "low", "high"):
    table[column] = table[column].round(5)
conf.max_lines = len(table) + 10  # show all of them
plotting.save_table(table, "published_reproduced", runs=runs)
table
