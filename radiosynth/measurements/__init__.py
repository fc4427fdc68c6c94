"""Every quantity that is measured on an image."""

from radiosynth.measurements.islands import measure_islands
from radiosynth.measurements.sources import (
    bending_angle,
    largest_extent,
    measure,
    measure_angles,
    source_properties,
)

__all__ = [
    "bending_angle",
    "largest_extent",
    "measure",
    "measure_angles",
    "measure_islands",
    "source_properties",
]
