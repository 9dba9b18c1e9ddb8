"""A journal is enough: folding any prefix of it gives the digest that the live driver wrote there."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from tests.core.driving import Hand
from trialwright import ASHA, PBT, Engine, Local, Simulated, report, space
from trialwright.core.experiment import Experiment
from trialwright.core.ledger import Ledger
from trialwright.core.supply import Supply
from trialwright.core.waiting import Line
from trialwright.engine.checking import check
from trialwright.engine.replay import explain, more_samples, replay
from trialwright.errors import PolicyError, ReplayError
from trialwright.executors.simulated import Delays, Faults
from trialwright.messages import Continue, Node, SamplesAdded, Stop, StopRequested, Ticked, at_step
from trialwright.storage.base import Entry
from trialwright.storage.sqlite import SqliteStore
from trialwright.streams import Streams


class Decay:
    """A training whose loss falls to what the configuration allows."""

    def start(self, config, seed):
        return 1.0

    def step(self, config, state):
        return state * config["rate"], {"loss": state + config["floor"]}, 1.0


def jittery(config):
    for _ in range(9):
        time.sleep(random.random() / 500)
        report(loss=config["floor"])


SPACE = {"rate": space.uniform(0.1, 0.9), "floor": space.uniform(0, 1)}
SCHEDULERS = {
    "stopping": lambda: ASHA(max_t=9, reduction_factor=3),
    "promoting": lambda: ASHA(max_t=9, reduction_factor=3, promote=True),
    "pbt": lambda: PBT(interval=3),
}


def keywords(scheduler, executor):
    return {
        "metric": "loss",
        "num_samples": 16,
        "scheduler": SCHEDULERS[scheduler](),
        "stop": {"step": 12},
        "seed": 1,
        "verbose": 0,
        "executor": executor,
        "max_failures": 3,
    }


def experiment_of(objective, scheduler, executor):
    """A fresh experiment, as the run that is replayed had it when it began."""
    parts = check(Engine(objective, SPACE, storage=None, **keywords(scheduler, executor))._keywords)
    parts.scheduler.setup(Streams(parts.plan.seed))
    return Experiment(parts.plan, parts.scheduler, parts.rule, learns=parts.searcher.learns)


RUNS = [
    (
        Decay(),
        lambda: Simulated(
            workers=3, delays=Delays(launch_s=0.3, halt_s=0.2, ask_s=0.1), faults=Faults(lost_per_hour=200)
        ),
    ),
    (jittery, lambda: Local(cpus=3)),
]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize(("objective", "executor"), RUNS, ids=["simulated", "local"])
def test_any_prefix_of_a_journal_gives_the_digest_that_was_written_for_it(tmp_path, scheduler, objective, executor):
    result = Engine(objective, SPACE, storage=tmp_path, **keywords(scheduler, executor())).run()
    experiment = experiment_of(objective, scheduler, executor())
    digests = 0
    for entry in entries_of(result.path):
        experiment.replay(entry.now, entry.event, entry.decisions)
        if entry.digest is not None:
            digests += 1
            assert experiment.digest == entry.digest
        experiment.check()
    assert digests > 10
    assert experiment.done
    assert {trial.id: str(trial.outcome.kind) for trial in experiment.trials.values()} == {
        t.id: t.outcome for t in result
    }


def test_the_past_stays_as_it_was_decided_whatever_scheduler_would_decide_today(tmp_path):
    objective, executor = RUNS[0]
    result = Engine(objective, SPACE, storage=tmp_path, **keywords("stopping", executor())).run()
    entries = entries_of(result.path)
    today = experiment_of(objective, "pbt", executor())
    for entry in entries:
        today.replay(entry.now, entry.event, entry.decisions)
        assert entry.digest in (None, today.digest)
    assert today.done


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_past_stays_as_it_was_launched_whatever_ledger_and_line_would_decide_today(
    tmp_path, scheduler, monkeypatch
):
    nodes = [Node(name, {"cpu": 2}) for name in "abc"]
    executor = Simulated(nodes=nodes, delays=Delays(launch_s=0.3), faults=Faults(lost_per_hour=200))
    result = Engine(Decay(), SPACE, storage=tmp_path, **keywords(scheduler, executor)).run()
    today = experiment_of(Decay(), scheduler, executor)

    def another(*_):
        raise AssertionError("a replay asks neither the ledger nor the line")

    for policy in (Ledger, "grant"), (Ledger, "fits"), (Ledger, "room"), (Ledger, "is_possible"), (Line, "pick"):
        monkeypatch.setattr(*policy, another)
    monkeypatch.setattr(Supply, "wanted", another)
    for entry in entries_of(result.path):
        today.replay(entry.now, entry.event, entry.decisions)
        assert entry.digest in (None, today.digest)
        today.check()
    assert today.done
    assert {trial.id: str(trial.outcome.kind) for trial in today.trials.values()} == {t.id: t.outcome for t in result}


def test_a_decision_that_is_not_the_one_that_was_taken_is_noticed(tmp_path):
    objective, executor = RUNS[0]
    result = Engine(objective, SPACE, storage=tmp_path, **keywords("stopping", executor())).run()
    entries = entries_of(result.path)
    experiment = experiment_of(objective, "stopping", executor())
    with pytest.raises((ReplayError, AssertionError)):
        for entry in entries:
            changed = [Continue(at_step(999)) if isinstance(one, Stop) else one for one in entry.decisions]
            experiment.replay(entry.now, entry.event, changed)
            assert entry.digest in (None, experiment.digest)


def entries_of(run):
    store = SqliteStore.open(run, read_only=True)
    try:
        return list(store.entries())
    finally:
        store.close()


class Breaking(ASHA):
    """Raises at one of its reports, until it is mended."""

    broken = True

    def on_report(self, trial, report):
        if self.broken and trial.id == 5:
            raise ZeroDivisionError("a mistake in the scheduler")
        return super().on_report(trial, report)


def test_a_run_whose_scheduler_broke_continues_with_a_mended_one_from_the_event_that_broke_it(tmp_path):
    objective, executor = RUNS[0]
    given = {**keywords("stopping", executor()), "scheduler": Breaking(max_t=9)}
    with pytest.raises(PolicyError, match="a mistake in the scheduler"):
        Engine(objective, SPACE, storage=tmp_path, **given).run()
    [run] = tmp_path.iterdir()
    undecided = [entry for entry in entries_of(run) if entry.decisions is None]
    assert undecided[0].event.trial == 5
    mended = Breaking(max_t=9)
    mended.broken = False
    result = Engine.resume(run, objective, scheduler=mended, executor=executor(), verbose=0).run()
    assert all(trial.state == "ended" for trial in result)
    entries = entries_of(run)
    assert [entry for entry in entries if entry.decisions is None] == []
    assert sum(entry.event == undecided[0].event for entry in entries) == 1, "it is journalled once"
    assert len(Engine.resume(run, objective, scheduler=mended, executor=executor(), verbose=0).run()) == 16


class Past:
    """A store that has these entries."""

    def __init__(self, entries):
        self._entries = entries

    def entries(self):
        return self._entries


def test_a_journal_that_leads_elsewhere_is_refused_by_the_number_of_the_event(tmp_path):
    objective, executor = RUNS[0]
    engine = Engine(objective, SPACE, storage=tmp_path, **keywords("stopping", executor()))
    entries = entries_of(engine.run().path)
    number = next(number for number, entry in enumerate(entries) if entry.digest is not None)
    entries[number] = replace(entries[number], digest="0" * 16)
    with pytest.raises(ReplayError, match=f"differs from the journal at event {number + 1} "):
        replay(check(engine._keywords), Past(entries))


def test_an_explanation_ends_where_the_run_broke():
    parts = check(Engine(RUNS[0][0], SPACE, storage=None, **keywords("stopping", Simulated()))._keywords)
    assert list(explain(parts, [Entry(0.0, Ticked(), None, None), Entry(0.0, Ticked(), [Stop("later")], None)])) == []


def test_a_run_that_was_stopped_gets_no_more_samples():
    hand = Hand(samples=2)
    assert more_samples(hand.experiment, 2) == []
    assert more_samples(hand.experiment, 5) == [SamplesAdded(3)]
    hand(StopRequested(None))
    with pytest.raises(ValueError, match="num_samples cannot be raised: the run was stopped"):
        more_samples(hand.experiment, 5)
