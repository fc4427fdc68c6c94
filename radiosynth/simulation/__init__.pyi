from . import gaussians as gaussians
from .fit import fit_population as fit_population, mismatch as mismatch
from .observe import Observation as Observation, degrade_randomly as degrade_randomly
from .population import (
    Distribution as Distribution,
    Population as Population,
    draw_parameters as draw_parameters,
    report_population as report_population,
    wide_population as wide_population,
)
from .rendering import render as render, simulate as simulate
