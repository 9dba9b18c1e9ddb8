"""A loaded run explains its decisions as its own result does, without the objective."""

import copy
import pickle

import pytest

import trialwright
from trialwright import ASHA, PBT, Engine, HyperBand, get_checkpoint, report, space
from trialwright.results import Decided


def objective(config):
    for step in range(1, 10):
        report(loss=config["x"] + 1 / step, checkpoint={"step": step})


def result_of(tmp_path, **keywords):
    given = {"metric": "loss", "num_samples": 12, "searcher": "random", "seed": 3, "executor": "local", **keywords}
    return Engine(objective, {"x": space.uniform(0, 1)}, storage=tmp_path, verbose=0, **given).run()


@pytest.mark.parametrize("scheduler", [ASHA(max_t=9), ASHA(max_t=9, promote=True), HyperBand(max_t=9), "fifo"])
def test_decisions_and_reasons_are_those_of_the_result(tmp_path, scheduler):
    result = result_of(tmp_path, scheduler=scheduler)
    loaded = trialwright.load(result.path)
    told = [result.explain(trial.id) for trial in result]
    assert [loaded.explain(trial.id) for trial in loaded] == told
    assert scheduler == "fifo" or any(decided.facts for trial in told for decided in trial)


def test_a_copied_and_a_pickled_result_that_was_loaded_explain_the_same(tmp_path):
    loaded = trialwright.load(result_of(tmp_path, scheduler="asha").path)
    assert copy.deepcopy(loaded).explain(1) == loaded.explain(1) != []
    assert pickle.loads(pickle.dumps(loaded)).explain(1) == loaded.explain(1)


def test_without_a_stop_rule_that_is_code_the_decisions_come_without_reasons(tmp_path):
    result = result_of(tmp_path, scheduler=ASHA(max_t=9), stop=lambda trial, metrics: metrics["step"] >= 4)
    loaded = trialwright.load(result.path)
    with pytest.warns(RuntimeWarning, match="without the scheduler's reasons, because .* does not hold: stop"):
        told = loaded.explain(2)
    whole = result.explain(2)
    assert told == [Decided(each.now, each.trial, each.step, each.decision, {}) for each in whole] != []


def test_a_space_with_functions_is_given_to_load(tmp_path):
    definition = {"x": space.uniform(0, 1), "kind": space.choice([min, max])}
    given = {"metric": "loss", "num_samples": 6, "searcher": "random", "scheduler": "asha", "executor": "local"}
    result = Engine(objective, definition, storage=tmp_path, verbose=0, seed=1, **given).run()
    loaded = trialwright.load(result.path, space=definition)
    assert [loaded.explain(trial.id) for trial in loaded] == [result.explain(trial.id) for trial in result]


def train(config):
    state = get_checkpoint() or {"step": 0}
    for step in range(state["step"] + 1, 13):
        report(loss=config["rate"] / step, checkpoint={"step": step})


def test_the_lineage_of_a_population_is_that_of_the_result(tmp_path):
    population = PBT(interval=3)
    given = {"metric": "loss", "num_samples": 4, "searcher": "random", "scheduler": population, "executor": "local"}
    result = Engine(train, {"rate": space.uniform(0, 1)}, storage=tmp_path, seed=2, verbose=0, **given).run()
    loaded = trialwright.load(result.path)
    lineages = [result.lineage(trial.id) for trial in result]
    assert max(map(len, lineages)) > 1
    assert [loaded.lineage(trial.id) for trial in loaded] == lineages
    assert pickle.loads(pickle.dumps(loaded)).lineage(0) == lineages[0]


def test_without_a_part_of_the_run_the_lineage_is_refused(tmp_path):
    loaded = trialwright.load(result_of(tmp_path, stop=lambda trial, metrics: False).path)
    with pytest.raises(ValueError, match="lineage of this run cannot be told, because the journal does not hold: stop"):
        loaded.lineage(0)
