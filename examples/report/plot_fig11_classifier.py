"""
Figure 11: the classifier
=========================

What the network is: three convolutions, each followed by a pooling that halves the image, a dense layer,
and four probabilities. The image that enters here is a real FR II galaxy of the validation set, and the
bars are what the trained network makes of it.

Convolutions have ever more channels on ever smaller maps, in the report from 32 channels of 56×56 pixels
to 194 of 14×14, and fewer at the small scales. Nine tenths of the weights sit between the last map and
the dense layer.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting, predict
from radiosynth.reproduction import figures, presets, published, recipes, samples

plotting.use_style()
run = recipes.run(presets.classifier_config("real"))
_, validation, _ = samples.split_sample(run.config.sources)

# %%
# The image is the FR II galaxy of the validation set that the network is surest of.

model = run.model()
stated = published.published()["parameters"]["classifier"]
print(f"{model.count_params():,} parameters; the report has {stated:,}")
candidates = validation.of_class("FRII")
probabilities = predict(model, candidates.images)
best = int(np.argmax(probabilities[:, 1]))

figure, (stack, bars) = plt.subplots(1, 2, figsize=(7.6, 2.6), width_ratios=(6, 1))
plotting.network_stack(stack, model, candidates.images[best])
plotting.probability_bars(bars, probabilities[best], truth=1)
bars.set(xlabel="probability", box_aspect=1.6)
figures.save_figure(figure, "fig11_classifier", runs=[run], sources=[str(candidates.table["name"][best])])
plt.show()
