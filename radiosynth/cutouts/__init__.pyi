from .download import download_cutouts as download_cutouts
from .files import CutoutError as CutoutError
from .mosaic import cutouts_from_mosaic as cutouts_from_mosaic
from .read import read_cutouts as read_cutouts
from .write import write_cutouts as write_cutouts
