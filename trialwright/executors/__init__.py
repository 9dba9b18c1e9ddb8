"""Executors: where trials run. The only door to the outside."""

from trialwright.executors.base import Executor
from trialwright.executors.delays import Delays
from trialwright.executors.faults import Faults
from trialwright.executors.local import Local
from trialwright.executors.simulated import Simulated
from trialwright.workloads.base import Workload

__all__ = ["Delays", "Executor", "Faults", "Local", "Simulated", "Workload"]
