"""A loaded run explains its decisions as its own result does, without the objective."""

import pytest

import trialwright
from trialwright import ASHA, Engine, HyperBand, report, space
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


def test_a_copied_explanation_is_the_same_and_a_pickled_result_has_none(tmp_path):
    import copy
    import pickle

    loaded = trialwright.load(result_of(tmp_path, scheduler="asha").path)
    assert copy.deepcopy(loaded).explain(1) == loaded.explain(1) != []
    assert pickle.loads(pickle.dumps(loaded)).explain(1) == []


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
