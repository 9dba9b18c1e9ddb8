"""A snapshot tells of a run what a display shows, in time that does not grow with the trials that have ended."""

import asyncio
import threading
import time

import pytest

from trialwright import Engine, Local, report, space
from trialwright.core.experiment import Experiment
from trialwright.core.plan import Plan
from trialwright.core.trials import ENDED_KEPT
from trialwright.engine import snapshots
from trialwright.engine.snapshots import Snapshots
from trialwright.engine.watchers import Meter
from trialwright.messages import CapacityChanged, Enqueued, Failed, Finished, Node, Reported, Started
from trialwright.progress.snapshot import RUNNING_KEPT
from trialwright.schedulers import FIFO
from trialwright.stopping import stop_rule

SPACE = {"x": space.uniform(0, 1)}


def an_experiment(cpus=2, **plan):
    plan = Plan(metrics=("loss", "size"), modes=("min", "max"), samples=0, resources={"cpu": 1.0}, **plan)
    experiment = Experiment(plan, FIFO(), stop_rule(None))
    experiment.handle(0.0, CapacityChanged((Node("here", {"cpu": float(cpus)}),)))
    return experiment


def add(experiment, count, now=0.0):
    for number in range(count):
        experiment.handle(now, Enqueued({"x": float(number)}))


def reported(trial, step, **columns):
    return Reported(trial, 1, step, (1.0,), {name: (value,) for name, value in columns.items()})


def looking_at(experiment):
    return Snapshots(experiment, Meter(), "a run", None)


def test_trials_that_run_are_there_the_newest_report_first():
    experiment = an_experiment(cpus=3)
    add(experiment, 5)
    for trial in range(3):
        experiment.handle(1.0, Started(trial, 1, "a worker"))
    experiment.handle(2.0, reported(1, 1, loss=0.5, size=7.0, other=1.0))
    experiment.handle(3.0, reported(2, 1, loss=0.7))
    running = looking_at(experiment).take(5.0).running
    assert [(each.trial, each.step, each.silent_s) for each in running] == [(2, 1, 2.0), (1, 1, 3.0), (0, 0, 4.0)]
    assert [dict(each.values) for each in running] == [{"loss": 0.7}, {"loss": 0.5, "size": 7.0}, {}]
    assert {(each.runs_s, *each.resources.items()) for each in running} == {(4.0, ("cpu", 1.0))}


def test_of_trials_with_equal_values_the_best_is_the_one_with_the_lowest_number_as_in_the_result():
    experiment = an_experiment(cpus=3)
    add(experiment, 3)
    for trial in range(3):
        experiment.handle(1.0, Started(trial, 1, "a worker"))
    look = looking_at(experiment)
    bests = []
    for trial, step, loss in ((1, 1, 0.5), (2, 1, 0.5), (0, 1, 0.9), (0, 2, 0.5)):
        experiment.handle(2.0, reported(trial, step, loss=loss, size=1.0))
        bests.append(look.take(3.0).best.trial)
    assert bests == [1, 1, 1, 0]


def test_of_many_trials_that_run_a_limited_number_is_there():
    experiment = an_experiment(cpus=500)
    add(experiment, 500)
    for trial in range(500):
        experiment.handle(1.0, Started(trial, 1, "a worker"))
    snapshot = looking_at(experiment).take(5.0)
    assert [each.trial for each in snapshot.running] == [*range(RUNNING_KEPT)]
    assert snapshot.states["running"] == 500


def test_the_best_value_has_all_objectives_and_what_it_improved():
    experiment = an_experiment()
    add(experiment, 2)
    look = looking_at(experiment)
    assert look.take(0.0).best is None
    told = []
    for now, trial, step, loss in ((1.0, 0, 1, 0.9), (2.0, 1, 1, 0.5), (3.0, 0, 2, 0.7), (4.0, 1, 2, 0.25)):
        experiment.handle(now, reported(trial, step, loss=loss, size=now))
        best = look.take(now).best
        told.append((best.trial, dict(best.values), best.found_s, best.before, best.before_trial))
    second = (1, {"loss": 0.5, "size": 2.0}, 2.0, 0.9, 0)
    first, last = (0, {"loss": 0.9, "size": 1.0}, 1.0, None, None), (1, {"loss": 0.25, "size": 4.0}, 4.0, 0.5, 1)
    assert told == [first, second, second, last]


def test_the_last_that_ended_are_there_once_with_how_and_why():
    experiment = an_experiment()
    add(experiment, 4)
    look = looking_at(experiment)
    experiment.handle(1.0, Started(0, 1, "a"))
    experiment.handle(3.0, reported(0, 1, loss=0.5))
    experiment.handle(4.0, Finished(0, 1))
    experiment.handle(5.0, Started(1, 1, "a"))
    experiment.handle(6.0, Failed(1, 1, "ValueError: no", ""))
    for _ in range(2):
        first, second = look.take(7.0).ended
    assert (first.number, first.trial, first.outcome, first.step) == (1, 0, "completed", 1)
    assert first.values == {"loss": 0.5}
    assert (second.number, second.trial, second.outcome, second.reason) == (2, 1, "failed", "ValueError: no")
    assert look.take(7.0).ends == 2


def test_of_many_ends_between_two_looks_the_last_are_there():
    experiment = an_experiment(cpus=1000)
    add(experiment, 300)
    for trial in range(300):
        experiment.handle(1.0, Started(trial, 1, "a"))
        experiment.handle(2.0, Finished(trial, 1))
    snapshot = looking_at(experiment).take(3.0)
    assert [each.number for each in snapshot.ended] == [*range(300 - ENDED_KEPT + 1, 301)]
    assert snapshot.ends == 300


def test_slot_seconds_are_those_in_which_trials_held_resources():
    experiment = an_experiment(cpus=2)
    add(experiment, 2, now=1.0)
    experiment.handle(3.0, Started(0, 1, "a"))
    experiment.handle(5.0, Finished(0, 1))
    experiment.handle(9.0, Finished(1, 1))
    snapshot = looking_at(experiment).take(10.0)
    assert snapshot.busy_s == pytest.approx(4.0 + 8.0)
    assert snapshot.busy_resource_s == {"cpu": pytest.approx(12.0)}


def test_a_snapshot_takes_as_long_after_many_trials_as_after_few():
    def cost(count):
        experiment = an_experiment(cpus=4)
        for trial in range(count):
            experiment.handle(float(trial), Enqueued({"x": 1.0}))
            experiment.handle(float(trial), Started(trial, 1, "a"))
            experiment.handle(float(trial), reported(trial, 1, loss=1.0 - trial * 1e-6, size=1.0))
            experiment.handle(float(trial), Finished(trial, 1))
        look = looking_at(experiment)
        look.take(1e6)
        return min(timed(look.take) for _ in range(20))

    def timed(take):
        began = time.perf_counter()
        take(1e6)
        return time.perf_counter() - began

    assert cost(2_000) < 5 * cost(100)


class Kept:
    """A display that keeps what it is shown."""

    def __init__(self):
        self.shown = []

    def update(self, snapshot):
        self.shown.append(snapshot)

    def close(self, snapshot):
        self.shown.append(snapshot)


def test_a_run_shows_its_trials_while_they_run_and_their_ends():
    shown, seen = Kept(), threading.Event()

    def objective(config):
        report(loss=config["x"])
        assert seen.wait(30)
        return config["x"]

    def update(snapshot):
        Kept.update(shown, snapshot)
        if len(snapshot.running) == 2 and all(each.step == 1 for each in snapshot.running):
            seen.set()

    shown.update = update
    told = {"executor": Local(cpus=2), "storage": None, "verbose": 0, "seed": 0, "searcher": "random"}
    result = Engine(objective, SPACE, metric="loss", num_samples=3, progress=shown, **told).run()
    last = shown.shown[-1]
    assert last.running == ()
    assert {(each.trial, each.outcome) for each in last.ended} == {(trial.id, "completed") for trial in result}
    assert last.ends == last.states["ended"] == 3
    assert last.best.values == {"loss": result.best_metrics["loss"]}
    assert last.busy_s > 0


def test_it_is_said_that_a_run_waits_for_its_searcher(monkeypatch):
    monkeypatch.setattr(snapshots, "WINDOW_S", 1.0)
    experiment, shares = an_experiment(cpus=0), []
    add(experiment, 1)
    look = looking_at(experiment)
    for now, idle_s in ((0.0, 0.0), (0.5, 2.0), (1.0, 4.0), (1.5, 4.0), (3.0, 4.0)):
        experiment.idle_s["searcher"] = idle_s
        shares.append(look.take(now).waits)
    assert shares == [
        "",
        "",
        "for the searcher: 100% of the slots' time",
        "for the searcher: 100% of the slots' time",
        "",
    ]
    assert look.take(9.0, waits="a machine").waits == "a machine"


def test_a_run_whose_trials_have_all_ended_waits_for_nothing():
    experiment = an_experiment()
    look = looking_at(experiment)
    experiment.idle_s["searcher"] = 0.0
    look.take(0.0)
    experiment.idle_s["searcher"] = 9.0
    assert experiment.done
    assert look.take(9.0).waits == ""


def test_the_clock_of_a_display_runs_while_the_executor_starts():
    shown, seen = Kept(), threading.Event()

    class Slow(Local):
        starting = "something slow"

        async def open(self, run):
            assert await asyncio.to_thread(seen.wait, 30)
            await super().open(run)

    def update(snapshot):
        Kept.update(shown, snapshot)
        if snapshot.starting and snapshot.elapsed_s > 0:
            seen.set()

    shown.update = update
    told = {"executor": Slow(cpus=1), "storage": None, "verbose": 0, "seed": 0, "searcher": "random"}
    Engine(lambda config: config["x"], SPACE, metric="loss", num_samples=1, progress=shown, **told).run()
    times = [each.elapsed_s for each in shown.shown if each.starting]
    assert times == sorted(times)
