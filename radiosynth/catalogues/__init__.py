"""Labelled positions: from VizieR, from lists of your own, and matched on the sky."""

from radiosynth.catalogues.designations import designation
from radiosynth.catalogues.matching import add_decisions, cross_match, find_duplicates, sky_groups
from radiosynth.catalogues.positions import read_positions
from radiosynth.catalogues.vizier import CATALOGUES, Catalogue, load_catalogue, load_report_sources

__all__ = [
    "CATALOGUES",
    "Catalogue",
    "add_decisions",
    "cross_match",
    "designation",
    "find_duplicates",
    "load_catalogue",
    "load_report_sources",
    "read_positions",
    "sky_groups",
]
