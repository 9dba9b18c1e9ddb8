"""Nevergrad behind the adapter, with the real library: what is its own."""

import pytest

from trialwright import Engine, space
from trialwright.history import HistoryLog
from trialwright.integrations import Nevergrad
from trialwright.messages import Outcome, Request
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.streams import Streams
from trialwright.tune.search.nevergrad import NevergradSearch

ng = pytest.importorskip("nevergrad")
pytestmark = pytest.mark.filterwarnings("ignore")  # Nevergrad uses what NumPy has deprecated
QUIET = {"metric": "loss", "executor": "local", "storage": None, "verbose": 0, "seed": 0}
LINE = {"x": space.uniform(-5, 5)}


def bowl(config):
    return {"loss": (config["x"] - 0.3) ** 2}


@pytest.mark.parametrize("optimizer", ["NGOpt", "CMA", ng.optimizers.OnePlusOne, ng.families.DifferentialEvolution()])
def test_an_optimizer_is_named_or_given_and_comes_near_the_best(optimizer):
    result = Engine(bowl, LINE, num_samples=60, searcher=Nevergrad(optimizer=optimizer), **QUIET).run()
    assert result.best_metrics["loss"] < 0.1


def test_an_unknown_optimizer_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"'NGOtp'.*NGOpt"):
        Nevergrad(optimizer="NGOtp").setup(Problem(Space(LINE)))


def test_two_objectives_are_refused():
    with pytest.raises(ValueError, match="one objective"):
        Nevergrad().setup(Problem(Space(LINE), objectives=2))


def test_an_optimizer_that_takes_one_trial_at_a_time_answers_not_now():
    searcher, log = Nevergrad(optimizer="Cobyla"), HistoryLog()
    searcher.setup(Problem(Space(LINE), parallelism=2))
    first, second = searcher.suggest(log.until(0), [Request(0, sample=0), Request(1, sample=1)], Streams(0))
    assert second is None
    log.born(0, first.config, first.tags)
    log.ended(0, Outcome("failed"))
    [drawn] = searcher.suggest(log.until(len(log)), [Request(1, sample=1)], Streams(0))
    assert drawn is not None, "it is told of the failure as soon as there is a worst value"
    log.born(1, drawn.config, drawn.tags)
    log.seen(1, 1, [(1.0,)])
    log.ended(1, Outcome("completed"))
    assert searcher.suggest(log.until(len(log)), [Request(2, sample=2)], Streams(0)) != [None]


def test_where_there_is_one_trial_at_a_time_one_that_is_open_does_not_end_the_search():
    searcher = Nevergrad(optimizer="Cobyla")
    searcher.setup(Problem(Space(LINE)))
    assert None not in searcher.suggest(HistoryLog().until(0), [Request(0, sample=0), Request(1, sample=1)], Streams(0))


@pytest.mark.parametrize(
    "own",
    [
        {"x": ng.p.Scalar(lower=-5, upper=5), "kind": ng.p.Choice(["a", "b"])},
        ng.p.Instrumentation(x=ng.p.Scalar(lower=-5, upper=5), kind=ng.p.Choice(["a", "b"])),
        ng.p.Dict(x=ng.p.Scalar(lower=-5, upper=5), kind=ng.p.Choice(["a", "b"])),
    ],
)
def test_a_space_of_its_own_counts_instead_of_the_runs(own):
    searcher = Nevergrad(space=own, points=[{"x": 1.0, "kind": "b"}])
    result = Engine(bowl, {"epochs": 3}, num_samples=8, searcher=searcher, **QUIET).run()
    configs = [trial.config for trial in result]
    assert configs[0] == {"x": 1.0, "kind": "b", "epochs": 3}
    assert {config["kind"] for config in configs} == {"a", "b"}
    with pytest.raises(ValueError, match=r"points_to_evaluate\[0\]: kind: missing"):
        Nevergrad(space=own, points=[{"x": 1.0}]).setup(Problem(Space({})))


def test_an_optimizer_that_was_made_has_its_own_space_and_stays_as_it_was():
    made = ng.optimizers.TwoPointsDE(ng.p.Dict(x=ng.p.Scalar(lower=-5, upper=5)), budget=20, num_workers=2)
    for searcher in (Nevergrad(optimizer=made), NevergradSearch(optimizer=made).adapter("min")):
        assert len(Engine(bowl, {}, num_samples=4, searcher=searcher, **QUIET).run()) == 4
    assert made.num_ask == 0
