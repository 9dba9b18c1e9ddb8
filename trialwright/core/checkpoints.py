"""Checkpoints: which are needed, so that none is deleted too early, and which trials will be launched again from one.

A trial is launched again as a clone of another one, from that one's checkpoint; or with other resources, from its own.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from trialwright.core.trial import Descent, Trial
from trialwright.messages import Checkpoint, Config, Discard, Tags, Until
from trialwright.resources import Request

Ranked = tuple[float, int, Checkpoint]  # cost, then minus a number that grows: of equals the newer is better


class Retention:
    """Counts who needs a checkpoint: its trial as long as it is the latest or among those that are kept, its trial
    again if it is the best, and each trial that is about to start from it.

    Args:
        keep: how many checkpoints of a trial are kept; None for all.
    """

    def __init__(self, keep: int | None) -> None:
        self._keep = keep
        self._count = 0
        self._needs: Counter[str] = Counter()
        self._latest: dict[int, Checkpoint] = {}
        self._kept: defaultdict[int, list[Ranked]] = defaultdict(list)  # best first

    @property
    def needed(self) -> Collection[str]:
        """The paths of all that are needed."""
        return self._needs.keys()

    def hold(self, checkpoint: Checkpoint) -> None:
        """Count one more need of this checkpoint."""
        self._needs[checkpoint.path] += 1

    def release(self, checkpoint: Checkpoint) -> list[Discard]:
        """Count one need less of this checkpoint; return what is to be discarded."""
        self._needs[checkpoint.path] -= 1
        # Two trials may need one checkpoint: a donor, and its clone until it has saved one of its own.
        if self._needs[checkpoint.path]:
            return []
        del self._needs[checkpoint.path]
        return [Discard(checkpoint.path)]

    def save(self, trial: Trial, checkpoint: Checkpoint, *, best: bool = False, cost: float = 0.0) -> list[Discard]:
        """The trial has a new latest checkpoint, and perhaps a new best: return what is to be discarded.

        Args:
            trial: whose it is.
            checkpoint: what was saved.
            best: its report was the trial's best.
            cost: those that cost least are kept; of equals, the latest.
        """
        discards = self._replace(trial.best_checkpoint, checkpoint) if best else []
        trial.best_checkpoint = checkpoint if best else trial.best_checkpoint
        # By this table, and not by ``trial.checkpoint``: that of an enqueued trial is the user's, and never deleted.
        discards += self._replace(self._latest.get(trial.id), checkpoint)
        trial.checkpoint = self._latest[trial.id] = checkpoint
        return discards + self._rank(
            trial.id, checkpoint, cost if cost - cost == 0 else math.inf
        )  # NaN, which has no order, ranks last

    def _replace(self, old: Checkpoint | None, new: Checkpoint) -> list[Discard]:
        self.hold(new)  # first: a trial that is cloned twice from one donor may have the same checkpoint as before
        return self.release(old) if old else []

    def _rank(self, trial: int, checkpoint: Checkpoint, cost: float) -> list[Discard]:
        self.hold(checkpoint)
        if self._keep is None:
            return []
        kept, self._count = self._kept[trial], self._count + 1
        insort(kept, (cost, -self._count, checkpoint))
        return self.release(kept.pop()[-1]) if len(kept) > self._keep else []


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
        # With a configuration it is ready at once: it waits for no answer, only for the end of the trial's work.
        self._planned[trial.id] = _Relaunch(until, request, config=trial.config, tags=trial.tags)

    def clone(self, trial: Trial, donor: Trial, checkpoint: Checkpoint, until: Until, ask: int) -> None:
        """The trial will go on from a donor's checkpoint, by a configuration that is asked for by this ask."""
        self._retention.hold(checkpoint)  # the donor goes on meanwhile, and may replace it by a later one
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
        trial.until = self._planned[trial.id].until  # it has reached the boundary of before already
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
        trial.judged_step = checkpoint.step  # its reports count from here, also where it has been further itself
        # Saved before it is released, or a checkpoint that the donor needs no more would be deleted in between.
        return [*self._retention.save(trial, checkpoint), *self._retention.release(checkpoint)]
