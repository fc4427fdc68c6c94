"""radiosynth: classify radio galaxies with the help of synthetic training images.

The public names, listed in ``__init__.pyi``, are loaded when they are first used, so that
``import radiosynth`` is quick and does not touch Keras.
"""

import os
from importlib.metadata import version

import lazy_loader

# TensorFlow's own kernels add in an order that depends on which thread is ready first, oneDNN's do not. On
# processors without AVX-512 it would leave oneDNN out; networks are also slower then.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = version("radiosynth")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
