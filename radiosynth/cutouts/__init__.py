"""Image cutouts: read from files, written to files, fetched from servers."""

from radiosynth.cutouts.download import download_cutouts
from radiosynth.cutouts.read import CutoutError, read_cutouts
from radiosynth.cutouts.write import MANIFEST, write_cutouts

__all__ = ["MANIFEST", "CutoutError", "download_cutouts", "read_cutouts", "write_cutouts"]
