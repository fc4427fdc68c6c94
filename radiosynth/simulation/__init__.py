"""Simulated radio galaxies: populations, rendering, and what a telescope sees of them."""

from radiosynth.simulation.degrade import degrade_randomly
from radiosynth.simulation.fit import fit_population, mismatch
from radiosynth.simulation.observe import Observation
from radiosynth.simulation.population import (
    Distribution,
    Population,
    draw_parameters,
    report_population,
    wide_population,
)
from radiosynth.simulation.rendering import render, simulate

__all__ = [
    "Distribution",
    "Observation",
    "Population",
    "degrade_randomly",
    "draw_parameters",
    "fit_population",
    "mismatch",
    "render",
    "report_population",
    "simulate",
    "wide_population",
]
