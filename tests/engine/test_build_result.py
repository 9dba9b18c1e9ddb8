"""The result of a run: the same whether it is small or large, over or not."""

import pickle

from trialwright import Engine, Local, space
from trialwright.engine import build_result
from trialwright.engine.build_result import Found, OnDemand


def run():
    told = {"executor": Local(cpus=1), "storage": None, "verbose": 0, "metric": "loss", "num_samples": 4, "seed": 0}
    return Engine(lambda config: {"loss": config["x"]}, {"x": space.uniform(0, 1)}, searcher="random", **told).run()


def test_the_trials_of_a_large_run_are_made_when_they_are_asked_for(monkeypatch):
    small = run()
    monkeypatch.setattr(build_result, "MANY", 4)
    large = run()
    assert isinstance(large.trials, OnDemand)
    assert (len(large), [trial.config for trial in large]) == (4, [trial.config for trial in small])
    assert large[1].config == small[1].config
    assert [trial.id for trial in large.trials[1:3]] == [1, 2]
    assert large.trials == [*large.trials]
    assert large.trials != [*large.trials][:3]
    assert large.best_config == small.best_config


def test_they_are_a_list_once_they_are_pickled(monkeypatch):
    monkeypatch.setattr(build_result, "MANY", 4)
    again = pickle.loads(pickle.dumps(run()))
    assert type(again.trials) is list
    assert [trial.id for trial in again] == [0, 1, 2, 3]


def broken(why):
    raise RuntimeError(f"in the middle of something: {why}")


def test_a_run_that_was_left_in_the_middle_may_have_no_result_so_far(capsys):
    assert Found().so_far("a signal") is None
    assert Found(make=broken).so_far("a signal") is None
    assert "there is no result so far" in capsys.readouterr().err
