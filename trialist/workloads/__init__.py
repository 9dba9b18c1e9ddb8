"""Workloads: trainings that are computed, to study searchers and schedulers on in virtual time."""

from trialist.workloads.base import State, Step, Workload

__all__ = ["State", "Step", "Workload"]
