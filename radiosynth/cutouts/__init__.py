"""Image cutouts: read from files and mosaics, written to files, fetched from servers."""

from radiosynth.cutouts.download import download_cutouts
from radiosynth.cutouts.files import CutoutError
from radiosynth.cutouts.manifest import MANIFEST
from radiosynth.cutouts.mosaic import cutouts_from_mosaic
from radiosynth.cutouts.read import read_cutouts
from radiosynth.cutouts.write import write_cutouts
from radiosynth.surveys import First, SkyView, Survey

__all__ = [
    "MANIFEST",
    "CutoutError",
    "First",
    "SkyView",
    "Survey",
    "cutouts_from_mosaic",
    "download_cutouts",
    "read_cutouts",
    "write_cutouts",
]
