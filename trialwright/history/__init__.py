"""The history: all that a searcher may know. Trials in the order of their numbers, never in the order of arrival.

The experiment writes (``HistoryLog``); a searcher reads a ``History``, which is the log as it was at one moment. The
log only grows, so a moment is a number (``Ask.seen``), taking one costs nothing, and a searcher in another thread can
read while the loop writes.

The log is in columns, with a row for each entry, and a row for each report: under 200 bytes for a trial with four
reports. A ``View`` has a row for each trial. The searchers of a run share one view, which is advanced to the moment of
each ask; so an ask takes time only for what is new.
"""

from __future__ import annotations

from trialwright.history.history import History, HistoryLog
from trialwright.history.log import Entry, Kind
from trialwright.history.record import Record, Values

__all__ = ["Entry", "History", "HistoryLog", "Kind", "Record", "Values"]
