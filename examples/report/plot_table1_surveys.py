"""
Table 1: radio surveys
======================

Past, present and planned radio surveys: fraction of the sky, angular resolution,
sensitivity and number of sources.

**Report and reproduction.** Quoted from the report; nothing is measured.

FIRST, the survey used here, has 0.9 million sources; the Square Kilometre Array is
expected to find 500 times as many, too many to classify by eye.
"""

from astropy import units as u
from astropy.table import QTable

from radiosynth.reproduction import figures, published

surveys = QTable(published.published()["surveys"])
surveys["resolution"].unit = u.arcsec
surveys["sensitivity"].unit = u.mJy / u.beam
surveys["sources"].info.description = "millions"
figures.save_table(surveys, "table1_surveys", data="as stated in the report")
surveys
