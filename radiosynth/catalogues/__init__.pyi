from .angles import designation as designation
from .matching import (
    add_decisions as add_decisions,
    cross_match as cross_match,
    find_duplicates as find_duplicates,
    sky_groups as sky_groups,
)
from .positions import read_positions as read_positions
from .vizier import (
    CATALOGUES as CATALOGUES,
    load_catalogue as load_catalogue,
    load_report_sources as load_report_sources,
)
