"""
Published against reproduced
============================

Every number of the report beside the one that comes out here: counts of sources, layers and weights,
settings, the ranges of the simulation, accuracies and confusion matrices.

Look at the verdicts of what is *measured*, which a training decides: accuracies and confusion matrices. The
rest is true by construction, as settings, layers, drawn parameters and tables of decisions are the report's
own: that it agrees says that it was copied correctly. Exact numbers agree if they are equal. A measurement
agrees if the published value differs from ours by less than the 95 % interval of ours and two standard errors
of the published one, taken together; most are shares of 40 sources, which is a weak test. What cannot be
reproduced says why. Settings are those of the report scale, runs those of the scale of this page.
"""

from contextlib import suppress

from astropy import conf

from radiosynth.reproduction import configs, figures, presets, published, recipes, studies

runs = [recipes.run(presets.classifier_config(name)) for name in configs.TRAINING_SETS]
found = []
for name, scale in (("published-code", studies.saved_scale("published-code")), ("protocol", None)):
    with suppress(FileNotFoundError):  # many runs taken together, where they are saved
        found.append(published.study_summary(name, scale))
table = published.compare(runs, found)

# %%
# How many of each verdict there are, measured results apart; then the whole table. It is also a CSV file.

for part in table.group_by(["kind", "verdict"]).groups:
    print(f"{len(part):4d} {part['verdict'][0]} {part['kind'][0] and '(' + part['kind'][0] + ')'}")
for column in ("reproduced", "low", "high"):
    table[column] = table[column].round(5)
conf.max_lines = len(table) + 10  # show all of them
figures.save_table(table, "published_reproduced", runs=runs)
table
