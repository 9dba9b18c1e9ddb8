"""Workloads: trainings that are computed, to compare schedulers and searchers in virtual time."""

from trialwright.workloads.base import State, Step, Workload
from trialwright.workloads.formulas import CrossingCurves, DriftingQuadratic, JaderbergToy, NoisyDescent
from trialwright.workloads.tables import Table

__all__ = [
    "CrossingCurves",
    "DriftingQuadratic",
    "JaderbergToy",
    "NoisyDescent",
    "State",
    "Step",
    "Table",
    "Workload",
]
