"""
Figure 11: the classifier
=========================

Three convolutions, each followed by pooling that halves the image, a dense layer, and
four probabilities. The input is a real FR II galaxy of the validation set, and the bars
are the output of the trained network.

**Report and reproduction.** The layers agree with the report's, and at full scale so
does the number of parameters, printed below.

The number of channels increases as the maps become smaller: in the report from 32
channels of 56×56 pixels to 194 of 14×14, fewer at the smaller scales. Nine tenths of
the weights connect the last map to the dense layer.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Patch, Polygon

from radiosynth import plotting, predict
from radiosynth.reproduction import figures, presets, published, recipes, samples

plotting.use_style()
run = recipes.run(presets.classifier_config("real"))
_, validation, _ = samples.split_sample(run.config.sources)

# %%
# The image is the FR II galaxy of the validation set that is classified with the
# highest probability.

model = run.model()
stated = published.published()["parameters"]["classifier"]
print(f"{model.count_params():,} parameters; the report has {stated:,}")
candidates = validation.of_class("FRII")
probabilities = predict(model, candidates.images)
best = int(np.argmax(probabilities[:, 1]))
figure, (stack, bars) = plt.subplots(1, 2, figsize=(7.6, 2.6), width_ratios=(6, 1))
size, edge = model.input_shape[1], {"ec": "black", "lw": 0.6}
below = {"ha": "center", "va": "top", "fontsize": 7}
stack.imshow(candidates.images[best], extent=(0, size, -size / 2, size / 2))
stack.text(size / 2, -size / 2 - 4, f"image\n{size}×{size}", **below)

# Each layer is a slab, as tall as its maps and as deep as it has channels.
colours = {"Conv2D": plotting.CONVOLUTION, "MaxPooling2D": plotting.POOLING}
colours["Dense"] = plotting.DENSE
left = size + 10
for layer in (layer for layer in model.layers if type(layer).__name__ in colours):
    shape, colour = layer.output.shape[1:], colours[type(layer).__name__]
    if len(shape) == 3:
        tall, deep = shape[0], 2 + shape[-1] / 9
        text = f"{shape[0]}×{shape[1]}\n×{shape[2]}"
    else:
        tall, deep = 6 + 60 * min(1, shape[0] / 194), 4
        text = f"{shape[0]}"
    right, high = left + deep, tall / 2
    front = np.array([(left, -high), (right, -high), (right, high), (left, high)])
    corners = np.concatenate([front, front + 0.22 * tall])  # then those of the back
    for face, opacity in (([1, 5, 6, 2], 0.45), ([3, 7, 6, 2], 0.7), ([0, 1, 2, 3], 1)):
        stack.add_patch(Polygon(corners[face], alpha=opacity, fc=colour, **edge))
    stack.text(left + deep / 2, -high - 4, text, **below)
    left = corners[5, 0] + 11
stack.set(xlim=(-2, left), ylim=(-size / 2 - 20, size / 2 + 24))
stack.set_axis_off()
handles = [Patch(fc=colour, **edge) for colour in colours.values()]
kinds = ["convolution 3×3", "max-pooling 2×2", "dense"]
stack.legend(handles, kinds, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
plotting.probability_bars(bars, probabilities[best], truth=1)
bars.set(xlabel="probability", box_aspect=1.6)
name = str(candidates.table["name"][best])
figures.save_figure(figure, "fig11_classifier", runs=[run], sources=[name])
plt.show()
