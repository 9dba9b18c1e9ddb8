import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.searcher import SearcherContract
from trialwright import Engine, space
from trialwright.history import History, HistoryLog, Record
from trialwright.messages import Outcome, Request
from trialwright.searchers import TPE, Problem, Race, Random, Repeat
from trialwright.space import Space
from trialwright.streams import Streams


class TestContract(SearcherContract):
    def make(self):
        return Repeat(Random(), 2)


def noisy(config):
    from trialwright import context

    return {"loss": config["x"] + np.random.default_rng(context().seed).normal()}


def tune(**keywords):
    settings = {"metric": "loss", "executor": "local", "storage": None, "verbose": 0, "seed": 0, "num_samples": 6}
    return Engine(noisy, {"x": space.uniform(0, 1)}, **{**settings, **keywords}).run()


def test_each_configuration_is_tried_so_often_with_other_seeds():
    result = tune(searcher=Repeat(Random(), 4))
    assert len(result) == 24
    for group in range(6):
        trials = result.trials[group * 4 : group * 4 + 4]
        assert len({trial.config["x"] for trial in trials}) == 1
        assert len({trial.metrics["loss"] for trial in trials}) == 4


def test_each_trial_of_a_result_has_a_configuration_of_its_own():
    first, second = tune(searcher=Repeat(Random(), 2), num_samples=1)
    first.config["x"] = -1.0
    assert second.config["x"] >= 0


def test_the_best_by_mean_is_that_of_the_configuration():
    result = tune(searcher=Repeat(Random(), 4))
    means = {}
    for trial in result:
        means.setdefault(trial.config["x"], []).append(trial.metrics["loss"])
    best = min(means, key=lambda x: np.mean(means[x]))
    assert result.best("mean").config["x"] == best


def test_the_searcher_sees_the_mean_of_a_group_once_all_of_it_have_ended():
    class Notes(Random):
        learns = True
        shown = []  # noqa: RUF012 - of this test alone

        def suggest(self, history, requests, rng):
            self.shown.append(history)
            return super().suggest(history, requests, rng)

    result = tune(searcher=Repeat(notes := Notes(), 3), num_samples=2, max_concurrent_trials=1)
    (record,) = notes.shown[-1].trials
    assert record.values == [(pytest.approx(np.mean([trial.metrics["loss"] for trial in result.trials[:3]])),)]
    assert record.outcome.kind == "completed"


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["born", "cloned", "seen", "ended", "failed", "asked"])),
        max_size=60,
    )
)
def test_what_it_shows_is_what_a_fresh_one_shows(story):
    shown, log = [], HistoryLog()

    def ready():
        base = Random()
        base.suggest = lambda history, requests, rng: shown.append([*history.trials]) or []
        searcher = Repeat(base, 2)
        searcher.setup(Problem(Space({"x": space.uniform(0, 1)})))
        return searcher

    live = ready()
    for count, (trial, what) in enumerate([*story, (0, "asked")]):
        match what:
            case "born" | "cloned":
                place = (trial + (what == "cloned")) // 2
                log.born(trial, {"x": 0.5}, {"repeat": [place, trial % 2]} if trial < 6 else {})
            case "seen":
                log.seen(trial, 1 + count % 3, [(float(count),)])
            case "ended" | "failed":
                log.ended(trial, Outcome("completed" if what == "ended" else "failed"))
            case "asked":
                for searcher in (live, ready()):
                    searcher.suggest(log.until(len(log)), [Request(99, 98)], Streams(0))
                assert shown[-1] == shown[-2]


def test_at_least_once():
    with pytest.raises(ValueError, match="must be at least 1"):
        Repeat(Random(), 0).setup(Problem(Space({})))


def test_it_remembers_nothing_that_is_not_in_the_history():
    searcher, problem, rng = Repeat(Random(), 2), Problem(Space({"x": space.uniform(0, 1)})), Streams(0)
    searcher.setup(problem)
    first, second = searcher.suggest(History(), [Request(0, 0), Request(1, 1)], rng)
    assert first.config == second.config
    assert searcher.suggest(History(), [Request(1, 1)], rng) == [None]  # the first of its group is not there
    known = History((Record(0, first.config, first.tags),))
    assert searcher.suggest(known, [Request(1, 1)], rng) == [second]


# Race ----------------------------------------------------------------------------------------------------------------


class TestRace(SearcherContract):
    def make(self):
        return Race(TPE(), 2)


def groups_of(result):
    groups = {}
    for trial in result:
        groups.setdefault(trial.config["x"], []).append(trial.metrics["loss"])
    return groups


def test_only_what_may_be_the_best_is_tried_again_and_the_best_most_often():
    groups = groups_of(tune(searcher=Race(TPE(), most=4), num_samples=60, max_concurrent_trials=1))
    counts = [len(losses) for losses in groups.values()]
    assert max(counts) == 4
    assert counts.count(1) > 15
    to_beat = min(np.mean(losses) for losses in groups.values() if len(losses) == 4)
    assert all(np.mean(losses) >= to_beat for losses in groups.values())


def race(history, count=1, most=3):
    searcher = Race(TPE(), most)
    searcher.setup(Problem(Space({"x": space.uniform(0, 1)})))
    return searcher.suggest(history, [Request(50 + place, 50 + place) for place in range(count)], Streams(0))


def raced(*groups):
    """A history: of each group the losses of its trials; None for one that runs."""
    records = []
    for group, losses in enumerate(groups):
        for index, loss in enumerate(losses):
            record = Record(len(records), {"x": group / 10}, {"race": [group, index]})
            if loss is not None:
                record.steps, record.values, record.outcome = [1], [(loss,)], Outcome("completed")
            records.append(record)
    return History(records)


@pytest.mark.parametrize(
    ("groups", "again"),
    [
        ([[1.0]], [[0, 1]]),
        ([[1.0, 2.0, 1.5], [1.6]], []),
        ([[1.0, 2.0, 1.5], [1.4]], [[1, 1]]),
        ([[1.0, 2.0, 1.5], [1.0, 3.0]], []),
        ([[1.0, 2.0, 1.5], [1.0, None]], []),
        ([[1.0, 2.0, 1.5], [1.0], [0.5]], [[2, 1], [1, 1]]),
        ([[1.0, 2.0, 1.5], [float("nan")]], []),
    ],
)
def test_a_configuration_is_repeated_while_its_mean_is_no_worse_than_that_of_the_one_to_beat(groups, again):
    answers = race(raced(*groups), count=3)
    assert len(answers) == 3
    assert [answer.tags["race"] for answer in answers[: len(again)]] == again
    assert [answer.tags["race"] for answer in answers[len(again) :]] == [[50 + n, 0] for n in range(len(again), 3)]


def test_a_race_is_of_searchers_that_learn_and_of_one_objective():
    what = Space({"x": space.uniform(0, 1)})
    with pytest.raises(ValueError, match="Repeat takes any"):
        Race(Random()).setup(Problem(what))
    with pytest.raises(ValueError, match="one objective"):
        Race(TPE()).setup(Problem(what, objectives=2))
    with pytest.raises(ValueError, match="must be at least 1"):
        Race(TPE(), 0).setup(Problem(what))


@pytest.mark.parametrize("searcher", [Repeat(Random(), 2), Race(TPE(), 2)])
def test_the_mean_of_known_values_is_known_better(searcher):
    shown = []
    searcher.base.suggest = lambda history, requests, rng: shown.append(history.trials[0]) or []
    searcher.setup(Problem(Space({"x": space.uniform(0, 1)})))
    tags = [{"repeat": [0, index], "race": [0, index]} for index in range(2)]
    members = [Record(n, {"x": 0.5}, tags[n], [1], [(1.0 + n,)], Outcome("completed"), sems=[(0.2,)]) for n in range(2)]
    searcher.suggest(History(members), [Request(4, 4)], Streams(0))
    assert shown[0].values == [(1.5,)]
    assert shown[0].sems == [(pytest.approx(0.2 / 2**0.5),)]
