from .islands import measure_islands as measure_islands
from .sources import (
    bending_angle as bending_angle,
    largest_extent as largest_extent,
    measure as measure,
    measure_angles as measure_angles,
)
