"""Every quantity that is measured on an image."""

from radiosynth.measurements.angles import bending_angle, measure_angles
from radiosynth.measurements.islands import measure_islands
from radiosynth.measurements.shapes import measure_shapes
from radiosynth.measurements.sources import finite_images, largest_extent, measure, source_properties

__all__ = [
    "bending_angle",
    "finite_images",
    "largest_extent",
    "measure",
    "measure_angles",
    "measure_islands",
    "measure_shapes",
    "source_properties",
]
