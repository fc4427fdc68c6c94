"""
VAE 3: how realistic are its images?
====================================

Images from the variational autoencoder compared with those of the geometric simulation
and of four GANs, one for each class: their distance from real images by each measure of
realism, relative to that between two sets of real images (the reference). Points are
medians over the four classes. Autoencoder and GANs were trained at laptop scale; the
features are those of the full-scale classifier, if that is saved.

Points at 1 are as close to real images as other real images are. Whether images of
autoencoders improve the classification is tested in :figure:`verdict2_comparison`: no
gain is detected, and outside the sample the balanced accuracy falls.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import CLASS_NAMES, generators, plotting, realism, simulation
from radiosynth.reproduction import figures, presets, recipes, samples, scales

plotting.use_style()
judge = recipes.largest(partial(presets.classifier_config, "real"))
gans = recipes.run_each([presets.gan_config(name) for name in CLASS_NAMES])
vae = recipes.run(presets.vae_config())
train, real, _ = samples.split_sample(judge.config.sources)
number, draws = (60, 2) if scales.current_scale() == "smoke" else (300, 10)
rng = np.random.default_rng(0)
fakes = {"geometric": simulation.simulate(number, real.size, rng=rng)}
for name, runs in {"GAN": gans, "VAE": [vae]}.items():
    folders = [run.folder for run in runs]
    fakes[name] = generators.sample_generators(folders, number, rng=rng)
network, options = judge.model(), {"training": train, "draws": draws, "rng": rng}
found = {
    name: realism.realism(real, fake, network, **options)
    for name, fake in fakes.items()
}
table = found["VAE"]["class", "measure", "reference"]
table.add_columns([found[name]["value"] for name in fakes], names=list(fakes))
table.round(5)
used = [judge, *gans, vae]
figures.save_table(table, "vae3_realism", runs=used).pprint_all()

# %%
# The same as a figure. The kernel distance is in the table only, since its reference is
# about zero.

groups = table[table["measure"] != "kernel distance"].group_by("measure").groups
figure, axes = plt.subplots(figsize=(6, 3.2))
for name, marker in zip(fakes, "osD", strict=True):
    # There is no ratio to a reference of zero, which a few images may give.
    pairs = [(group[name].data, group["reference"].data) for group in groups]
    ratios = [np.ma.median(np.ma.masked_invalid(np.ma.divide(*pair))) for pair in pairs]
    axes.plot(ratios, groups.keys["measure"], marker, label=name, alpha=0.7)
axes.axvline(1, color="0.6", lw=0.8, zorder=0)
axes.set(xscale="log", xlabel="distance from real images / reference")
axes.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
axes.minorticks_off()
axes.legend(loc="upper right")
figures.save_figure(figure, "vae3_realism", runs=used)
plt.show()
