"""Workloads: trainings that are computed, to study schedulers and searchers on in virtual time."""

from trialist.workloads.base import State, Step, Workload
from trialist.workloads.curves import CrossingCurves
from trialist.workloads.dynamics import DriftingQuadratic, JaderbergToy
from trialist.workloads.tables import Table

__all__ = ["CrossingCurves", "DriftingQuadratic", "JaderbergToy", "State", "Step", "Table", "Workload"]
