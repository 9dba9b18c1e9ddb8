"""What a searcher is shown: a log as it was at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from trialwright.history.log import Entry, Log
from trialwright.history.record import Record
from trialwright.history.view import View
from trialwright.on_demand import OnDemand


class History:
    """The trials up to one moment, in the order of their numbers.

    Args:
        trials: the records of a history without a run.
        view: of a run's log, at this moment, instead of ``trials``.

    Attributes:
        log: the log that it shows.
        moment: the number of entries of the log at this moment.
        rows: the number of reports at this moment.
    """

    __slots__ = ("_view", "log", "moment", "rows")

    def __init__(self, trials: Sequence[Record] = (), view: View | None = None) -> None:
        self._view = view or _view_of(trials)
        self.log, self.moment, self.rows = self._view.log, self._view.moment, len(self._view.previous)

    @property
    def view(self) -> View:
        """Its trials in columns. The view is shared, and advances with the run's next ask."""
        if self._view.moment != self.moment:  # it has advanced: a history kept from an earlier ask needs its own
            self._view = View(self.log, self.moment)
        return self._view

    def __len__(self) -> int:
        return len(self.view.ids)

    def __eq__(self, other: object) -> bool:
        return self.trials == other.trials if isinstance(other, History) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @property
    def trials(self) -> Sequence[Record]:
        """All trials. Going through them takes time for each: ``changed`` returns those that have changed."""
        return OnDemand(range(len(self)), lambda row: self.view.record(row))  # noqa: PLW0108 - the view advances

    def record(self, trial: int) -> Record:
        """Return the record of the trial with this number.

        Raises:
            KeyError: there is no such trial.
        """
        view = self.view
        row = view.find(trial)
        if row == len(view.ids) or view.ids.room[row] != trial:
            raise KeyError(trial)
        return view.record(row)

    # What is new -----------------------------------------------------------------------------------------------------

    def follows(self, before: History | None) -> bool:
        """Tell whether this is the same run as ``before``, at the same moment or a later one.

        If it is not, what was learnt from ``before`` does not hold.
        """
        return before is not None and before.log is self.log and before.moment <= self.moment

    def changed(self, before: History | None) -> npt.NDArray[np.int32]:
        """Return the numbers, in ascending order, of the trials that have changed since ``before``; if this does not
        follow it, those of all trials."""
        if before is None or not self.follows(before):
            return self.view.ids.filled.copy()
        return np.unique(self.log.entries.room["trial"][before.moment : self.moment])

    def entries(self, before: History | None) -> Iterator[Entry]:
        """Yield all entries since ``before``, in order of arrival; if this does not follow it, all entries."""
        first, row = (before.moment, before.rows) if before is not None and self.follows(before) else (0, 0)
        return self.log.written(first, row, self.moment)


class HistoryLog(Log):
    """A log with the view that all its readers share.

    One thread writes, and one reads. ``until`` takes time for the entries since the last call.
    """

    def __init__(self) -> None:
        super().__init__()
        self.view = View(self)

    def until(self, seen: int) -> History:
        """Return the history as it was when the log had ``seen`` entries."""
        moment = min(seen, self._length)
        if moment < self.view.moment:
            return History(view=View(self, moment))
        self.view.advance(moment)
        return History(view=self.view)


def _view_of(trials: Sequence[Record]) -> View:
    log = HistoryLog() if trials else _NOTHING
    for record in trials:
        log.add(record)
    return View(log, len(log)) if trials else _NOTHING.view


_NOTHING = HistoryLog()  # never written: all empty histories share it
