"""
Figure 8: simulated radio galaxies
==================================

Geometric simulations: three FR I galaxies (first row), three FR II galaxies (second
row) and three strongly bent sources (third row), with FR type and bending angle.

**Report and reproduction.** The report shows nine sources in the same arrangement. The
distributions of the parameters agree (:figure:`published_reproduced`); these are other
random draws from them.

A source is the sum of a core, two lobes and two halos, all Gaussian. The classes differ
only in the distance of the lobes, in which of their sides is longer, in the width of
the halos, and in the bending angle. FR I lobes extend outwards from a bright centre, FR
II lobes back from bright ends.
"""

import matplotlib.pyplot as plt
import numpy as np

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures

SEED = 8
plotting.use_style()

# %%
# Each source is drawn from the report's population. The table of the sample keeps every
# drawn parameter.

fake = radiosynth.simulate(per_class=200, size=56, rng=np.random.default_rng(SEED))
bending = np.asarray(fake.table["bending_angle"])
fr_type = np.asarray(fake.table["fr_type"])
rows = [
    np.flatnonzero(fake.labels == 0)[:3],
    np.flatnonzero(fake.labels == 1)[:3],
    np.flatnonzero((fake.labels == 2) & (bending > 60) & (bending < 120))[:3],
]
chosen = np.concatenate(rows)

titles = [f"FR {'I' * fr_type[i]}, {bending[i]:.0f}°" for i in chosen]
options = {"titles": titles, "pixel_scale": 1.8 * 150 / 56, "panel": 1.6}
figure = plotting.image_grid(fake.images[chosen], 3, 3, **options)
figures.save_figure(figure, "fig08_geometric_grid", seed=SEED, data=None)
plt.show()
