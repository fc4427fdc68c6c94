"""
Automatic cuts compared with the author's decisions
===================================================

Automatic cuts applied to the 1343 candidates of the report that have a published image,
compared with the author's decisions. Each row shows images flagged by one cut: on the
left some that the author rejected, with his reason, on the right some that he kept.

Most flags describe the image correctly, and yet the author kept the source: a neighbour
in the corner does not hide an FR I. Flags are therefore only hints on the review page.
"""

import numpy as np
from astropy.stats import binom_conf_interval
from astropy.table import Table

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures
from radiosynth.taxonomy import class_code

# The author's reasons closest to each cut. No image lies partly outside the survey.
REASONS = {"duplicate": ["duplicate"], "large": ["large"]}
REASONS |= {"off_centre": ["not_great", "multiple"], "several": ["multiple"]}
REASONS |= {"artefact": ["not_great"], "faint": ["not_great"]}

plotting.use_style()
candidates = radiosynth.load_report_candidates()
candidates = candidates[candidates["griese_match"] == "close"]  # within 20 arcsec
images = radiosynth.load_first_dataset(size=150)
row_of = {key: row for row, key in enumerate(images.table["griese_key"])}
pixels = images.images[[row_of[key] for key in candidates["griese_key"]]]
labels = [class_code(name) for name in candidates["class"]]
flags = radiosynth.automatic_cuts(radiosynth.Sample(pixels, labels, candidates))
reason = np.asarray(candidates["reason"])

rows, chosen, drawn = [], [], []
for name, reasons in REASONS.items():
    flagged, meant = np.asarray(flags[name]), np.isin(reason, reasons)
    hits, totals = (flagged & meant).sum(), (flagged.sum(), meant.sum())
    texts = []
    for n in totals:
        low, high = binom_conf_interval(hits, n, interval="wilson") if n else (0, 1)
        texts.append(f"{hits / max(n, 1):.2f} ({low:.2f}–{high:.2f})")
    dropped = f"{(flagged & (reason != '')).sum() / max(flagged.sum(), 1):.2f}"
    rows.append((name, " or ".join(reasons), *totals, hits, *texts, dropped))
    if not flagged.any():  # nothing to show
        continue
    drawn.append(name.replace("_", " "))
    for group in (flagged & (reason != ""), flagged & (reason == "")):
        found = np.flatnonzero(group)[np.argsort(~meant[group], kind="stable")][:4]
        chosen += [*found, *[-1] * (4 - len(found))]
titles = ["" if i < 0 else reason[i].replace("_", " ") or "kept" for i in chosen]
shown = np.sqrt(pixels[chosen])
figure = plotting.image_grid(shown, len(drawn), 8, titles=titles, pixel_scale=1.8)
for axes, title in zip(figure.axes, titles, strict=True):
    axes.images[0].set_visible(bool(title))
style = {"rotation": 90, "ha": "right", "va": "center"}
for axes, name in zip(figure.axes[::8], drawn, strict=True):
    axes.text(-0.06, 0.5, name, transform=axes.transAxes, **style)
figures.save_figure(figure, "selection_flags")

# %%
# Precision and recall for equivalent reasons ("meant"), with 68 % intervals, and the
# proportion of flagged sources rejected for any reason. The thresholds were chosen by
# eye on these images, so the values are optimistic. Of all candidates 0.25 were
# rejected. Images clipped at three times the noise show no artefacts, and their noise
# is only estimated: the last rows say little about those cuts.
columns = ["cut", "reason", "flagged", "meant", "both"]
columns += ["precision", "recall", "rejected"]
figures.save_table(Table(rows=rows, names=columns), "selection_flags")
