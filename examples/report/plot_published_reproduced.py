"""
Published and reproduced numbers
================================

Every number in the report beside ours: counts of sources, layers and weights, settings,
the ranges of the simulation, accuracies and confusion matrices.

Look at the verdicts of the *measured* numbers, which depend on a training: accuracies
and confusion matrices. Most others agree by construction: settings, layers, parameter
ranges and tables of decisions are the report's own, and agreement shows only that they
were copied correctly. Exact numbers agree if they are equal. A measurement agrees if
the published value differs from ours by less than our 95 % interval and two standard
errors of the published value, combined in quadrature; most are proportions of 40
sources, which is a weak test. Where a number cannot be reproduced, the reason is given.
Settings are those of the full scale, results those of the scale of this page.
"""

from astropy import conf

from radiosynth.reproduction import (
    configs,
    figures,
    presets,
    published,
    recipes,
)

names = configs.TRAINING_SETS
runs = recipes.run_each([presets.classifier_config(name) for name in names])
table = published.compare(runs)

# %%
# How many of each verdict there are, measured results apart; then the whole table. It
# is also a CSV file.

for part in table.group_by(["kind", "verdict"]).groups:
    verdict, kind = part["verdict"][0], part["kind"][0]
    print(f"{len(part):4d} {verdict} {kind and f'({kind})'}")
for column in ("reproduced", "low", "high"):
    table[column] = table[column].round(5)
conf.max_lines = len(table) + 10  # show all of them
figures.save_table(table, "published_reproduced", runs=runs)
table
