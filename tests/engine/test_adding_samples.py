"""A run that gets more samples from other processes: while it runs, and after it has ended."""

import trialwright
from tests.core.driving import Hand
from trialwright import Engine, context, report, runs, space
from trialwright.messages import Launch, SamplesAdded, StopRequested

GIVEN = {"metric": "loss", "executor": "local", "searcher": "random", "seed": 1, "verbose": 0}
SPACE = {"x": space.uniform(0, 1)}


def plain(config):
    report(loss=config["x"])


def test_samples_are_added_while_the_run_is_active_and_a_resume_replays_that(tmp_path):
    def objective(config):
        if context().trial_id == 0:
            trialwright.add_samples(context().directory.parents[1], 3)
        report(loss=config["x"])

    result = Engine(objective, SPACE, num_samples=2, storage=tmp_path, **GIVEN).run()
    assert len(result) == 5
    assert runs.describe(result.path).planned == 5
    again = Engine.resume(result.path, plain, executor="local", verbose=0).run()
    assert [trial.config for trial in again] == [trial.config for trial in result]
    assert len({trial.config["x"] for trial in result}) == 5


def test_a_run_that_has_ended_gets_them_when_it_is_resumed(tmp_path):
    path = Engine(plain, SPACE, num_samples=2, storage=tmp_path, **GIVEN).run().path
    assert trialwright.add_samples(path, 2) == 1
    assert len(Engine.resume(path, plain, executor="local", verbose=0).run()) == 4
    assert len(Engine.resume(path, plain, executor="local", verbose=0).run()) == 4, "no request is carried out twice"
    assert len(Engine.resume(path, plain, num_samples=6, executor="local", verbose=0).run()) == 6


def test_a_request_that_is_read_again_after_a_crash_adds_nothing():
    hand = Hand(samples=1, cpus=2)
    assert [each for each in hand(SamplesAdded(1, letter=1)) if isinstance(each, Launch)]
    assert hand(SamplesAdded(1, letter=1)) == []
    assert hand.experiment.samples == 2


def test_a_run_that_was_stopped_takes_none_and_says_so():
    hand = Hand(samples=1)
    hand(StopRequested(None))
    hand(SamplesAdded(2, letter=1))
    assert hand.experiment.samples == 1
    assert hand.experiment.warnings == ["2 samples were not added: the run was stopped (stopped by user request)"]
