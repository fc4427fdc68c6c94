"""What concerns this one report: the comparison of training sets, as its protocol lays it down.

The modules, listed in ``__init__.pyi``, are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
