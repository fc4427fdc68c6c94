"""Labelled positions: from VizieR, from lists of your own, and matched on the sky.

The names, listed in ``__init__.pyi``, are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
