from .cuts import CUTS as CUTS, Cuts as Cuts, automatic_cuts as automatic_cuts
from .decisions import (
    Agreement as Agreement,
    agreement as agreement,
    apply_decisions as apply_decisions,
    read_decisions as read_decisions,
)
from .review import read_folder as read_folder, review_page as review_page
