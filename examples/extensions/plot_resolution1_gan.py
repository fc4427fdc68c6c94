"""
Resolution 1: the GAN at 56, 112 and 152 pixels
===============================================

Real images and images of class-conditional networks at the report's size, twice and
almost three times that size. The larger networks are trained on *fewer images*, and
none has converged. The curves show the mean Kolmogorov–Smirnov distance of measured
properties from held-out real images (dotted: 64 training images). Compare them at equal
training time. A generator has collapsed if its images vary by less than a quarter of
what real ones do. The table gives the realism of the final images, sixteen of each
class, resampled to 56 pixels.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from scipy.stats import ks_2samp

from radiosynth import (
    CLASSES,
    Sample,
    measurements,
    plotting,
    preprocessing,
    realism,
    surveys,
)
from radiosynth.reproduction import figures, presets, recipes, samples, scales

plotting.use_style()
quick = {**scales.QUICK, "batch_size": 16, "width_multiplier": 0.125, "ema_decay": 0.98}
few = {**quick, "per_class": 48, "fraction": 0.1, "epochs": 1}
laptop = [{**quick, "per_class": 400, "epochs": epochs} for epochs in (8, 4, 2)]
smoke = scales.current_scale() == "smoke"
changes, thin, draws = ([few] * 2, 4, 2) if smoke else (laptop, 1, 10)
runs, fakes, kinds = [], [], ["real"]
for size, change in zip((56, 112, 152), changes, strict=False):
    run = recipes.run(presets.gan_config("all", size=size, **change))
    last = run.frames[0][-1] / np.float32(127.5) - 1
    codes = np.repeat(np.arange(len(CLASSES)), len(last) // len(CLASSES))
    fakes.append(Sample(last, codes))
    kinds.append("GAN,\ncollapsed" if run.provenance["collapsed"] else "GAN")
    runs.append(run)
judge = recipes.largest(partial(presets.classifier_config, "real")).model()
sources = [samples.split_sample(run.config.sources) for run in runs]
reals, held_out, _ = zip(*sources, strict=True)
figure, axes = plt.subplots(1 + len(runs), 12, figsize=(8.4, 3.2))
for line, sample, kind in zip(axes, (reals[-1], *fakes), kinds, strict=True):
    line[0].set_ylabel(f"{kind}, {sample.size}", fontsize=7)
    firsts = [np.flatnonzero(sample.labels == code)[:3] for code in range(4)]
    chosen = np.concatenate(firsts)
    for panel, image in zip(line, sample.images[chosen], strict=True):
        plotting.show_image(panel, np.sqrt((image + 1) / 2), vmin=0, vmax=1)
figures.save_figure(figure, "resolution1_gan", runs=runs)

# %%
figure, axes = plt.subplots(figsize=(5, 3))
rng, rows = np.random.default_rng(0), []
names = ("concentration", "angular_size", "axis_ratio", "components")
for run, real, unseen, fake in zip(runs, reals, held_out, fakes, strict=True):
    frames, epochs = run.frames
    members = [np.flatnonzero(real.labels == code) for code in range(4)]
    even = np.concatenate([rng.permutation(each)[:16] for each in members])
    sets, scale = [unseen.images, real.images[even]], surveys.FIRST.scale(real.size)
    sets += list(frames[:, ::thin])
    truth, *others = (
        measurements.measure(images, pixel_scale=scale) for images in sets
    )
    reference, *gaps = (
        np.mean([ks_2samp(truth[name], each[name]).statistic for name in names])
        for each in others
    )
    steps = epochs * (4 * run.config.per_class // run.config.settings.batch_size)
    seconds = np.append(0, np.cumsum(run.history["seconds"]))[epochs]
    axes.plot(seconds, gaps, "o-", ms=3, label=f"{real.size} px, {steps[-1]} steps")
    axes.axhline(reference, color="0.5", ls=":", lw=0.8)
    resized = preprocessing.scale(preprocessing.resize(fake.images, 56))
    small, options = fake.derived(resized, "resized"), {"draws": draws, "rng": rng}
    judged = realism.realism(held_out[0], small, judge, training=reals[0], **options)
    rows += [(real.size, steps[-1], seconds[-1], gaps[-1], *row) for row in judged]
axes.set(xlabel="seconds of training", ylabel="distance from real images", ylim=(0, 1))
axes.legend()
figures.save_figure(figure, "resolution1_cost", runs=runs)
columns = ["size", "steps", "seconds", "distance", "class", "measure"]
columns += ["value", "low", "high", "reference"]
table = Table(rows=rows, names=columns)
table.round(4)
figures.save_table(table, "resolution1_gan", runs=runs).pprint_all()
