"""
The best classifier: are its probabilities to be believed?
==========================================================

A classifier is calibrated if of the images to which it gives 80 % it has eight in ten right. One
temperature, fitted on the folds that each network did not see and never on the test images, makes the
probabilities as broad as they should be. Right: the accuracy on the images about which it is surest.

Look whether the points after scaling lie nearer to the diagonal than before, within their 95 % intervals, and
how many images can be left to a human before the rest are right nine times in ten. This holds for images like
these: of FIRST, from the same catalogues, with as many of each class. Fainter sources, other surveys and
other mixtures of classes were not tested.
"""

import matplotlib.pyplot as plt
import numpy as np

from radiosynth import metrics, plotting
from radiosynth.reproduction import figures, recipes

plotting.use_style()
run = recipes.best_ensemble()
stored = run.predictions
before, after = stored["members"].mean(axis=0), stored["probabilities"]
labels = stored["labels"]

# %%
# Six bins with as many images each.

figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained")
left.plot([0.25, 1], [0.25, 1], color="0.6", lw=1)
losses = {}
for name, p, style, shift in (("before", before, "s", -0.004), ("after scaling", after, "o", 0.004)):
    sure, correct = p.max(axis=1), p.argmax(axis=1) == labels
    losses[name] = float(-np.log(np.maximum(p[np.arange(len(labels)), labels], 1e-7)).mean())
    for number, part in enumerate(np.array_split(np.argsort(sure), 6)):
        value, low, high = metrics.proportion(correct[part], confidence=0.95)
        colour = plotting.TRAINING if name == "before" else plotting.VALIDATION
        label = f"{name} (log loss {losses[name]:.3f})" if number == 0 else None
        error = [[value - low], [high - value]]
        left.errorbar(sure[part].mean() + shift, value, error, fmt=style, color=colour, label=label, ms=4)
left.set(xlabel="probability of the class chosen", ylabel="share that is right")
left.legend(fontsize=7)
order = np.argsort(-after.max(axis=1))
correct = (after.argmax(axis=1) == labels)[order]
kept = np.arange(1, len(order) + 1)
right.plot(100 * kept[20:] / len(kept), (np.cumsum(correct) / kept)[20:], color=plotting.VALIDATION)
right.axhline(0.9, ls=":", color="0.4", lw=1)
right.set(xlabel="surest images kept (%)", ylabel="accuracy on them")
temperature = run.provenance["temperature"]
figures.save_figure(figure, "best2_calibration", runs=[run], log_loss=losses, temperature=temperature)
plt.show()
