"""What a person decides: automatic cuts, a page to review sources on, and decisions applied.

The names, listed in ``__init__.pyi``, are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
