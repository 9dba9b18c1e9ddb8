"""Executors: where trials run. The only door to the outside."""

from trialist.executors.base import Executor
from trialist.executors.delays import Delays
from trialist.executors.faults import Faults
from trialist.executors.local import Local
from trialist.executors.simulated import Simulated
from trialist.workloads.base import Workload

__all__ = ["Delays", "Executor", "Faults", "Local", "Simulated", "Workload"]
