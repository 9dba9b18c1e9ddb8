"""A study of Optuna's as the history of a searcher of ours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from trialwright.history import HistoryLog
from trialwright.integrations.optuna_distributions import domain_of, joined
from trialwright.messages import Config, Outcome, Request, Suggestion, Tags
from trialwright.searchers import Searcher
from trialwright.space.domains import Domain
from trialwright.space.inferred import Inferred, infer
from trialwright.streams import Streams

Distributions = dict[str, BaseDistribution]

TAGS, CONSTRAINTS = "trialwright:tags", "constraints"  # attributes of Optuna's trials; the second is Optuna's own
OUTCOMES = {
    TrialState.COMPLETE: Outcome("completed"),
    TrialState.PRUNED: Outcome("stopped"),
    TrialState.FAIL: Outcome("failed"),
}


class StudyHistory:
    """A study as the history of a searcher, kept up to date at the cost of what is new."""

    def __init__(  # noqa: PLR0917 - what a study is
        self,
        study: tuple[object, int],
        distributions: Distributions,
        space: Inferred,
        ignored: frozenset[str],
        searcher: Searcher,
        signs: Sequence[float],
        constraints: Sequence[str],
    ) -> None:
        self.study, self.distributions, self.space = study, distributions, space
        self._ignored = ignored  # parameters that the searcher cannot search
        self._searcher, self._signs, self._constraints = searcher, signs, constraints
        self._log = HistoryLog()
        self._next = 0  # the first trial that was not looked at yet
        self._open: dict[int, int] = {}  # trials that have not ended: the last step that is in the log
        self._configs: dict[int, Config] = {}  # of those of them that are in the log
        self._suggested: dict[int, Suggestion] = {}  # to trials that may not have asked for all of it yet

    def follow(self, trials: list[FrozenTrial]) -> bool:
        """Add what is new; False if a trial has shown that the space, or the constraints, are different ones."""
        new = [trials[number] for number in [*self._open, *range(self._next, len(trials))]]
        if any(self._is_strange(trial) for trial in new if is_whole(trial)):
            return False
        self.show(trials)
        return True

    def show(self, trials: list[FrozenTrial]) -> None:
        """Add what is new."""
        for number in [*self._open, *range(self._next, len(trials))]:
            self._show(trials[number])
        self._next = len(trials)

    def suggest(self, trial: int, streams: Streams) -> Suggestion | None:
        """Return what the searcher suggests for a trial; None if it has nothing to suggest."""
        history = self._log.until(len(self._log))
        [suggested] = self._searcher.suggest(history, [Request(trial, trial)], streams)
        if suggested is not None:
            self._suggested[trial] = suggested
        return suggested

    def _is_strange(self, trial: FrozenTrial) -> bool:
        return self._config(trial) is None or not {*constraints_of(trial)} <= {*self._constraints}

    def _config(self, trial: FrozenTrial) -> Config | None:
        """Return the configuration of a trial; a parameter with a single value is none."""
        return self.space.nested(
            {
                name: trial.params[name]
                for name, each in trial.distributions.items()
                if name in self.distributions or not (name in self._ignored or each.single())
            }
        )

    def _show(self, trial: FrozenTrial) -> None:
        number, outcome = trial.number, OUTCOMES.get(trial.state)
        self._place(trial)
        if number in self._configs:
            last = self._reports(trial, self._open.get(number, 0))
            self._open[number] = last
            if trial.state is TrialState.COMPLETE:
                self._log.seen(number, max(last, 1), [self._values(trial, trial.values)])
            if outcome is not None:
                self._log.ended(number, outcome)
        if outcome is not None:
            for known in (self._open, self._configs, self._suggested):
                known.pop(number, None)

    def _place(self, trial: FrozenTrial) -> None:
        """Add a trial with its configuration, or with another one than before: a running trial may not have asked for
        all parameters, and then has what was suggested to it; a user may have fixed some."""
        suggested, config = self._suggested.get(trial.number), self._config(trial)
        if config is None and trial.state is TrialState.RUNNING and suggested is not None:
            config = suggested.config
        self._open.setdefault(trial.number, 0)
        if config is None or trial.state is TrialState.WAITING or self._configs.get(trial.number) == config:
            return
        self._log.born(trial.number, config, cast(Tags, trial.system_attrs.get(TAGS, {})))
        self._configs[trial.number] = config

    def _reports(self, trial: FrozenTrial, last: int) -> int:
        """Add intermediate values after the last step; Optuna counts steps from 0."""
        if len(self._signs) > 1:
            return last
        for step in sorted(trial.intermediate_values):
            if step + 1 > last:
                last = step + 1
                self._log.seen(trial.number, last, [self._values(trial, [trial.intermediate_values[step]])])
        return last

    def _values(self, trial: FrozenTrial, values: Sequence[float]) -> tuple[float, ...]:
        costs = (sign * value for sign, value in zip(self._signs, values, strict=True))
        known = constraints_of(trial)
        return (*costs, *(known.get(name, math.inf) for name in self._constraints))


def is_whole(trial: FrozenTrial) -> bool:
    """Tell whether a trial has asked for all its parameters; one that failed may have failed before that."""
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def constraints_of(trial: FrozenTrial) -> dict[str, float]:
    """Return the constraints of a trial, by name; those of ``constraints_func`` are named by their place."""
    numbered = enumerate(trial.system_attrs.get(CONSTRAINTS) or ())
    prefix = f"{CONSTRAINTS}:"
    named = {name[len(prefix) :]: each for name, each in trial.system_attrs.items() if name.startswith(prefix)}
    return {f"{place}": each for place, each in numbered} | named


def space_of(trials: Sequence[FrozenTrial], given: Distributions | None = None) -> tuple[Distributions, Inferred]:
    """Return the distributions of all parameters that ended trials have had, or that are given, and their space.

    Raises:
        ValueError: a parameter has distributions that do not fit together.
    """
    distributions = {name: each for name, each in (given or {}).items() if not each.single()}
    whole = [trial for trial in trials if is_whole(trial)]
    for trial in whole:
        for name, each in trial.distributions.items():
            if not each.single():
                distributions[name] = joined(distributions.get(name), each)
    flat = [{name: trial.params[name] for name in trial.params if name in distributions} for trial in whole]
    return distributions, infer(flat, domains_of(distributions))


def domains_of(distributions: Distributions) -> dict[str, Domain]:
    """Return the domain of each parameter."""
    return {name: domain_of(each) for name, each in distributions.items()}
