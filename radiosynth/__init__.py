"""radiosynth: classify radio galaxies with the help of synthetic training images.

The public names, listed in ``__init__.pyi``, are loaded when they are first used, so that
``import radiosynth`` is quick and does not touch Keras.
"""

from importlib.metadata import version

import lazy_loader

__version__ = version("radiosynth")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
