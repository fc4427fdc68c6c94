"""
Figure 1: three radio galaxies of the sample
============================================

FIRST images, 4.5 arcminutes wide, of a typical FR I, FR II and bent-tailed source.

**Report and reproduction.** The report shows one source of each class, as here; these
are three sources of its sample, from the published images.

An **FR I** galaxy is brightest near its centre and its two jets fade outwards; an **FR
II** galaxy is brightest at the far ends of its lobes, in the hotspots; in a
**bent-tailed** source the two jets are not aligned. A square-root stretch makes the
faint tails visible. Pixels below three times the noise are black, since the published
images are clipped there.
"""

import matplotlib.pyplot as plt
from matplotlib.colors import PowerNorm

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures
from radiosynth.taxonomy import CLASSES

plotting.use_style()
sample = radiosynth.load_report_sample()
names = ("J095527.76+034516.8", "J075628.78+501716.3", "J074305.9+271012")

# %%
# The table of the sample knows each source by the name that its catalogue gave it.

figure, axes = plt.subplots(1, 3, figsize=(6.3, 2.4))
for panel, name in zip(axes, names, strict=True):
    source = sample[sample.table["name"] == name]
    image = source.images[0] / source.images[0].max()
    label = CLASSES[source.labels[0]].label
    options = {"pixel_scale": 1.8, "norm": PowerNorm(0.5, vmin=0, vmax=1)}
    artist = plotting.show_image(panel, image, f"{label}\n{name}", **options)
bar = figure.colorbar(artist, ax=axes, shrink=0.8, ticks=[0, 0.25, 0.5, 1])
bar.set_label("flux density / peak")
figures.save_figure(figure, "fig01_first_cutouts", sources=list(names))
plt.show()
