"""Importance: how much each parameter matters for a metric, from the trials of a run.

``measure`` takes plain columns and values, so that it can be used without a run; ``Result.importance`` is the call for
users.
"""

from __future__ import annotations

from trialwright.importance.measure import METHODS, Method, Settings, measure
from trialwright.importance.measured import Importance, ParameterImportance

__all__ = ["METHODS", "Importance", "Method", "ParameterImportance", "Settings", "measure"]
