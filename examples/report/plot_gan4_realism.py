"""
How real are the synthetic images?
==================================

What an astronomer would measure of a source, class by class, on real images, on geometric simulations and
on images from the adversarial networks, all measured alike. Real are the *training* sources, which the
networks learned. Boxes hold the middle half of the sources, the line is the median, whiskers nine tenths.

Look for boxes of one class that agree in height and in length. The images of a network that has collapsed
are all alike: its boxes are short. Where a class has hardly a source of two components there is no bending.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import vstack

from radiosynth import CLASSES, experiments, gan, geometric, metrics, plotting

plotting.use_style()
config = experiments.classifier_config("real")
runs = [experiments.run(each) for each in (config, *experiments.classifier_config("real+gan").generators)]
real, _ = experiments.split_sample(config)
number = max(real.counts().values())
samples = {
    "real": real,
    "geometric": geometric.simulate(number, config.size, rng=np.random.default_rng(0)),
    "GAN": gan.sample_generators([run.folder for run in runs[1:]], number, rng=np.random.default_rng(0)),
}

# %%
# The three colours are also three shades of grey.

colours = ("#0B3C5D", "#D98E04", "#F6E3BA")
scale = geometric.FIELD / config.size
measured = [metrics.source_properties(sample.images, pixel_scale=scale) for sample in samples.values()]
figure, axes = plt.subplots(5, 4, figsize=(7.6, 8.2), sharex=True, sharey="row")
for row, name in zip(axes, measured[0].colnames, strict=True):
    for panel, morphology in zip(row, CLASSES, strict=True):
        chosen = [s.labels == morphology.code for s in samples.values()]
        values = [np.asarray(table[name])[these] for table, these in zip(measured, chosen, strict=True)]
        boxes = panel.boxplot([v[np.isfinite(v)] for v in values], widths=0.7, whis=(5, 95), showfliers=False,
                              patch_artist=True, tick_labels=list(samples))  # fmt: skip
        for box, line, colour in zip(boxes["boxes"], boxes["medians"], colours, strict=True):
            box.set_facecolor(colour)
            line.set_color("white" if colour == colours[0] else "black")
        panel.tick_params(axis="x", labelsize=7)
    unit = measured[0][name].unit
    row[0].set_ylabel(name.replace("_", " ") + (f" ({unit})" if unit else ""))
for panel, morphology in zip(axes[0], CLASSES, strict=True):
    panel.set_title(morphology.label)
plotting.save_figure(figure, "gan4_realism", runs=runs)
plt.show()

# %%
# Distances from the real images, and their floor: the same between two halves of the real images.

fakes, rng = list(samples)[1:], np.random.default_rng(0)
tables = [metrics.realism(real, samples[kind], runs[0].model(), rng=rng) for kind in fakes]
for kind, table in zip(fakes, tables, strict=True):
    table.add_column([kind] * len(table), name="images", index=0)
table = plotting.save_table(vstack(tables), "gan4_realism", runs=runs)
for column in table.colnames[3:]:
    table[column].info.format = ".3g"
print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")
