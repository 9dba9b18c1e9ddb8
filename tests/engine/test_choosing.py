"""The scheduler that "auto" stands for."""

import math

import pytest

from trialwright import ASHA, FIFO, Engine, Simulated, report
from trialwright.engine.checking import check
from trialwright.schedulers import MOASHA
from trialwright.space import uniform
from trialwright.workloads import CrossingCurves


def function(config):
    report(loss=1.0)


def generator(config):
    yield {"loss": 1.0}


def chosen(objective, **keywords):
    told = {"metric": "loss", "num_samples": 50, "executor": "local", "storage": None, "scheduler": "auto", **keywords}
    arguments = check(Engine(objective, {"x": uniform(0, 1)}, **told)._keywords)
    return arguments.scheduler, arguments.why_scheduler


@pytest.mark.parametrize(
    ("objective", "keywords", "scheduler", "why"),
    [
        (function, {}, FIFO(), "FIFO: it is not known before it runs whether a function reports steps"),
        (function, {"stop": {"step": 81}}, ASHA(81, reduction_factor=3), "ASHA: trials report steps"),
        (function, {"stop": lambda trial, metrics: False}, FIFO(), "not known before it runs"),
        (function, {"stop": {"step": 2}}, FIFO(), "2 steps are too few"),
        (generator, {}, ASHA(100, reduction_factor=3, stop_last_trials=False), "trials report steps"),
        (generator, {"metric": None}, FIFO(), "no metric"),
        (generator, {"num_samples": 8}, FIFO(), "8 trials are too few"),
        (generator, {"num_samples": -1}, ASHA(reduction_factor=3, stop_last_trials=False), "trials report steps"),
        (generator, {"stop": {"step": 27}, "metric": ["a", "b"]}, MOASHA(27, reduction_factor=3), "2 objectives"),
        (
            generator,
            {"stop": [{"step": 50}, {"step": 27}], "max_concurrent_trials": 2},
            ASHA(27, reduction_factor=3, promote=True),
            "few slots (2)",
        ),
    ],
)
def test_the_first_rule_that_holds_decides_and_says_why(objective, keywords, scheduler, why):
    found, reason = chosen(objective, **keywords)
    assert found == scheduler
    assert why in reason


def test_a_scheduler_that_is_named_has_no_reason():
    assert chosen(function, scheduler="asha") == (ASHA(), "")


def test_a_workload_is_known_to_report_steps():
    assert type(chosen(CrossingCurves(), executor=Simulated(workers=4))[0]) is ASHA


def test_what_was_chosen_is_said_and_kept_for_each_resume(tmp_path, capsys):
    work = CrossingCurves(steps=27)
    keywords = {"metric": "loss", "executor": Simulated(workers=4), "searcher": "random", "scheduler": "auto"}
    begun = Engine(work, work.space, num_samples=9, stop={"step": 27}, storage=tmp_path, **keywords).run()
    said = capsys.readouterr()
    assert "scheduler ASHA: trials report steps" in said.out + said.err
    again = Engine.resume(begun.path, work, executor=Simulated(workers=4), num_samples=math.prod((3, 4)), verbose=0)
    assert again._keywords["scheduler"] == ASHA(27, reduction_factor=3)
    assert len(again.run()) == 12
