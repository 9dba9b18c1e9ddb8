"""Tables of learning curves: what is reported is what stands there."""

import math

import numpy as np
import pytest

from tests.contracts.workload import WorkloadContract
from tests.core.driving import simulate
from trialwright import Engine
from trialwright.executors.simulated import Simulated
from trialwright.messages import Reported
from trialwright.searchers import Grid
from trialwright.space import Space, loguniform
from trialwright.workloads import Table

LOSSES = [[3.0, 2.0, 1.0], [4.0, math.nan, math.nan], [5.0, 4.5, 4.25]]


class TestContract(WorkloadContract):
    def make(self):
        return Table({"loss": np.random.default_rng(0).random((20, 9))}, seconds=2.0)


class TestContractNearest(WorkloadContract):
    def make(self):
        configs = [{"lr": 10.0**-power} for power in range(1, 7)]
        losses = np.random.default_rng(0).random((6, 9))
        return Table({"loss": losses, "cost": losses}, configs=configs, space={"lr": loguniform(1e-6, 0.1)})


def played(table: Table, config: dict[str, object]) -> list[tuple[dict[str, object], float]]:
    state, steps = table.start(config, 0), []
    while (done := table.step(config, state)) is not None:
        state = done[0]
        steps.append(done[1:])
    return steps


def test_a_trial_reports_its_row():
    table = Table({"loss": LOSSES, "accuracy": np.ones((3, 3))}, seconds=[[1.0], [2.0], [3.0]])
    assert played(table, {"row": 2}) == [({"loss": loss, "accuracy": 1.0}, 3.0) for loss in LOSSES[2]]


def test_what_has_diverged_is_nan():
    losses = [metrics["loss"] for metrics, _ in played(Table({"loss": LOSSES}), {"row": 1})]
    assert str(losses) == "[4.0, nan, nan]"


def test_its_own_space_has_each_row_once():
    table = Table({"loss": np.random.default_rng(0).random((7, 2))})
    simulation = simulate(table, None, Simulated(workers=3), searcher=Grid(), space=Space(table.space))
    reports = [event for event in simulation.events if isinstance(event, Reported)]
    assert len(reports) == 7 * 2


def test_a_config_is_the_row_that_is_nearest_in_the_unit_cube():
    configs = [{"lr": lr} for lr in (1e-4, 1e-2, 1.0)]
    table = Table({"loss": LOSSES}, configs=configs, space={"lr": loguniform(1e-4, 1.0)})
    assert [table.row({"lr": lr}) for lr in (1e-4, 9e-4, 1.1e-3, 0.09, 0.11, 1.0)] == [0, 0, 1, 1, 2, 2]


def test_another_configuration_continues_along_its_own_row():
    table = Table({"loss": LOSSES})
    state = table.start({"row": 0}, 0)
    state, *_ = table.step({"row": 0}, state)
    _, metrics, _ = table.step({"row": 2}, state)
    assert metrics == {"loss": 4.5}


def test_an_engine_finds_the_best_row():
    table = Table({"loss": LOSSES})
    keywords = {"metric": "loss", "num_samples": 20, "storage": None, "verbose": 0, "seed": 0}
    result = Engine(table, table.space, executor=Simulated(workers=4), searcher="random", **keywords).run()
    assert (result.best_config, result.best_metrics["loss"]) == ({"row": 0}, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"curves": {}}, "curves must all be of one shape"),
        ({"curves": {"loss": [1.0, 2.0]}}, r"curves must all be of one shape \(n, R\), not {'loss': \(2,\)}"),
        ({"curves": {"loss": LOSSES, "x": [[1.0]]}}, "curves must all be of one shape"),
        ({"seconds": [1.0, 2.0]}, r"seconds of shape \(2,\)"),
        ({"seconds": -1.0}, "seconds must be finite and not negative; the lowest is -1.0"),
        ({"seconds": math.nan}, "seconds must be finite"),
        ({"configs": [{"x": 1}] * 3}, "configs and space are needed together"),
        ({"configs": [{"x": 1}], "space": {"x": loguniform(1e-3, 1)}}, "1 configs are given for 3 rows"),
    ],
)
def test_what_is_no_table_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Table(**{"curves": {"loss": LOSSES}, **arguments})


def test_all_problems_are_listed_at_once():
    with pytest.raises(ValueError, match=r"(?s)needed together.*not negative"):
        Table({"loss": LOSSES}, -1.0, configs=[{"x": 1}] * 3)
