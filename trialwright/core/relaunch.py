"""Relaunches: trials that will continue as a clone of another trial, or with other resources."""

from __future__ import annotations

from dataclasses import dataclass

from trialwright.core.retention import Retention
from trialwright.core.trial import Descent, Trial
from trialwright.messages import Checkpoint, Config, Discard, Tags, Until
from trialwright.resources import Request


@dataclass(slots=True)
class _Relaunch:
    """How a trial will be launched again; a clone's configuration is known once the searcher has answered."""

    until: Until
    request: Request
    ask: int = 0  # of a clone: the one ask whose answer counts
    config: Config | None = None
    tags: Tags | None = None
    donor: tuple[Checkpoint, Descent] | None = None  # of a clone
    unchanged: Request | None = None  # what the donor's own configuration needs


class Relaunches:
    """How trials will be launched again, until they are.

    Args:
        retention: of checkpoints: a donor's must stay until its clone has it.
    """

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._planned: dict[int, _Relaunch] = {}

    def __contains__(self, trial: int) -> bool:
        return trial in self._planned

    def awaits(self, trial: int, ask: int) -> bool:
        """Tell whether this is the ask that the trial waits for. The answer to an earlier ask, whose relaunch was
        dropped, may come late: it is about another donor."""
        return trial in self._planned and self._planned[trial].ask == ask

    def resize(self, trial: Trial, request: Request, until: Until) -> None:
        """The trial will go on as it is, with other resources."""
        self._planned[trial.id] = _Relaunch(until, request, config=trial.config, tags=trial.tags)

    def clone(self, trial: Trial, donor: Trial, checkpoint: Checkpoint, until: Until, ask: int) -> None:
        """The trial will go on from a donor's checkpoint, by a configuration that is asked for by this ask."""
        self._retention.hold(checkpoint)
        descent = Descent(trial.judged_step, donor.id, checkpoint.step, len(donor.descents), trial.config)
        self._planned[trial.id] = _Relaunch(
            until, trial.request, ask, donor=(checkpoint, descent), unchanged=donor.request
        )

    def is_resized(self, trial: Trial) -> bool:
        """Nothing but its resources will change."""
        return trial.id in self._planned and self._planned[trial.id].donor is None

    def answered(self, trial: Trial, config: Config, tags: Tags, request: Request | None) -> None:
        """The configuration of a clone is known; ``request`` is None where all trials need the same."""
        relaunch = self._planned[trial.id]
        relaunch.config, relaunch.tags = config, tags
        relaunch.request = relaunch.request if request is None else request

    def unchanged(self, trial: Trial, config: Config, tags: Tags) -> None:
        """The clone takes its donor's configuration, and what that needs."""
        self.answered(trial, config, tags, self._planned[trial.id].unchanged)

    def refused(self, trial: Trial) -> list[Discard]:
        """The searcher has no variation: the trial goes on as it was. Return the checkpoints to be deleted."""
        trial.until = self._planned[trial.id].until
        return self.forget(trial)

    def forget(self, trial: Trial) -> list[Discard]:
        """Drop the planned relaunch, if there is one. Return the checkpoints to be deleted."""
        relaunch = self._planned.pop(trial.id, None)
        return self._retention.release(relaunch.donor[0]) if relaunch and relaunch.donor else []

    def is_ready(self, trial: Trial) -> bool:
        """Tell whether everything about the relaunch is known."""
        return self._planned[trial.id].config is not None

    def apply(self, trial: Trial) -> list[Discard]:
        """Change the trial as planned; a clone takes the donor's step as well. Return the checkpoints to be deleted."""
        relaunch = self._planned.pop(trial.id)
        assert relaunch.config is not None
        trial.config, trial.tags = relaunch.config, relaunch.tags or {}
        trial.until, trial.request = relaunch.until, relaunch.request
        if relaunch.donor is None:
            return []
        checkpoint, descent = relaunch.donor
        trial.descents = (*trial.descents, descent)
        trial.judged_step = checkpoint.step
        return [*self._retention.save(trial, checkpoint), *self._retention.release(checkpoint)]
