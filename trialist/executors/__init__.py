"""Executors: where trials run. The only door to the outside."""

from trialist.executors.base import Executor
from trialist.executors.local import Local
from trialist.executors.simulated import Delays, Simulated, Workload

__all__ = ["Delays", "Executor", "Local", "Simulated", "Workload"]
