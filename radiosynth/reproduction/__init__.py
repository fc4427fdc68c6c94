"""What concerns this one report: its figures, tables and runs, and the comparison of training sets.

The modules, listed in ``__init__.pyi``, are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
