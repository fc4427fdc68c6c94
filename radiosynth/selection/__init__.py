"""What a person decides: automatic cuts, a page to review sources on, and decisions applied."""

from radiosynth.selection.cuts import CUTS, Cuts, automatic_cuts, measure_cutouts
from radiosynth.selection.decisions import Agreement, agreement, apply_decisions, read_decisions
from radiosynth.selection.review import read_folder, review_page

__all__ = [
    "CUTS",
    "Agreement",
    "Cuts",
    "agreement",
    "apply_decisions",
    "automatic_cuts",
    "measure_cutouts",
    "read_decisions",
    "read_folder",
    "review_page",
]
