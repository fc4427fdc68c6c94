"""
Table 3: training and validation images
=======================================

Number of sources, of those held out for validation and those left for training, and of
training images after rotation and flipping. Each number is followed by the published
one.

**Report and reproduction.** The validation set agrees; the training set is smaller,
because only 1013 of the report's 1094 sources have a published image, one of which is
blank. Neighbours on the sky are kept on one side here, which the report did not ensure.
"""

from astropy.table import Table

import radiosynth
from radiosynth.reproduction import figures, presets, published, samples
from radiosynth.taxonomy import CLASS_NAMES

config = presets.classifier_config("real")
sources = radiosynth.load_report_sample().counts()
train, validation, _ = (part.counts() for part in samples.split_sample(config.sources))
augmented = samples.prepare(config)[0].counts()
columns = ["original", "validation", "training", "augmented training"]
counts = (sources, validation, train, augmented)
rows = [[each[name] for each in counts] for name in CLASS_NAMES]
stated = [published.published()["split"][name] for name in CLASS_NAMES]
for table in (rows, stated):
    table.append([sum(column) for column in zip(*table, strict=True)])

# %%
# Columns named "report" hold the published numbers.

table = Table({"class": [*CLASS_NAMES, "total"]})
for i, column in enumerate(columns):
    table[column] = [row[i] for row in rows]
    table[f"{column}, report"] = [row[i] for row in stated]
figures.save_table(table, "table3_split", seed=config.sources.split_seed)
table
