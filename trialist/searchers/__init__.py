"""Searchers: what to try next. One file an algorithm."""

from trialist.searchers.base import Problem, Searcher
from trialist.searchers.grid import Grid
from trialist.searchers.perturb import Perturb
from trialist.searchers.random import Random
from trialist.searchers.sobol import Sobol
from trialist.searchers.tpe import TPE

__all__ = ["TPE", "Grid", "Perturb", "Problem", "Random", "Searcher", "Sobol"]
