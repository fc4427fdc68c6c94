"""What concerns this one report: the comparison of training sets, as its protocol lays it down."""
