"""Succession: as what trials go on that were told to go on otherwise: as a clone of another, or with other
resources."""

from __future__ import annotations

from dataclasses import dataclass

from trialwright.engine.keeper import Keeper
from trialwright.engine.ledger import Units, to_units
from trialwright.engine.trial import Descent, Trial
from trialwright.messages import Checkpoint, Config, Discard, Suggestion, Tags, Until


@dataclass(slots=True)
class _Successor:
    """What a trial will be launched as; the configuration of a clone is known once the searcher has answered."""

    until: Until
    request: Units
    config: Config | None = None
    tags: Tags | None = None
    donor: tuple[Checkpoint, Descent] | None = None  # of a clone


class Succession:
    """The successors of trials that have not been launched as these yet.

    Args:
        keeper: of checkpoints: a donor's must stay until its clone has it.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._successors: dict[int, _Successor] = {}

    def __contains__(self, trial: int) -> bool:
        return trial in self._successors

    def resize(self, trial: Trial, request: Units, until: Until) -> None:
        """The trial will go on as it is, with other resources."""
        self._successors[trial.id] = _Successor(until, request, trial.config, trial.tags)

    def clone(self, trial: Trial, donor: Trial, checkpoint: Checkpoint, until: Until) -> None:
        """The trial will go on from a donor's checkpoint, by a configuration that is asked for."""
        self._keeper.hold(checkpoint)
        descent = Descent(trial.judged_step, donor.id, checkpoint.step, len(donor.descents), trial.config)
        self._successors[trial.id] = _Successor(until, trial.request, donor=(checkpoint, descent))

    def is_resized(self, trial: Trial) -> bool:
        """Nothing but its resources will change."""
        return trial.id in self._successors and self._successors[trial.id].donor is None

    def answered(self, trial: Trial, suggestion: Suggestion, tags: Tags) -> None:
        """The configuration of a clone is known."""
        successor = self._successors[trial.id]
        successor.config, successor.tags = suggestion.config, tags
        if suggestion.resources is not None:
            successor.request = to_units(suggestion.resources)

    def refused(self, trial: Trial) -> list[Discard]:
        """The searcher has no variation: the trial goes on as it was. Return what nobody needs any more."""
        trial.until = self._successors[trial.id].until
        return self.forget(trial)

    def forget(self, trial: Trial) -> list[Discard]:
        """Nothing will come of it. Return what nobody needs any more."""
        successor = self._successors.pop(trial.id, None)
        return self._keeper.release(successor.donor[0]) if successor and successor.donor else []

    def is_ready(self, trial: Trial) -> bool:
        """All is known that the trial will go on as."""
        return self._successors[trial.id].config is not None

    def succeed(self, trial: Trial) -> list[Discard]:
        """Make the trial what it goes on as; a clone takes the donor's place in time as well. Return what nobody needs
        any more."""
        successor = self._successors.pop(trial.id)
        assert successor.config is not None
        trial.config, trial.tags = successor.config, successor.tags or {}
        trial.until, trial.request = successor.until, successor.request
        if successor.donor is None:
            return []
        checkpoint, descent = successor.donor
        trial.descents = (*trial.descents, descent)
        trial.judged_step = checkpoint.step
        return [*self._keeper.save(trial, checkpoint), *self._keeper.release(checkpoint)]
