"""
Comparison 2: do synthetic images improve the classification?
=============================================================

Change in balanced accuracy when synthetic images are added to the real training images,
at equal exposure to the real ones: ten folds with three networks each, or with one for
the last three conditions (:figure:`verdict1_convergence` shows the training of the
others). What is compared, and what counts
as a gain, was fixed before the first run that counts (:doc:`/methods/studies`).

Left: sources of the report's sample that the networks were not trained on. Right:
sources outside it. Bars are 95 % intervals
from resampling folds, networks and sources; open symbols are the corrected resampled t
test over folds (Nadeau & Bengio 2003), which on the right leaves out the scatter of
sources. Shaded: changes that would be found with a probability of less than 80 %,
before p values are adjusted.
"""

from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import load_report_candidates, plotting
from radiosynth.reproduction import analysis, figures, protocol, published, verdict

plotting.use_style()
print(fill(analysis.verdict(), 88))

# %%
# The sources outside the sample, by class: all, those that the author of the report had
# considered and rejected, and those from catalogues that the report did not use.

sources, candidates = verdict.external_sources(), load_report_candidates()
dropped = candidates["decision"] == "drop"
dropped &= candidates["griese_match"] == "close"
keys = candidates["griese_key"][dropped]
rejected = np.isin(sources.table["griese_key"], keys)
other = np.isin(sources.table["catalogue"], ["MiraBest", "Baldi2018"])
kinds = {"all": np.full(len(sources), True), "rejected": rejected}
kinds["other catalogues"] = other
outside = {kind: sources[chosen].counts() for kind, chosen in kinds.items()}
print(*outside.items(), sep="\n")

# %%
# The change for each condition, on both tests, and what the report claims.

figure, panels = plt.subplots(1, 2, figsize=(7.4, 4.2), sharex=True, sharey=True)
columns = {"resampling": ("value", "low", "high")}
columns["t test"] = ("corrected_value", "corrected_low", "corrected_high")
for axes, (test, title) in zip(panels, analysis.TESTS.items(), strict=True):
    table = analysis.comparison(test)
    rows = table[table["condition"] != "real"]
    names = [fill(analysis.ADDED[condition], 22) for condition in rows["condition"]]
    changes = {key: [rows[name] for name in of] for key, of in columns.items()}
    plotting.differences(axes, names, changes)
    least = 100 * rows["detectable"]
    axes.barh(range(len(rows)), 2 * least, left=-least, color="0.93", zorder=-1)
    axes.set(title=title, xlabel="change in balanced accuracy / points")
stated = published.published()["accuracy"]
claims = [stated[f"real+{name}"]["validation"] for name in ("geometric", "gan")]
places = [rows["condition"].tolist().index(name) for name in ("geometric", "gan")]
x = [100 * (claim - stated["real"]["validation"]) for claim in claims]
style = {"marker": "o", "facecolor": "white", "edgecolor": "0.3", "zorder": 3}
panels[0].scatter(x, [y - 0.25 for y in places], label="report (accuracy)", **style)
labels = panels[0].get_legend_handles_labels()
figure.legend(*labels, loc="outside upper right", ncols=3, markerscale=0.6)
kept = {"networks": [trial.name for trial in analysis.compared("main")], "loaded": True}
kept |= {"scale": "that of the comparison", "verdict": analysis.verdict()}
kept |= {"brief": analysis.verdict(brief=True), "design": protocol.protocol()}
kept["outside"] = outside
figures.save_figure(figure, "verdict2_comparison", **kept)

# %%
# The change by geometric simulations for a residual network, and for catalogues that
# the networks were not trained on (:doc:`/methods/studies`).

asked = [("test", "residual"), ("external", "residual"), ("test", "left-out-catalogue")]
names = ["folds", "seeds", "balanced_accuracy", "value", "low", "high", "p"]
rows = []
for test, part in asked:
    real, added = analysis.comparison(test, part)
    row = {"part": part, "test": test, "real": real["balanced_accuracy"]}
    rows.append(row | {name: added[name] for name in [*names, "detectable", "found"]})
parts = Table(rows)
parts.round(3)
figures.save_table(parts, "verdict2_parts").pprint_all()

# %%
# The scores of each condition and, below them, the change of its balanced accuracy
# against real images alone.

for test, title in analysis.TESTS.items():
    table = analysis.comparison(test)
    table.remove_columns(["fraction", "ratio"])
    figures.save_table(table, f"verdict2_{test}")
    names = table.colnames[1:]
    columns = zip(*(table[name].iter_str_vals() for name in names), strict=True)
    shown = dict(zip(table["condition"], columns, strict=True))
    print(f"\n{title}")
    Table({"score": names} | shown).pprint_all(align="<")
plt.show()
