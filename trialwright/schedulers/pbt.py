"""Population based training (Jaderberg et al. 2017, arXiv 1711.09846), and the replay of what a population has found.

``PBT``: truncation selection. Every ``interval`` a member of the population is compared with the latest scores of the
others. If it is in the worst quantile, it goes on from the checkpoint of a member drawn from the best quantile
(*exploit*), with a variation of that member's configuration (*explore*). The variation is a searcher's answer to an
"explore" request: ``searchers/explore.py``, or a model.

*Asynchronous*: each member is compared when it reports, without waiting. *Synchronous*: members pause at the end of an
interval until all living ones have come; then all are compared at the same moment. So the population may be larger than
there are slots for it.

``PBTReplay``: a population's best trial has had several configurations, its own and those of the donors it came from,
each for some steps (figure 5). ``result.lineage(trial)`` is that schedule. At each of its changes one trial goes on
from its own checkpoint with the next configuration, which ``searchers/explore.py`` supplies.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from trialwright.html import SettingsTable
from trialwright.messages import (
    Boundary,
    Choice,
    Clone,
    Continue,
    New,
    Outcome,
    Pause,
    Plain,
    Report,
    Resume,
    Start,
    Until,
    Verdict,
    Wait,
)
from trialwright.schedulers.base import RIVALS, TrialView
from trialwright.schedulers.ranking import Ranking
from trialwright.streams import Streams


@dataclass
class PBT(SettingsTable):
    """Replaces the worst members of a population by variations of the best.

    Args:
        interval: how much of ``time_attr`` lies between two decisions about a member.
        quantile: the share of the population that is replaced, and the share that is copied; in (0, 0.5].
        burn_in: no member is replaced before this.
        time_attr: ``step``, ``time_s``, or any metric that only grows.
        synchronous: compare all members together, once all have reached the end of the interval. The run's samples are
            the population, so their number must not be unlimited.

    Raises:
        ValueError: an argument is out of its range.
    """

    interval: float = 10
    quantile: float = 0.25
    burn_in: float = 0
    time_attr: str = "step"
    synchronous: bool = False

    def __post_init__(self) -> None:
        if not self.interval > 0:
            raise ValueError(f"interval must be more than 0, not {self.interval}")
        if not 0 < self.quantile <= 0.5:
            raise ValueError(f"quantile must be in (0, 0.5], not {self.quantile}")

    def setup(self, rng: Streams) -> None:
        """Begin with an empty population."""
        self._rng = rng
        self._scores: dict[int, tuple[float, float]] = {}  # value, and when it was reached
        self._ranking: Ranking[tuple[float, int]] = Ranking()  # value, trial
        self._living: set[int] = set()
        self._waiting: dict[int, int] = {}  # paused until all have come -> its step
        self._going_on: OrderedDict[int, Resume] = OrderedDict()  # decided, and still paused, in order
        self._latest: int | None = None  # whom the last answer was about

    def on_start(self, trial: TrialView) -> Start:
        """The first decision comes after one interval."""
        self._living.add(trial.id)
        return Start(self._after(0))

    def _after(self, now: float) -> Until:
        return (Boundary(self.time_attr, ">=", now + self.interval),)

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Replace the trial if it is among the worst; if synchronous, pause it until the others have come."""
        now, value = cast(float, report.metrics[self.time_attr]), report.values[0]
        self._note(trial.id, value if math.isfinite(value) else math.inf, now)  # NaN has no rank: it is the worst
        if self.synchronous:
            self._waiting[trial.id] = report.step
            return Pause()
        donor = self._donor(trial.id, report.step)
        # A clone takes its donor's place in time.
        return Continue(self._after(now)) if donor is None else Clone(donor, self._after(self._scores[donor][1]))

    def _note(self, trial: int, value: float, now: float) -> None:
        self._forget(trial)
        self._scores[trial] = (value, now)
        self._ranking.add((value, trial))

    def _forget(self, trial: int) -> None:
        if trial in self._scores:
            self._ranking.remove((self._scores.pop(trial)[0], trial))

    @property
    def _truncated(self) -> int:
        """How many of the population are replaced, and as many copied."""
        members = len(self._ranking)
        return min(math.ceil(members * self.quantile), members // 2)  # else a member might copy one of the worst

    def _donor(self, trial: int, step: int) -> int | None:
        """Draw whom a member is to copy; None if it is not among the worst."""
        self._latest = trial
        (value, now), size = self._scores[trial], self._truncated
        if now < self.burn_in or self._ranking.rank((value, trial)) < len(self._ranking) - size:
            return None
        return self._ranking[int(self._rng("pbt", trial, step).integers(size))][1]

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Forget the score: copies that never reach it would be replaced again and again."""
        self._forget(trial.id)
        self._living.discard(trial.id)
        self._waiting.pop(trial.id, None)
        self._going_on.pop(trial.id, None)

    def next(self, can_ask: bool) -> Choice:
        """The population is the searcher's first suggestions; once all members wait, they are compared."""
        if not self._going_on and not can_ask and self._waiting and len(self._waiting) == len(self._living):
            self._compare()
        if self._going_on:
            return self._hand_out()
        return New() if can_ask else Wait()

    def _compare(self) -> None:
        """Decide about all; clones come first, while their donors are still where the clones are to start."""
        donors = {trial: self._donor(trial, step) for trial, step in sorted(self._waiting.items())}
        clones = [trial for trial, donor in donors.items() if donor is not None]
        rest = [trial for trial, donor in donors.items() if donor is None]
        for trial in clones + rest:
            source = donors[trial]
            now = self._scores[trial if source is None else source][1]
            self._going_on[trial] = Resume(trial, self._after(now), source)
        self._waiting.clear()

    def _hand_out(self) -> Resume:
        self._latest, resume = self._going_on.popitem(last=False)
        # A donor may have ended since it was drawn.
        gone = resume.donor is not None and resume.donor not in self._living
        return Resume(resume.trial, resume.until) if gone else resume

    def why(self) -> dict[str, Plain]:
        """The rank of the member in the population, and how many members are replaced."""
        if self._latest not in self._scores:
            return {}
        value, now = self._scores[self._latest]
        return {
            "at": now,
            "value": value,
            "rank": self._ranking.rank((value, self._latest)) + 1,
            "of": len(self._ranking),
            "replaced": self._truncated,
            "best": [
                [self._ranking[rank][1], self._ranking[rank][0]] for rank in range(min(RIVALS, len(self._ranking)))
            ],
        }

    def state(self) -> Plain:
        """The latest score of each member, and which members wait."""
        return {
            "scores": [[trial, *score] for trial, score in self._scores.items()],
            "living": [*sorted(self._living)],
            "waiting": [[trial, step] for trial, step in self._waiting.items()],
            "going_on": [[resume.trial, resume.until[0].value, resume.donor] for resume in self._going_on.values()],
        }

    def restore(self, state: Plain) -> None:
        """Restore what ``state()`` returned."""
        saved = cast("dict[str, list[tuple[int, float, float]]]", state)
        self._scores = {int(trial): (value, now) for trial, value, now in saved["scores"]}
        self._ranking = Ranking((value, trial) for trial, (value, _) in self._scores.items())
        self._living = set(cast("dict[str, list[int]]", state)["living"])
        self._waiting = dict(cast("dict[str, list[tuple[int, int]]]", state)["waiting"])
        going_on = cast("dict[str, list[tuple[int, float, int | None]]]", state)["going_on"]
        self._going_on = OrderedDict(
            (trial, Resume(trial, (Boundary(self.time_attr, ">=", until),), donor)) for trial, until, donor in going_on
        )


@dataclass
class PBTReplay(SettingsTable):
    """Takes each trial through a schedule of configurations.

    It has its own searcher. The run should have one sample, and the configurations must be in its space.

    Args:
        policy: pairs of a step and the configuration from there on, the first at 0: ``result.lineage(trial)``.

    Raises:
        ValueError: there is no pair, or the steps do not begin at 0 and grow.
    """

    policy: Sequence[tuple[Any, ...]]

    def __post_init__(self) -> None:
        self.policy = [(step, config) for step, config, *_ in self.policy]
        steps = [step for step, _ in self.policy]
        if not steps or steps[0] != 0 or sorted(set(steps)) != steps:
            raise ValueError(f"policy must be pairs of a step and a config, with steps that grow from 0, not {steps}")

    def setup(self, rng: Streams) -> None:
        """Begin before the first change."""
        self._segments: dict[int, int] = {}  # trial -> which part of the policy it follows

    def on_start(self, trial: TrialView) -> Start:
        """Until the first change."""
        self._segments[trial.id] = 0
        return Start(self._until(0))

    def _until(self, segment: int) -> Until:
        rest = self.policy[segment + 1 :]
        return (Boundary("step", ">=", rest[0][0]),) if rest else ()

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """At a change: continue as a clone of itself, with the next configuration."""
        segment = self._segments[trial.id]
        # Another boundary was met before the next change.
        if segment + 1 == len(self.policy) or report.step < self.policy[segment + 1][0]:
            return Continue(self._until(segment))
        self._segments[trial.id] = segment + 1
        return Clone(trial.id, self._until(segment + 1))

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Forget the trial."""
        del self._segments[trial.id]

    def next(self, can_ask: bool) -> Choice:
        """A new trial, as long as there are any."""
        return New() if can_ask else Wait()

    def why(self) -> dict[str, Plain]:
        """Nothing but the policy."""
        return {}

    def state(self) -> Plain:
        """Which part of the policy each trial follows."""
        return [[trial, segment] for trial, segment in self._segments.items()]

    def restore(self, state: Plain) -> None:
        """Restore what ``state()`` returned."""
        self._segments = dict(cast("list[tuple[int, int]]", state))
