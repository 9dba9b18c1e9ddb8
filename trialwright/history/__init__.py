"""The history: all that a searcher may know. Trials in the order of their numbers, never in the order of arrival.

The experiment writes (``HistoryLog``); a searcher reads a ``History``, which is the log as it was at one moment. The
log only grows, so a moment is a number (``Ask.seen``), taking one costs nothing, and a searcher in another thread reads
while the loop writes.

The log is in columns, with a row for each entry, and a row for each report: under 200 bytes for a trial of four. A
``View`` has a row for each trial. There is one for all searchers of a run, which moves on with the moments that are
asked for; so an ask costs what is new.
"""

from __future__ import annotations

from trialwright.history.history import History, HistoryLog
from trialwright.history.log import Entry, Kind
from trialwright.history.record import Record, Values

__all__ = ["Entry", "History", "HistoryLog", "Kind", "Record", "Values"]
