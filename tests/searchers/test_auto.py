"""The searcher for those who name none."""

import pytest

from tests.contracts.searcher import SearcherContract, news
from trialwright import AskTell
from trialwright.history import HistoryLog
from trialwright.messages import Outcome
from trialwright.searchers import GP, TPE, Auto, Problem, Random, Sobol, auto
from trialwright.space import Space, choice, grid_search, sample_from, uniform
from trialwright.streams import Streams

SQUARE = Space({"x": uniform(0, 1), "y": uniform(0, 1)})
GRID = Space({"a": grid_search([1, 2, 3]), "double": sample_from(lambda config: config["a"] * 2)})
WIDE = Space({f"x{index}": uniform(0, 1) for index in range(201)})


class TestContract(SearcherContract):
    def make(self):
        return Auto()


@pytest.mark.parametrize(
    ("problem", "kind", "why"),
    [
        (Problem(SQUARE, num_samples=100), GP, "it learns the most from few trials; 100 are planned"),
        (Problem(SQUARE), GP, "it learns the most from few trials; TPE after 1000 trials"),
        (Problem(SQUARE, num_samples=5000), GP, "TPE after 1000 trials"),
        (Problem(SQUARE, num_samples=20_000), TPE, "20000 trials need fast suggestions"),
        (Problem(SQUARE, num_samples=500, parallelism=100), TPE, "100 parallel trials need fast suggestions"),
        (Problem(WIDE, num_samples=100), TPE, "201 parameters are too many for GP"),
        (Problem(SQUARE, objectives=3, constraints=1, num_samples=100), GP, "it learns the most"),
        (Problem(SQUARE, num_samples=8, parallelism=8), Sobol, "all 8 trials start before the first has a result"),
        (Problem(SQUARE, num_samples=100, objectives=0), Sobol, "there is no metric to learn from"),
        (Problem(GRID, num_samples=100), Random, "the space has no parameters to choose"),
        (Problem(Space({}), objectives=0), Random, "the space has no parameters to choose"),
    ],
)
def test_it_says_what_it_chose_and_why(problem, kind, why):
    (searcher := Auto()).setup(problem)
    assert searcher.reason.startswith(f"{kind.__name__}: ")
    assert why in searcher.reason
    assert searcher.learns == kind.learns


def test_a_sample_is_a_whole_grid():
    assert Auto().setup(Problem(GRID, num_samples=1)) == 3
    mixed = Space({"a": grid_search([1, 2, 3]), "x": uniform(0, 1)})
    searcher = Auto()
    assert searcher.setup(Problem(mixed, num_samples=2, parallelism=6)) == 3
    assert "all 6 trials" in searcher.reason


def drive(searcher, history, count):
    for _ in range(count):
        number = len(history.until(len(history)))
        (suggestion,) = searcher.suggest(history.until(len(history)), news(number, 1), Streams(0))
        history.born(number, suggestion.config, suggestion.tags)
        history.seen(number, 1, [((suggestion.config["x"] - 0.3) ** 2,)])
        history.ended(number, Outcome("completed"))


def test_it_continues_with_another_where_trials_are_many(monkeypatch):
    monkeypatch.setattr(auto, "GP_TRIALS_MAX", 14)
    (searcher := Auto()).setup(Problem(SQUARE))
    drive(searcher, log := HistoryLog(), 20)
    history = log.until(len(log))
    assert {record.id for record in history.trials if "gp" in record.tags} <= set(range(14))
    (tpe := TPE()).setup(Problem(SQUARE))
    (fresh := Auto()).setup(Problem(SQUARE))
    expected = tpe.suggest(history, news(20, 3), Streams(0))
    assert searcher.suggest(history, news(20, 3), Streams(0)) == expected
    assert fresh.suggest(history, news(20, 3), Streams(0)) == expected


def timed(searcher, seconds, count=12):
    """Trials that took so long."""
    log = HistoryLog()
    for number in range(count):
        (suggestion,) = searcher.suggest(log.until(len(log)), news(number, 1), Streams(0))
        log.born(number, suggestion.config, suggestion.tags)
        log.seen(number, 1, [((suggestion.config["x"] - 0.3) ** 2,)], times=[seconds])
        log.ended(number, Outcome("completed"))
    return log


@pytest.mark.parametrize(
    ("seconds", "parallelism", "has_gp"), [(1e-4, 1, False), (0.1, 1, False), (1.0, 1, True), (1.0, 32, False)]
)
def test_where_a_suggestion_would_take_more_than_a_tenth_of_a_trial_it_is_tpe(seconds, parallelism, has_gp):
    (searcher := Auto()).setup(Problem(SQUARE, num_samples=100, parallelism=parallelism))
    log = timed(searcher, seconds)
    tags = [record.tags for record in log.until(len(log)).trials]
    assert any("gp" in each for each in tags) == has_gp
    assert all(each.get("auto") == "tpe" for each in tags[4:]) == (not has_gp)


def test_once_trials_were_short_it_stays_with_tpe():
    (searcher := Auto()).setup(Problem(SQUARE, num_samples=100))
    log = timed(searcher, 1e-4)
    for number in range(12, 40):
        log.born(number, {"x": 0.5, "y": 0.5}, {})
        log.seen(number, 1, [(1.0,)], times=[1000.0])
        log.ended(number, Outcome("completed"))
    for each in (searcher, Auto()):
        if each is not searcher:
            each.setup(Problem(SQUARE, num_samples=100))
        [answer] = each.suggest(log.until(len(log)), news(40, 1), Streams(0))
        assert answer.tags["auto"] == "tpe"


def test_it_is_what_an_ask_and_tell_study_has_by_default():
    study = AskTell({"x": uniform(0, 1), "kind": choice(["a", "b"])}, seed=0)
    for _ in range(25):
        study.tell(trial := study.ask(), abs(trial.config["x"] - 0.4) + (trial.config["kind"] == "a"))
    assert study.best.metrics["value"] < 0.01
