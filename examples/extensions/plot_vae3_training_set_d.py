"""
VAE 3: training set (d), real images and those of an autoencoder
================================================================

Images from the variational autoencoder compared with those of the geometric simulation
and of the conditional GAN: their distance from real images, and the accuracy of a
classifier trained with them. The report compares real images alone (a), 91 %, with GAN
images added (c), 92 %.

Left: distances relative to the real-to-real reference, medians over the classes. Right:
change in accuracy on the 160 validation sources, 40 of each class (so accuracy and
balanced accuracy are the same), relative to that of (a), with paired 95 % intervals
over sources.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from scipy.stats import bootstrap

from radiosynth import generators, plotting, realism, simulation
from radiosynth.reproduction import figures, presets, recipes, samples, scales

plotting.use_style()
sets = ("real", "real+gan", "real+vae")
runs = [recipes.run(presets.classifier_config(name)) for name in sets]
drawing = [recipes.run(presets.gan_config("all")), recipes.run(presets.vae_config())]
train, real, _ = samples.split_sample(runs[0].config.sources)
number, draws = (60, 2) if scales.current_scale() == "smoke" else (300, 10)
rng = np.random.default_rng(0)
fakes = {"geometric": simulation.simulate(number, real.size, rng=rng)}
for name, run in zip(("GAN", "VAE"), drawing, strict=True):
    fakes[name] = generators.sample_generators([run.folder], number, rng=rng)
judge, options = runs[0].model(), {"training": train, "draws": draws, "rng": rng}
found = {k: realism.realism(real, fake, judge, **options) for k, fake in fakes.items()}
table = found["VAE"]["class", "measure", "reference"]
table.add_columns([found[name]["value"] for name in fakes], names=list(fakes))
# The kernel distance is in the table only, since its reference is about zero.
groups = table[table["measure"] != "kernel distance"].group_by("measure").groups
table.round(5)
figures.save_table(table, "vae3_realism", runs=runs + drawing).pprint_all()
# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2))
for k in fakes:
    pairs = [(group[k].data, group["reference"].data) for group in groups]
    # There is no ratio to a reference of zero, which a few images may give.
    ratios = [np.ma.median(np.ma.masked_invalid(np.ma.divide(*pair))) for pair in pairs]
    left.plot(ratios, groups.keys["measure"], "o", label=k)
left.set(xscale="log", xlabel="distance from real images / reference")
left.legend(loc="upper right")
rows, hits = [], {}
for name, run in zip(sets, runs, strict=True):
    stored = run.predictions
    right_ones = stored["probabilities"].argmax(axis=1) == stored["labels"]
    _, source = np.unique(stored["names"], return_inverse=True)
    hits[name] = np.bincount(source, right_ones) / np.bincount(source)
    for kind, x in (("accuracy", hits[name]), ("gain", hits[name] - hits["real"])):
        drawn = bootstrap((x,), np.mean, method="percentile", rng=rng)
        ends = drawn.confidence_interval
        rows.append((name, kind, 100 * x.mean(), 100 * ends.low, 100 * ends.high))
scores = Table(rows=rows, names=("training set", "number", "percent", "low", "high"))
scores.round(2)
figures.save_table(scores, "vae3_training_set_d", runs=runs + drawing).pprint_all()
gains = scores[scores["number"] == "gain"][1:]
error = (gains["percent"] - gains["low"], gains["high"] - gains["percent"])
right.errorbar(gains["percent"], gains["training set"], xerr=error, fmt="D", capsize=4)
right.axvline(0, color="0.6", lw=0.8)
right.set(xlabel="change in accuracy / percentage points", ylim=(-0.6, 1.6))
figures.save_figure(figure, "vae3_training_set_d", runs=runs + drawing)
