"""
Which parameters of the simulation matter?
==========================================

The difference between simulated and held-out real sources in a single number, the mean
Kolmogorov–Smirnov distance over nine measurements and four classes. Dots: only this
parameter is fitted, and the others are the report's. Squares: only this parameter is
the report's, and the others are fitted.

Squares far to the right of the line of the fitted population mark parameters for which
no other compensates: here the widths of lobes and core, and the distance of the lobes.
All dots are near the report's line: no parameter helps alone. Differences below 0.02
are within the scatter. Nothing here is saved: the page takes about a minute.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from radiosynth import CLASS_NAMES, concatenate, plotting, simulation
from radiosynth.reproduction import figures, presets, samples

plotting.use_style()
config = presets.classifier_config("real", folds=4)
train, *held_out = samples.split_sample(config.sources)
real, number = concatenate(held_out), 100 if config.scale == "smoke" else 1000
report = simulation.report_population()
rng = np.random.default_rng(0)
fitted = simulation.fit_population(train, per_class=number, rng=rng)


def draw(population):
    """Return sources of a population; the random numbers are always the same."""
    rng = np.random.default_rng(1)
    return simulation.simulate(number // 5, real.size, population=population, rng=rng)


names, changed = [], []
for key in {**fitted.bent, **fitted.compact}:
    alone, without = report, fitted
    for name in CLASS_NAMES:
        new = getattr(fitted, name).get(key)
        old = getattr(report, name).get(key, report.FRI.get(key))
        if hasattr(new, "rvs") and key != "position_angle":
            alone = alone.replace(name, **{key: new})
            without = without.replace(name, **{key: old})
    if alone is not report:
        names.append(key.replace("_", " "))
        changed += [alone, without]
samples = itertools.chain(map(draw, changed), [draw(report), draw(fitted), train])
*values, before, after, same = simulation.mismatch(real, samples)
columns = {"parameter": names, "alone fitted": values[::2]}
table = Table({**columns, "alone not fitted": values[1::2]})
table.sort("alone not fitted")

figure, axes = plt.subplots(figsize=(6, 3.8))
one, other = {"color": plotting.TRAINING}, {"color": plotting.VALIDATION}
key = table["parameter"]
axes.plot(table["alone fitted"], key, "o", label="alone fitted", **one)
axes.plot(table["alone not fitted"], key, "s", label="not fitted", **other)
lines = {"report": (before, "--"), "fitted": (after, "-."), "real": (same, ":")}
for name, (value, style) in lines.items():
    axes.axvline(value, color="0.3", ls=style, lw=1, label=f"{name}: {value:.2f}")
axes.set(xlabel="mean distance from the distributions of real sources", xlim=(0, None))
axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
numbers = {"report": before, "fitted": after, "real_to_real": same}
figures.save_figure(figure, "population2_parameters", seed=0, **numbers)
table.round(4)
figures.save_table(table, "population2_parameters", seed=0).pprint_all()
plt.show()
