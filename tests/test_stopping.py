"""Stop rules."""

import math

import pytest

from trialwright import Engine, report, space
from trialwright.messages import EVERY_REPORT, Boundary, Report
from trialwright.stopping import RunPlateau, TrialPlateau, metrics_of, stop_rule


def a_report(**metrics):
    return Report(1, (0.0,), {"step": 1, **metrics})


def test_no_rule_stops_nothing_and_sets_no_boundary():
    rule = stop_rule(None)
    assert (rule.boundaries, rule.reason(0, a_report(loss=0.0), {}), rule.stop_all()) == ((), None, None)


def test_a_number_means_at_least():
    rule = stop_rule({"accuracy": 0.95})
    assert rule.boundaries == (Boundary("accuracy", ">=", 0.95),)
    assert rule.reason(0, a_report(accuracy=0.94), {}) is None
    assert rule.reason(0, a_report(accuracy=0.95), {}) == "accuracy >= 0.95"


def test_a_pair_turns_the_sign_round():
    rule = stop_rule({"loss": ("<=", 0.1)})
    assert rule.reason(0, a_report(loss=0.2), {}) is None
    assert rule.reason(0, a_report(loss=0.1), {}) == "loss <= 0.1"


def test_the_first_of_several_that_is_met_ends_the_trial():
    rule = stop_rule({"step": 100, "loss": ("<=", 0.1)})
    assert rule.reason(0, a_report(loss=0.05), {}) == "loss <= 0.1"


@pytest.mark.parametrize("value", [math.nan, "0.99", None])
def test_what_is_no_number_meets_no_threshold(value):
    assert stop_rule({"x": 0.5}).reason(0, a_report(x=value), {}) is None
    assert stop_rule({"x": ("<=", 0.5)}).reason(0, a_report(x=value), {}) is None
    assert stop_rule({"y": 0.5}).reason(0, a_report(x=value), {}) is None


def test_a_function_is_asked_at_every_report():
    def too_slow(trial_id, metrics):
        return trial_id == 3 and metrics["loss"] > 1

    rule = stop_rule(too_slow)
    assert rule.boundaries == EVERY_REPORT
    assert rule.reason(2, a_report(loss=2.0), {}) is None
    reason = rule.reason(3, a_report(loss=2.0), {})
    assert reason is not None
    assert "too_slow" in reason
    assert rule.stop_all() is None


class Patience:
    """Stops trials at their second report, and the run after three reports."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, trial_id, metrics):
        self.calls += 1
        return self.calls == 2

    def stop_all(self):
        return self.calls >= 3


def test_a_stopper_has_a_memory_and_can_end_the_run():
    rule = stop_rule(Patience())
    answers = [(rule.reason(0, a_report(), {}), rule.stop_all()) for _ in range(3)]
    assert answers == [(None, None), ("stop rule Patience", None), (None, "stop rule Patience")]


def test_of_several_rules_all_are_asked_and_the_first_reason_counts():
    patience = Patience()
    rule = stop_rule([{"loss": ("<=", 0.1)}, patience])
    assert rule.boundaries == (Boundary("loss", "<=", 0.1), *EVERY_REPORT)
    assert rule.reason(0, a_report(loss=0.0), {}) == "loss <= 0.1"
    assert rule.reason(0, a_report(loss=0.0), {}) == "loss <= 0.1"
    assert patience.calls == 2


def test_a_rule_cannot_change_the_report():
    def vandal(trial_id, metrics):
        metrics.clear()

    report = a_report(loss=1.0)
    stop_rule(vandal).reason(0, report, {})
    assert report.metrics == {"step": 1, "loss": 1.0}


@pytest.mark.parametrize("value", [math.nan, "0.9", None, True])
def test_a_threshold_is_a_number(value):
    with pytest.raises(ValueError, match=r"stop\['loss'\] must be a number"):
        stop_rule({"loss": value})


@pytest.mark.parametrize("op", ["<", "==", ">", "max"])
def test_there_are_two_operators(op):
    with pytest.raises(ValueError, match=rf"stop\['loss'\]: the operator must be '>=' or '<=', not '{op}'"):
        stop_rule({"loss": (op, 0.1)})


@pytest.mark.parametrize("stop", [3, "loss", 0.5, object()])
def test_what_is_no_rule_is_refused(stop):
    with pytest.raises(TypeError, match="stop must be a dict, a function, a Stopper, or a list of these, not"):
        stop_rule(stop)


def ends(stopper, losses, trial=0):
    """What the stopper answers to a trial with these losses."""
    return [stopper(trial, {"loss": loss}) for loss in losses]


def test_a_trial_whose_metric_has_stopped_changing_ends():
    assert ends(TrialPlateau("loss"), [2.0, 1.0, 1.0, 1.0, 1.0]) == [False] * 4 + [True]
    assert not any(ends(TrialPlateau("loss"), [5.0, 4.0, 3.0, 2.0, 1.0]))
    assert ends(TrialPlateau("loss", std=0.6, window=2), [5.0, 4.0, 3.0, 2.0]) == [False] * 3 + [True]


def test_each_trial_has_a_plateau_of_its_own():
    stopper = TrialPlateau("loss", window=2, grace_period=2)
    assert not any(stopper(trial, {"loss": 1.0}) for trial in range(4))
    assert all(stopper(trial, {"loss": 1.0}) for trial in range(4))


def test_no_trial_on_a_plateau_ends_in_the_grace_period():
    assert ends(TrialPlateau("loss", window=2, grace_period=5), [1.0] * 5) == [False] * 4 + [True]


@pytest.mark.parametrize(("mode", "answer"), [("min", True), ("max", False)])
def test_a_plateau_above_the_threshold_ends_no_trial(mode, answer):
    stopper = TrialPlateau("loss", window=2, grace_period=2, threshold=2.0, mode=mode)
    assert ends(stopper, [1.0, 1.0])[-1] is answer


@pytest.mark.parametrize("value", [None, "low", math.nan, math.inf])
def test_what_is_no_finite_number_is_on_no_plateau(value):
    assert not any(ends(TrialPlateau("loss"), [value] * 6))
    assert not any(ends(RunPlateau("loss", top=2), [value] * 6))


@pytest.mark.parametrize("wrong", [{"window": 0}, {"threshold": 1.0}, {"threshold": 1.0, "mode": "best"}])
def test_a_trials_plateau_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrialPlateau("loss", **wrong)


def test_the_run_ends_when_its_best_values_are_nearly_equal():
    stopper = RunPlateau("loss", top=3)
    assert ends(stopper, [5.0, 1.0, 1.0, 1.0]) == [False, False, False, True]
    assert stopper.stop_all()


def test_a_better_value_leaves_the_plateau_of_a_run():
    assert ends(RunPlateau("loss", "max", top=2), [1.0, 1.0, 9.0]) == [False, True, False]


def test_a_run_stays_on_its_plateau_for_as_many_reports_as_its_patience():
    assert ends(RunPlateau("loss", top=2, patience=2), [1.0] * 4) == [False, False, True, True]


@pytest.mark.parametrize("wrong", [{"mode": "most"}, {"top": 1}, {"patience": -1}, {"std": 0.0}])
def test_a_runs_plateau_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RunPlateau("loss", **wrong)


@pytest.mark.parametrize("stopper", [TrialPlateau("val/loss"), RunPlateau("val/loss")])
def test_a_plateau_names_its_metric(stopper):
    assert "val/loss" in metrics_of(stop_rule(stopper))


def test_plateaus_end_trials_and_runs():
    def objective(config):
        for step in range(30):
            report(loss=max(3 - step, 0), other=step)

    def run(stop):
        return Engine(objective, {"x": space.uniform(0, 1)}, stop=stop, metric="loss", num_samples=4, **LOCAL).run()

    assert [trial.metrics["step"] for trial in run(TrialPlateau("loss"))] == [7] * 4
    assert run(RunPlateau("loss", top=5)).stopped == "stop rule RunPlateau"


LOCAL = {"executor": "local", "storage": None, "seed": 0, "verbose": 0}
