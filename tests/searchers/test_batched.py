"""Batches of trials."""

import pytest

from tests.contracts.searcher import SearcherContract, news
from trialwright import Engine, report, space
from trialwright.history import History, HistoryLog
from trialwright.messages import Outcome
from trialwright.searchers import TPE, Batched, Grid, Problem, Random, Repeat
from trialwright.space import Space
from trialwright.streams import Streams


class TestContract(SearcherContract):
    def make(self):
        return Batched(Random(), 2000)  # the contract asks for more than has ended


@pytest.fixture
def asked():
    """A searcher in batches of three, and a log of what it has answered."""
    searcher, log = Batched(Random(), 3), HistoryLog()
    searcher.setup(Problem(Space({"x": space.uniform(0, 1)})))
    for number, answer in enumerate(searcher.suggest(History(), news(0, 3), Streams(0))):
        log.born(number, answer.config, answer.tags)
    return searcher, log


def suggest(searcher, log, first, count):
    return searcher.suggest(log.until(len(log)), news(first, count), Streams(0))


def test_a_batch_is_answered_and_the_next_one_waits():
    searcher = Batched(Random(), 3)
    searcher.setup(Problem(Space({"x": space.uniform(0, 1)})))
    assert [answer is None for answer in searcher.suggest(History(), news(0, 5), Streams(0))] == [False] * 3 + [
        True
    ] * 2


def test_the_next_batch_begins_once_all_of_the_one_before_have_ended(asked):
    searcher, log = asked
    for number in range(3):
        assert suggest(searcher, log, 3, 2) == [None, None]
        log.ended(number, Outcome("failed" if number == 1 else "completed"))
    assert None not in suggest(searcher, log, 3, 3)


def test_a_trial_that_a_user_has_added_is_in_no_batch(asked):
    searcher, log = asked
    for number in range(3):
        log.born(number + 3, {"x": 0.5}, {})
        log.ended(number + 3, Outcome("completed"))
    assert suggest(searcher, log, 3, 1) == [None]


def test_a_fresh_instance_counts_as_the_live_one(asked):
    searcher, log = asked
    log.ended(0, Outcome("completed"))
    fresh = Batched(Random(), 3)
    fresh.setup(Problem(Space({"x": space.uniform(0, 1)})))
    for number in (1, 2):
        assert suggest(fresh, log, 3, 4) == suggest(searcher, log, 3, 4)
        log.ended(number, Outcome("completed"))
    assert suggest(fresh, log, 3, 4) == suggest(searcher, log, 3, 4)


def test_the_base_has_seen_all_of_a_batch_before_the_next_one():
    class Notes(Random):
        learns = True
        seen = []  # noqa: RUF012 - of this test alone

        def suggest(self, history, requests, rng):
            ended = sum(record.outcome is not None for record in history.trials)
            self.seen.extend((request.sample, ended) for request in requests)
            return super().suggest(history, requests, rng)

    def objective(config):
        return {"loss": config["x"]}

    settings = {"metric": "loss", "executor": "local", "storage": None, "verbose": 0, "seed": 0}
    searcher = Batched(notes := Notes(), 4)
    result = Engine(objective, {"x": space.uniform(0, 1)}, searcher=searcher, num_samples=12, **settings).run()
    assert len(result) == 12
    assert {sample for sample, _ in notes.seen} == {*range(12)}
    assert all(ended >= sample // 4 * 4 for sample, ended in notes.seen)


def test_a_resumed_run_needs_no_searcher_given(tmp_path):
    def objective(config):
        report(loss=config["x"])

    settings = {"metric": "loss", "executor": "local", "storage": tmp_path, "name": "run", "verbose": 0, "seed": 0}
    what = {"x": space.uniform(0, 1)}
    first = Engine(objective, what, searcher=Batched(TPE(), 2), num_samples=4, **settings).run()
    again = Engine.resume(first.path, objective, num_samples=6, verbose=0).run()
    assert len(again) == 6
    assert [trial.config for trial in again][:4] == [trial.config for trial in first]


def test_it_is_what_its_base_is():
    assert Batched(Grid(), 2).is_exhaustive
    assert Batched(Repeat(Random(), 2), 2).repeats
    assert Batched(TPE(), 2).process_from == TPE.process_from
    assert not Batched(Random(), 2).sees_metrics


def test_a_batch_has_a_trial():
    with pytest.raises(ValueError, match=r"Batched\(size=0\)"):
        Batched(Random(), 0).setup(Problem(Space({})))
