from .download import (  # type: ignore[attr-defined]
    First as First,
    SkyView as SkyView,
    Survey as Survey,
    download_cutouts as download_cutouts,
)
from .files import CutoutError as CutoutError
from .manifest import MANIFEST as MANIFEST
from .mosaic import cutouts_from_mosaic as cutouts_from_mosaic
from .read import read_cutouts as read_cutouts
from .write import write_cutouts as write_cutouts
