"""
Figure 11: the classifier
=========================

Three convolutions, each followed by pooling that halves the image, a dense layer, and four probabilities.
The input is a real FR II galaxy of the validation set, and the bars are the output of the trained
network.

**Report and reproduction.** The layers agree with the report's, and so does the number of parameters at
full scale; it is printed below.

The number of channels increases as the maps become smaller: in the report from 32 channels of 56×56
pixels to 194 of 14×14, fewer at the small scales. Nine tenths of the weights connect the last map to the
dense layer.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import plotting, predict
from radiosynth.reproduction import figures, presets, published, recipes, samples

plotting.use_style()
run = recipes.run(presets.classifier_config("real"))
_, validation, _ = samples.split_sample(run.config.sources)

# %%
# The image is the FR II galaxy of the validation set that is classified with the highest probability.

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
