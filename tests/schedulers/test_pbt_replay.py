"""A population's lineage, and one trial that follows it."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.contracts.scheduler import SchedulerContract
from trialwright import Engine, Simulated, space
from trialwright.schedulers import PBT, PBTReplay, ResourceChanging
from trialwright.searchers import Schedule


class TestContract(SchedulerContract):
    def make(self):
        return PBTReplay([(0, {"x": 0.1}), (5, {"x": 0.2}), (9, {"x": 0.3})])


@dataclass(frozen=True)
class Memory:
    """A training that remembers every rate it was trained with."""

    def start(self, config: dict[str, Any], seed: int) -> tuple[float, ...]:
        return ()

    def step(self, config: dict[str, Any], state: tuple[float, ...]) -> Any:
        past = (*state, config["model"]["rate"])
        return None if len(state) == 42 else (past, {"loss": -sum(past), "past": repr(past)}, 1.0)


def tune(scheduler: Any, **keywords: Any) -> Any:
    told = {
        "searcher": "random",
        "num_samples": 6,
        "seed": 3,
        "executor": Simulated(workers=keywords.pop("workers", 6)),
        **keywords,
    }
    rates = {"model": {"rate": space.uniform(0, 1)}}
    return Engine(Memory(), rates, metric="loss", scheduler=scheduler, storage=None, verbose=0, **told).run()  # type: ignore[arg-type]


def rates(lineage: list[Any], steps: int) -> list[float]:
    """What a trial was trained with at each step, by its lineage."""
    ends = [segment.step for segment in lineage[1:]] + [steps]
    return [
        segment.config["model"]["rate"]
        for segment, end in zip(lineage, ends, strict=True)
        for _ in range(segment.step, end)
    ]


@pytest.fixture(scope="module", params=[False, True], ids=["asynchronous", "synchronous"])
def result(request):
    return tune(PBT(interval=5, quantile=0.5, synchronous=request.param), workers=3 if request.param else 6)


def test_a_lineage_is_what_the_state_was_trained_with(result):
    for trial in result:
        lineage = result.lineage(trial.id)
        assert lineage[0].step == 0
        assert repr(tuple(rates(lineage, 42))) == trial.metrics["past"]
    assert max(len(result.lineage(trial.id)) for trial in result) > 3
    assert {segment.trial for trial in result for segment in result.lineage(trial.id)} <= set(range(6))


def test_a_replay_trains_one_trial_as_the_lineage_says(result):
    best = result.best_trial
    replayed = tune(PBTReplay(result.lineage(best.id)), num_samples=1, workers=1)
    assert replayed.best_metrics["past"] == best.metrics["past"]
    assert replayed.best_metrics["loss"] == pytest.approx(best.metrics["loss"])


def test_there_is_no_lineage_of_a_trial_that_is_not_there(result):
    with pytest.raises(ValueError, match="no trial 6: this run has 6"):
        result.lineage(6)


@pytest.mark.parametrize("policy", [[], [(1, {})], [(0, {}), (5, {}), (5, {})], [(0, {}), (5, {}), (3, {})]])
def test_a_policy_that_does_not_begin_and_grow_is_refused(policy):
    with pytest.raises(ValueError, match="policy must be pairs of a step and a config"):
        PBTReplay(policy)


def test_a_policy_of_another_space_is_refused():
    with pytest.raises(ValueError, match="model/rate"):
        tune(PBTReplay([(0, {"model": {"rate": 2.0}})]))


def test_the_engine_brings_the_searcher_also_through_resource_changing():
    from trialwright.engine import catalogue

    replay = PBTReplay([(0, {"x": 1})])
    assert catalogue.searcher("random", ResourceChanging(replay)) == Schedule([{"x": 1}])
    again = catalogue.from_plain(catalogue.to_plain(ResourceChanging(replay)))
    assert again == ResourceChanging(replay)
