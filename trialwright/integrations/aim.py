"""Aim: each trial is a run in a repository, sent by a callback. Written against Aim 3.29."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trialwright.integrations.sending import INTERRUPTED, Ending, Row, Tracked
from trialwright.integrations.tracking import Tracker, client, require


class AimLogger(Tracker):
    """Sends every trial to Aim: parameters (``run.hparams``), metrics by step, and how it ended, as a tag.

    Args:
        repo: the repository's directory, an ``aim.Repo``, or the address of a remote one; None: the run's directory,
            or the current one if nothing is kept. A directory without a repository gets one.
        experiment: of the runs; None: the run's name.
        metrics: the names of those that are sent; None: all that are numbers.
        wait_s: how long the end of a run waits for what is still to be sent.
        run: further arguments of ``aim.Run``.

    Raises:
        ImportError: Aim is not installed.
    """

    def __init__(
        self,
        repo: Any = None,  # noqa: ANN401 - a path or Aim's own object
        *,
        experiment: str | None = None,
        metrics: Sequence[str] | None = None,
        wait_s: float = 30.0,
        **run: object,
    ) -> None:
        require("aim", "aim")
        super().__init__("Aim", Runs(repo, experiment, None if metrics is None else frozenset(metrics), run), wait_s)


@dataclass
class Runs:
    """The runs of one repository."""

    repo: Any
    experiment: str | None
    metrics: frozenset[str] | None
    given: dict[str, object]

    def connect(self, name: str, run: str, directory: str | None) -> None:
        """Open the repository, and find what an interrupted run has begun in it."""
        aim = client("aim")
        self._aim, self._name = aim, self.experiment or name
        self._place = self.repo or directory or "."
        if not isinstance(self._place, aim.Repo):
            path = str(self._place)
            is_new = "://" not in path and not aim.Repo.exists(path)
            self._place = aim.Repo(path, init=True) if is_new else aim.Repo(path)
        quiet = client("aim.sdk.types").QueryReportMode.DISABLED
        found = self._place.query_runs(f"run.description.startswith({f'{run}/'!r})", report_mode=quiet)
        self._known = {each.run.description: each.run.hash for each in found.iter_runs()}

    def begin(self, trial: Tracked) -> Any:  # noqa: ANN401 - Aim's run
        """Begin a run, or continue the one of an interrupted run."""
        usual = {"experiment": self._name, "capture_terminal_logs": False, "system_tracking_interval": None}
        run = self._aim.Run(self._known.get(trial.key), repo=self._place, **{**usual, **self.given})
        run.name, run.description = trial.name, trial.key  # by which it is found again
        run.remove_tag(INTERRUPTED)
        self.change(run, trial)
        return run

    def change(self, handle: Any, trial: Tracked) -> None:  # noqa: ANN401 - as above
        """Replace the parameters."""
        handle["hparams"] = trial.params

    def log(self, handle: Any, rows: Sequence[Row]) -> None:  # noqa: ANN401 - as above
        """Send metrics: numbers, as an Aim metric has no others. A string is an attribute, with its last value."""
        for row in rows:
            for name, value in row.metrics.items():
                if self.metrics is not None and name not in self.metrics:
                    continue
                if isinstance(value, str):
                    handle["strings", name] = value
                elif value is not None:
                    handle.track(float(value), name=name, step=row.step)

    def end(self, handle: Any, trial: Tracked, ending: Ending) -> None:  # noqa: ANN401 - as above
        """Say how it ended, and close the run."""
        handle.add_tag(ending.status)
        handle["outcome"] = {"status": ending.status, "message": ending.message}
        handle.close()

    def close(self) -> None:
        """Nothing is left open; the repository may be used by others."""
