"""Searchers: what to try next. One file an algorithm."""

from trialist.searchers.auto import Auto
from trialist.searchers.base import Problem, Searcher
from trialist.searchers.cmaes import CMAES
from trialist.searchers.evolution import NSGA2
from trialist.searchers.gp import GP
from trialist.searchers.grid import Grid
from trialist.searchers.perturb import Perturb
from trialist.searchers.qmc import Halton, LatinHypercube, Sobol
from trialist.searchers.random import Random
from trialist.searchers.repeat import Repeat
from trialist.searchers.schedule import Schedule
from trialist.searchers.tpe import TPE

__all__ = [
    "CMAES",
    "GP",
    "NSGA2",
    "TPE",
    "Auto",
    "Grid",
    "Halton",
    "LatinHypercube",
    "Perturb",
    "Problem",
    "Random",
    "Repeat",
    "Schedule",
    "Searcher",
    "Sobol",
]
