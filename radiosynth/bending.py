"""Train a network to read bending angles from images, and ask it.

A bending angle is 0 for a straight source and 180 degrees where both jets point the same way.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from astropy.table import Table
from keras import ops
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from radiosynth import training
from radiosynth._io import check
from radiosynth.augmentation import rotate_flip
from radiosynth.classification import RegressorSettings, predict
from radiosynth.networks.classifiers import build_regressor
from radiosynth.networks.kinds import OUTPUTS
from radiosynth.networks.layers import keras_defaults
from radiosynth.sample import Sample, floats
from radiosynth.simulation.population import Population, report_population

DEGREE = float(np.pi / 180)


def matched_population(angles: ArrayLike) -> Population:
    """Return the report's population with bending angles that are distributed as measured ones.

    FR I and FR II sources take a beta distribution over 0 to 180 degrees, fitted by maximum likelihood.
    Their cores are at the centre, as the host galaxies of the real sources are, and their lobes are
    narrower and more unequal than the report's; that was set by hand, not fitted.

    Parameters
    ----------
    angles : array_like of float, shape (n,)
        Measured bending angles in degrees, from 0 to 180, not all alike.

    Returns
    -------
    Population
        To draw sources of FRI and FRII from.

    Raises
    ------
    ValueError
        If an angle is out of range, or there are not two different ones.
    """
    values = np.asarray(angles, float)
    # The catalogue gives tenths of a degree; 0 itself has no finite likelihood.
    inside = np.clip(values, 0.05, 179.95)
    fault = f"{values.size} angles: give some that differ by a tenth of a degree, all from 0 to 180 degrees"
    check(((values >= 0) & (values <= 180)).all() and len(np.unique(inside)) >= 2, fault)
    a, b, *_ = stats.beta.fit(inside, floc=0, fscale=180)
    changes = {
        "bending_angle": stats.beta(a, b, scale=180),
        "core_x": 28.0,
        "core_y": 28.0,
        "lobe_amplitude_difference": stats.norm(0, 0.4),
        "lobe_sigma_across": 1.2,
        "lobe_sigma_along": stats.uniform(1.2, 1.3),
    }
    return report_population().replace("FRI", **changes).replace("FRII", **changes)


def _targets(sample: Sample) -> NDArray[np.float32]:
    """Return bending angle and position angles of both jets in degrees, NaN where not known."""
    names = ("bending_angle", "position_angle")
    bend, first = (floats(sample.table, name).astype(np.float32) for name in names)
    # As `radiosynth.simulation.render` has it: the second jet lies at 180 degrees less the bending angle.
    return np.stack([np.abs(bend), first, first + 180 - bend], axis=1)


def _angle(output: Any) -> Any:
    """Return the bending angle in degrees, shape (n,), that an output of any kind means."""
    if output.shape[-1] < OUTPUTS["jets"]:
        return output[:, 0]
    x1, y1, x2, y2 = (output[:, i] for i in range(4))
    return ops.arctan2(ops.abs(x1 * y2 - y1 * x2), -(x1 * x2 + y1 * y2)) / DEGREE


def mae(truth: Any, output: Any) -> Any:
    """Return the absolute error of the bending angle in degrees, per image."""
    return ops.abs(_angle(output) - truth[:, 0])


def mse(truth: Any, output: Any) -> Any:
    """Return the squared error of the bending angle in square degrees, per image."""
    return ops.square(_angle(output) - truth[:, 0])


def _likelihood(truth: Any, output: Any) -> Any:
    """Return the negative logarithm of a Laplace distribution, whose tails are those of the errors."""
    return mae(truth, output) / output[:, 1] + ops.log(2 * output[:, 1])


def _jets(truth: Any, output: Any) -> Any:
    """Return the squared error of the bend and, where known, that of the jets, whichever comes first."""
    known = ops.logical_not(ops.isnan(truth[:, 1]))
    angles = ops.where(known[:, None], truth[:, 1:], 0.0) * DEGREE
    unit = ops.stack([ops.cos(angles), ops.sin(angles)], axis=2)
    jets = ops.reshape(output, (-1, 2, 2))
    straight = ops.sum(ops.square(jets - unit), axis=(1, 2))
    swapped = ops.sum(ops.square(ops.flip(jets, axis=1) - unit), axis=(1, 2))
    return mse(truth, output) * DEGREE**2 + ops.where(known, ops.minimum(straight, swapped), 0.0)


LOSSES = {"linear": mse, "bounded": mse, "spread": _likelihood, "jets": _jets}


@keras_defaults()
def train_regressor(
    train: Sample,
    validation: Sample,
    settings: RegressorSettings | None = None,
    *,
    folder: str | Path,
    start: keras.Model | None = None,
    fingerprint: str = "",
    time_limit: float | None = None,
) -> tuple[keras.Model, training.History]:
    """Train a network to read the bending angle of a source.

    RMSprop; the loss is the squared error, and for an output with spread the likelihood of a Laplace
    distribution. Jets are learned where the table has ``position_angle``, as that of a simulation has.

    Parameters
    ----------
    train, validation : Sample
        Images in [-1, 1], of one size, whose tables have ``bending_angle`` (deg). The validation images
        choose nothing.
    settings : RegressorSettings, optional
        Those of the report's author if not given.
    folder : path-like
        Where the checkpoint is kept.
    start : keras.Model, optional
        A trained regressor of the same kind, whose weights are the first.
    fingerprint, time_limit
        As for `radiosynth.train_classifier`.

    Returns
    -------
    model : keras.Model
        The trained network.
    history : dict of str to list of float
        Per epoch: ``loss``, ``mae`` (deg) and ``mse`` (deg²) in training (running means, with dropout),
        ``val_mae`` and ``val_mse``, and ``seconds``.

    Raises
    ------
    ValueError
        If a sample is empty, lacks angles or is not scaled to [-1, 1], or the sizes differ.
    radiosynth.training.TrainingStopped
        If a time limit or a signal ended the training; calling again resumes.
    radiosynth.training.TrainingDiverged
        If the loss or a weight is not finite any more.
    """
    settings = settings or RegressorSettings()
    for name, sample in (("train", train), ("validation", validation)):
        unknown = int((~np.isfinite(_targets(sample)[:, 0])).sum())
        fault = f"the {name} sample has {len(sample)} images, {unknown} without a bending angle"
        check(len(sample) and not unknown, f"{fault}: give each its bending_angle (degrees) in the table")
    training.check_pair(train, validation)
    model = build_regressor(train.size, output=settings.output, **settings.arguments())
    if start is not None:
        model.set_weights(start.get_weights())
    arrays, truth = (train.images[..., None], _targets(train)), _targets(validation)
    batches, initial = training.Batches(arrays, settings.batch_size, seed=settings.seed), model.get_weights()

    def scores(model: keras.Model) -> dict[str, float]:
        error = predict_angles(model, validation.images)["bending_angle"] - truth[:, 0]
        return {"val_mae": float(np.abs(error).mean()), "val_mse": float(np.square(error).mean())}

    optimizer = keras.optimizers.RMSprop(settings.rate(batches.steps))
    training.compile_model(model, optimizer, LOSSES[settings.output], (mae, mse))
    fit = partial(training.fit, model, batches, epochs=settings.epochs, folder=folder, time_limit=time_limit)
    identity = training.fingerprint(fingerprint, settings, *arrays, validation.images, truth, *initial)
    return model, fit(fingerprint=identity, scores=scores, title="regressor")


def predict_angles(model: keras.Model, images: ArrayLike, *, n_rotations: int = 1) -> Table:
    """Return the bending angles of images, perhaps with test-time augmentation.

    Parameters
    ----------
    model : keras.Model
        A trained regressor.
    images : array_like of float32, shape (n, size, size)
        Images in [-1, 1], prepared as the training images were.
    n_rotations : int
        Average over so many rotations of each image through a full circle, every other one flipped.

    Returns
    -------
    ~astropy.table.Table
        ``bending_angle`` (deg) and, as the network has them, ``spread`` (deg, the expected absolute error)
        or ``position_angle_1`` and ``position_angle_2`` (deg, from 0 to 360, of the image as it is).

    Raises
    ------
    ValueError
        If the images are not of the size that the model takes, or `n_rotations` is below 1.
    """
    check(n_rotations >= 1, f"n_rotations={n_rotations}: give 1 for the images as they are, or more")
    pixels = np.asarray(images, np.float32)
    n = len(pixels)
    outputs = [predict(model, pixels)]
    for number in range(1, n_rotations):
        rotated = rotate_flip(pixels, np.full(n, 360 * number / n_rotations), np.full(n, number % 2 == 1))
        outputs.append(predict(model, rotated))
    angles = [ops.convert_to_numpy(_angle(output)) for output in outputs]
    found = {"bending_angle": np.mean(angles, axis=0)}
    if model.output_shape[-1] == OUTPUTS["spread"]:
        found["spread"] = np.mean([output[:, 1] for output in outputs], axis=0)
    elif model.output_shape[-1] == OUTPUTS["jets"]:
        for i in (0, 1):
            x, y = outputs[0][:, 2 * i : 2 * i + 2].T
            found[f"position_angle_{i + 1}"] = np.degrees(np.arctan2(y, x)) % 360
    return Table(found, units=dict.fromkeys(found, "deg"))
