"""
How long does a generator keep improving?
=========================================

The kernel distance, in the features of a classifier, between sixteen images of each
class generated from fixed noise and held-out real ones, in the course of the training;
it is unbiased even for so few images. Lines are means over five neighbouring frames.
The horizontal axis counts training images, so that networks of one class can be
compared with the conditional one, which divides its images among four.

Check whether a curve still decreases at its right end. The table gives the factor by
which the distance changes when the training doubles, with a 95 % interval, fitted to
all but its first tenth; 1 means no further improvement. The report trained five times
as long as the full scale here: 2.3 more doublings.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from matplotlib.ticker import NullFormatter
from scipy.stats import linregress, t

from radiosynth import CLASS_NAMES, CLASSES, plotting, realism
from radiosynth.reproduction import figures, presets, recipes, samples

plotting.use_style()
config = presets.classifier_config("real")
judge = recipes.run(config)
model = judge.model()
_, real, _ = samples.split_sample(config.sources)
names = [*CLASS_NAMES, "all"]
*single, shared = recipes.run_each([presets.gan_config(name) for name in names])
networks = dict(zip(CLASS_NAMES, single, strict=True))

frame = {"figsize": (9.6, 2.7), "sharey": True, "layout": "constrained"}
figure, panels = plt.subplots(1, 4, **frame)
rows = []
for panel, morphology in zip(panels, CLASSES, strict=True):
    truth = realism.features(model, real.images[real.labels == morphology.code])
    own_network = networks[morphology.name]
    for run, label in ((own_network, "one class"), (shared, "conditional")):
        frames, epochs = run.frames
        own = frames[:, 16 * morphology.code :][:, :16] if run is shared else frames
        drawn = realism.features(model, np.concatenate(own) / np.float32(127.5) - 1)
        parts = np.split(drawn, len(own))
        distances = np.array([realism.kernel_distance(part, truth) for part in parts])
        seen = epochs * sum(run.provenance["training_images"].values())
        late = (epochs > epochs[-1] / 10) & (distances > 0)
        x, y = np.log2(seen[late]), np.log2(distances[late])
        means = [2 ** np.mean(y[max(0, i - 2) : i + 3]) for i in range(len(y))]
        colour = plotting.TRAINING if run is shared else plotting.VALIDATION
        dots = {"color": colour, "alpha": 0.35, "ms": 4}
        panel.loglog(seen[distances > 0], distances[distances > 0], ".", **dots)
        panel.loglog(seen[late], means, color=colour, label=label)
        if len(y) > 3:
            fit = linregress(x, y)
            ends = t.ppf([0.5, 0.025, 0.975], len(y) - 2)
            factors = 2 ** (fit.slope + fit.stderr * ends)
            rows.append((morphology.name, label, int(epochs[-1]), means[-1], *factors))
    panel.set(title=morphology.label, xlabel="images seen")
    panel.xaxis.set_minor_formatter(NullFormatter())
panels[0].set_ylabel("distance from real images")
panels[0].legend()
runs = [judge, *networks.values(), shared]
figures.save_figure(figure, "gan2_progress", runs=runs)
plt.show()
names = ["class", "network", "epochs", "distance", "per doubling", "low", "high"]
table = Table(rows=rows or None, names=names, dtype=[str, str, int, *4 * [float]])
table.round(2)
figures.save_table(table, "gan2_progress", runs=runs).pprint_all()
