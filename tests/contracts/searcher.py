"""What every searcher must keep. To test another one, subclass ``SearcherContract`` and say how it is made."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from trialwright.history import History, HistoryLog
from trialwright.messages import Config, Outcome, Request, Suggestion, at_step
from trialwright.searchers import Problem, Searcher
from trialwright.space import (
    Space,
    choice,
    grid_search,
    lograndint,
    loguniform,
    ordinal,
    qrandint,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)
from trialwright.streams import Streams


class Opaque:
    """Something that JSON cannot hold."""


SPACES = {
    "mixed": Space(
        {
            "lr": loguniform(1e-5, 1e-1),
            "units": lograndint(16, 512),
            "layers": randint(1, 5),
            "batch": qrandint(8, 128, 8),
            "dropout": quniform(0, 0.5, 0.1),
            "noise": randn(0, 2),
            "kernel": choice(["rbf", "linear", None, True]),
            "size": ordinal(["s", "m", "l"]),
            "nested": {"list": [uniform(-1, 1), 7, "constant"]},
        }
    ),
    "conditional": Space(
        {
            "model": choice(
                [
                    {"kind": "tree", "depth": randint(1, 9)},
                    {"kind": "svm", "C": loguniform(1e-3, 1e3), "kernel": choice(["rbf", {"poly": randint(2, 5)}])},
                    "dummy",
                ]
            )
        }
    ),
    "constrained": Space(
        {"a": uniform(0, 1), "b": uniform(0, 1)}, constraints=[lambda config: config["a"] < config["b"]]
    ),
    "one value": Space({"a": choice(["only"]), "b": 3}),
    "nothing": Space({}),
    "1-d": Space({"x": uniform(0, 1)}),
    "100-d": Space({f"x{index}": uniform(0, 1) for index in range(100)}),
    "with a grid": Space({"g": grid_search([1, 2]), "x": uniform(0, 1), "h": grid_search(["a", "b", "c"])}),
    "with objects": Space({"object": choice([Opaque, Opaque(), (1, 2)]), "x": uniform(0, 1)}),
    "with a function": Space({"x": uniform(0, 1), "double": sample_from(lambda config: config["x"] * 2)}),
}
FINITE = {
    "mixed": Space(
        {"a": randint(0, 4), "b": quniform(0, 1, 0.5), "c": choice(["x", None]), "d": {"e": [ordinal([1, 2])]}}
    ),
    "conditional": Space({"model": choice([{"kind": "tree", "depth": randint(1, 4)}, "dummy"])}),
    "constrained": Space(
        {"a": randint(0, 5), "b": randint(0, 5)}, constraints=[lambda config: config["a"] < config["b"]]
    ),
    "one value": SPACES["one value"],
    "nothing": SPACES["nothing"],
    "1-d": Space({"x": randint(0, 7)}),
    "100-d": Space({f"x{index}": choice([0, 1]) for index in range(100)}),
    "with a grid": Space({"g": grid_search([1, 2]), "h": grid_search(["a", "b", "c"])}),
    "with objects": Space({"object": choice([Opaque, Opaque(), (1, 2)])}),
}


def news(first: int, count: int) -> list[Request]:
    """Requests for new configurations, numbered as an experiment numbers them."""
    return [Request(trial=number, sample=number) for number in range(first, first + count)]


def answered(searcher: Searcher, history: History, requests: Sequence[Request], seed: int = 0) -> list[Suggestion]:
    suggestions = searcher.suggest(history, requests, Streams(seed))
    assert len(suggestions) == len(requests)
    return suggestions


class SearcherContract:
    """The promises, on one space of each kind. ``spaces`` are those that the searcher takes."""

    spaces = SPACES

    def make(self) -> Searcher:
        raise NotImplementedError

    @pytest.fixture(params=SPACES)
    def space(self, request: pytest.FixtureRequest) -> Space:
        if request.param not in self.spaces:
            pytest.skip(f"{type(self).__name__} does not search a space {request.param}")
        return self.spaces[request.param]

    def ready(self, space: Space) -> Searcher:
        searcher = self.make()
        assert searcher.setup(Problem(space)) >= 1
        return searcher

    def drive(self, searcher: Searcher, log: HistoryLog, batches: Sequence[int], seed: int = 0) -> list[Suggestion]:
        """Ask in batches of these sizes; each trial reports and ends before the next batch is asked for."""
        suggestions: list[Suggestion] = []
        for count in batches:
            first = len(log.until(len(log)))
            batch = answered(searcher, log.until(len(log)), news(first, count), seed)
            for trial, suggestion in enumerate(batch, first):
                log.born(trial, suggestion.config, suggestion.tags)
            for trial, suggestion in enumerate(batch, first):
                log.seen(trial, 1, [(value(suggestion.config),)])
                log.ended(trial, Outcome("completed"))
            suggestions += batch
        return suggestions

    def test_every_suggestion_is_a_valid_config_of_the_space(self, space):
        suggestions = self.drive(self.ready(space), HistoryLog(), [5, 1, 20, 7])
        assert len(suggestions) == 33
        for suggestion in suggestions:
            assert space.validate(space.resolve(dict(suggestion.config))) == []

    def test_suggestions_are_plain_data(self, space):
        for suggestion in self.drive(self.ready(space), HistoryLog(), [9]):
            assert json.loads(json.dumps([suggestion.config, suggestion.tags])) == [suggestion.config, suggestion.tags]

    def test_the_same_seed_gives_the_same_suggestions(self, space):
        first, second = (self.drive(self.ready(space), HistoryLog(), [4, 3, 5], seed=1) for _ in range(2))
        assert first == second

    def test_a_batch_of_seven_is_seven_batches_of_one(self, space):
        """Where suggestions ignore results, that is; else the history differs."""
        searcher, history = self.ready(space), History()
        if searcher.learns:
            pytest.skip("a searcher that learns sees more the second time")
        together = answered(searcher, history, news(0, 7))
        alone = [answered(self.ready(space), history, [request])[0] for request in news(0, 7)]
        assert together == alone == answered(searcher, history, news(0, 7)), "whatever was asked before"

    def test_a_fresh_instance_continues_as_the_live_one(self, space):
        log, live = HistoryLog(), self.ready(space)
        self.drive(live, log, [6, 2, 3])
        history, requests = log.until(len(log)), news(11, 4)
        assert answered(self.ready(space), history, requests) == answered(live, history, requests)

    def test_a_fresh_instance_continues_as_the_live_one_where_trials_are_paused_at_rungs(self, space):
        log, live = HistoryLog(), self.ready(space)
        for number in range(18):
            [suggestion] = answered(live, log.until(len(log)), news(number, 1))
            self.halve(log, number, suggestion)
        history, requests = log.until(len(log)), news(18, 2)
        assert answered(self.ready(space), history, requests) == answered(live, history, requests)

    @staticmethod
    def halve(log: HistoryLog, number: int, suggestion: Suggestion) -> None:
        """A trial reports up to rung 1, 3, or its end at 9, as successive halving has it."""
        log.born(number, suggestion.config, suggestion.tags)
        rungs = [1, 3, 9][: 1 + (number % 3 == 0) + (number % 9 == 0)]
        for rung, before in zip(rungs, [0, 1, 3], strict=False):
            log.launched(number, at_step(rung))
            steps = range(before + 1, rung + 1)
            log.seen(number, steps[0], [(value(suggestion.config) + 1 / step,) for step in steps])
            log.paused(number)
        if rungs[-1] == 9:
            log.ended(number, Outcome("completed"))

    def test_a_sequence_of_a_thousand_does_not_depend_on_where_it_was_cut(self, space):
        searcher = self.ready(space)
        if searcher.learns:
            pytest.skip("a searcher that learns sees more the second time")
        far = news(990, 20)
        assert answered(searcher, History(), news(0, 1010))[990:] == answered(self.ready(space), History(), far)

    def test_what_it_was_shown_and_what_it_answered_stay_as_they_were(self, space):
        log, searcher = HistoryLog(), self.ready(space)
        answers = self.drive(searcher, log, [6])
        history, requests = log.until(len(log)), news(6, 3)
        before = repr((answers, history, requests))
        answered(searcher, history, requests)
        assert repr((answers, history, requests)) == before

    def test_setup_forgets_another_run(self, space):
        searcher = self.ready(space)
        first = self.drive(searcher, HistoryLog(), [5], seed=1)
        searcher.setup(Problem(next(iter(self.spaces.values()))))
        self.drive(searcher, HistoryLog(), [3], seed=2)
        searcher.setup(Problem(space))
        assert self.drive(searcher, HistoryLog(), [5], seed=1) == first


def value(config: Config) -> float:
    """Some objective."""
    return sum(map(_number, _leaves(config)))


def _leaves(data: Any) -> list[Any]:
    if isinstance(data, dict):
        return [leaf for item in data.values() for leaf in _leaves(item)]
    return [leaf for item in data for leaf in _leaves(item)] if isinstance(data, list) else [data]


def _number(leaf: Any) -> float:
    return float(leaf) if isinstance(leaf, int | float) else 0.0
