"""Searchers: what to try next. One file an algorithm."""

from trialwright.searchers.auto import Auto
from trialwright.searchers.base import Problem, Searcher
from trialwright.searchers.batched import Batched
from trialwright.searchers.cmaes import CMAES
from trialwright.searchers.dehb import DEHB
from trialwright.searchers.evolution import NSGA2
from trialwright.searchers.explore import Perturb, Schedule
from trialwright.searchers.gp import GP
from trialwright.searchers.hypertune import HyperTune
from trialwright.searchers.pb2 import PB2
from trialwright.searchers.priorband import PriorBand
from trialwright.searchers.repeat import Race, Repeat
from trialwright.searchers.sampling import Grid, Halton, LatinHypercube, Random, Sobol
from trialwright.searchers.tpe import TPE

__all__ = [
    "CMAES",
    "DEHB",
    "GP",
    "NSGA2",
    "PB2",
    "TPE",
    "Auto",
    "Batched",
    "Grid",
    "Halton",
    "HyperTune",
    "LatinHypercube",
    "Perturb",
    "PriorBand",
    "Problem",
    "Race",
    "Random",
    "Repeat",
    "Schedule",
    "Searcher",
    "Sobol",
]
