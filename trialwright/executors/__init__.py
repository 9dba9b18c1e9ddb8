"""Executors: where trials run. Names are imported when they are first used, so that a worker process imports only its
part of this package."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trialwright.executors.base import Executor
    from trialwright.executors.delays_and_faults import Delays, Faults
    from trialwright.executors.local import Local
    from trialwright.executors.on_ray import OnRay
    from trialwright.executors.processes import Processes
    from trialwright.executors.simulated import Simulated
    from trialwright.workloads.base import Workload

__all__ = ["Delays", "Executor", "Faults", "Local", "OnRay", "Processes", "Simulated", "Workload"]

_HOMES = {
    "Delays": "executors.delays_and_faults",
    "Executor": "executors.base",
    "Faults": "executors.delays_and_faults",
    "Local": "executors.local",
    "OnRay": "executors.on_ray",
    "Processes": "executors.processes",
    "Simulated": "executors.simulated",
    "Workload": "workloads.base",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'trialwright.executors' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"trialwright.{_HOMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
