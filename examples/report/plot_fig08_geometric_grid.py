"""
Figure 8: simulated radio galaxies
==================================

What the geometric simulation draws: three FR I galaxies in the first row, three FR II in the second, three
strongly bent sources in the third, each titled with its FR type and bending angle.

A source is a core, two lobes and two halos, all Gaussians; nothing else tells the classes apart than where
the lobes lie, which of their sides is the long one, how wide the halos are, and the bending angle. The
lobes of an FR I galaxy reach outwards from a bright middle, those of an FR II galaxy trail back from bright
ends.
"""

import matplotlib.pyplot as plt
import numpy as np

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures

SEED = 8
plotting.use_style()

# %%
# Each source is drawn from the report's population. The table of the sample keeps every drawn parameter.

fake = radiosynth.simulate(per_class=200, size=56, rng=np.random.default_rng(SEED))
bending, fr_type = np.asarray(fake.table["bending_angle"]), np.asarray(fake.table["fr_type"])
rows = [
    np.flatnonzero(fake.labels == 0)[:3],
    np.flatnonzero(fake.labels == 1)[:3],
    np.flatnonzero((fake.labels == 2) & (bending > 60) & (bending < 120))[:3],
]
chosen = np.concatenate(rows)

titles = [f"FR {'I' * fr_type[i]}, {bending[i]:.0f}°" for i in chosen]
figure = plotting.image_grid(fake.images[chosen], 3, 3, titles=titles, pixel_scale=1.8 * 150 / 56, panel=1.6)
figures.save_figure(figure, "fig08_geometric_grid", seed=SEED, data=None)
plt.show()
