"""How far a source is from all that a network has learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from radiosynth._io import read_arrays, write_arrays
from radiosynth.classification.predicting import predict

FEATURES = "mean"
"""Name of the layer of a network whose output the distances are measured in."""


@dataclass(frozen=True)
class Oddness:
    """The distance of an image to the nearest class, in the features of a network.

    It is the Mahalanobis distance to the mean of the training images of a class, with one covariance for all
    classes (Lee et al. 2018, arXiv:1807.03888), shrunk by a tenth towards a multiple of the identity.

    Parameters
    ----------
    means : ndarray of float32, shape (d, classes)
        Mean features of each class, whitened.
    whitening : ndarray of float32, shape (d, d)
        From features to such of unit covariance.
    limit : float
        The distance beyond which an image is odd.
    """

    means: NDArray[np.float32]
    whitening: NDArray[np.float32]
    limit: float

    @classmethod
    def fitted(
        cls, model: keras.Model, images: NDArray, labels: NDArray, usual: NDArray, false_alarms: float = 0.01
    ) -> Oddness:
        """Measure what a network makes of its training images.

        Parameters
        ----------
        model : keras.Model
            A trained network with a layer ``mean``, as the residual and the foveated ones.
        images : ndarray of float32, shape (n, size, size)
            Prepared images of sources that are not odd, such as those that it was trained on.
        labels : ndarray of int, shape (n,)
            Their classes.
        usual : ndarray of float32, shape (m, size, size)
            Others, which it was not trained on and which set the limit.
        false_alarms : float
            Proportion of these that is odd.

        Returns
        -------
        Oddness
            To be added to the network.
        """
        from sklearn.covariance import ShrunkCovariance  # to ask a network needs none of it

        features = predict(keras.Model(model.input, model.get_layer(FEATURES).output), images).astype(float)
        codes, own = np.unique(labels, return_inverse=True)
        means = np.stack([features[labels == code].mean(axis=0) for code in codes])
        precision = ShrunkCovariance(assume_centered=True).fit(features - means[own]).precision_
        whitening = np.linalg.cholesky(precision)
        unscaled = cls((means @ whitening).astype(np.float32).T, whitening.astype(np.float32), 1.0)
        _, distances = predict(unscaled.added(model), usual)
        return cls(unscaled.means, whitening, float(np.quantile(distances, 1 - false_alarms)))

    @classmethod
    def read(cls, folder: Path) -> Oddness | None:
        """Return what `save` wrote to a folder, or None if it holds no such file."""
        path = folder / "oddness.npz"
        if not path.exists():
            return None
        stored = read_arrays(path, {"means": "f2", "whitening": "f2", "limit": "f0"}, advice="save it again")
        return cls(stored["means"], stored["whitening"], float(stored["limit"]))

    def save(self, folder: Path) -> None:
        """Write ``oddness.npz`` to a folder."""
        write_arrays(folder / "oddness.npz", **vars(self))

    def added(self, model: keras.Model) -> keras.Model:
        """Return the network with a second output: the oddness (n,), in units of the limit."""
        d, k = self.means.shape
        features = ops.cast(model.get_layer(FEATURES).output, "float32")
        # The mean over the classes is taken off first, so that no small difference of large numbers remains.
        middle = self.means.mean(axis=1)
        means = self.means - middle[:, None]
        whiten = keras.layers.Dense(d, dtype="float32", name="whitened")
        compare = keras.layers.Dense(k, dtype="float32", name="compared")
        white = whiten(features)
        # |w - m|² = |w|² - 2 w·m + |m|², the smallest over the classes. The column comes first: otherwise
        # Keras with TensorFlow takes it for a bias along the other axis if images are as many as classes.
        squares = ops.sum(white**2, axis=1, keepdims=True) + compare(white)
        odd = ops.sqrt(ops.maximum(ops.min(squares, axis=1), 0)) / self.limit
        whiten.set_weights([self.whitening, -middle])
        compare.set_weights([-2 * means, (means**2).sum(axis=0)])
        named = keras.layers.Identity(dtype="float32", name="oddness")(odd)
        return keras.Model(model.input, [model.output, named], name=model.name)
