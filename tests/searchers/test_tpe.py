import numpy as np
import pytest

from tests.contracts.searcher import SearcherContract
from trialwright import space
from trialwright.ask_tell import AskTell
from trialwright.searchers import TPE
from trialwright.searchers.parzen import Columns, Parzen
from trialwright.searchers.tpe import BAD_MAX
from trialwright.space import Space


class TestContract(SearcherContract):
    def make(self):
        return TPE(startup=4)


class TestSuggestions:
    def test_are_near_the_good_trials(self):
        study = AskTell({"x": space.uniform(-5, 5), "y": space.uniform(-5, 5)}, searcher="tpe", seed=1)
        for _ in range(60):
            trial = study.ask()
            study.tell(trial, (trial.config["x"] - 1) ** 2 + (trial.config["y"] + 2) ** 2)
        late = [trial.metrics["value"] for trial in study.trials[40:]]
        assert np.median(late) < 10  # even draws: 26
        assert study.best.metrics["value"] < 0.1

    def test_keep_away_from_failures(self):
        study = AskTell({"x": space.uniform(0, 1)}, searcher="tpe", seed=1)
        for _ in range(60):
            trial = study.ask()
            study.tell(trial, None if trial.config["x"] < 0.5 else trial.config["x"])
        assert sum(trial.config["x"] < 0.45 for trial in study.trials[30:]) < 10

    def test_of_a_batch_are_not_the_same(self):
        study = AskTell({"x": space.uniform(0, 1), "y": space.uniform(0, 1)}, searcher="tpe", seed=1)
        for _ in range(30):
            study.tell(trial := study.ask(), abs(trial.config["x"] - 0.3))
        batch = study.ask(16)
        assert len({trial.config["x"] for trial in batch}) == 16
        assert np.std([trial.config["y"] for trial in batch]) > 0.1

    def test_are_never_repeated_in_a_finite_space_until_it_is_exhausted(self):
        study = AskTell(
            {"a": space.randint(0, 5), "b": space.choice(["x", "y", "z"])}, searcher="tpe", seed=0, num_samples=16
        )
        configs = []
        for _ in range(15):
            study.tell(trial := study.ask(), trial.config["a"])
            configs.append(tuple(trial.config.values()))
        assert len(set(configs[10:])) == 5
        assert not set(configs[10:]) & set(configs[:10])
        assert study.ask().config

    def test_meet_outcome_constraints_more_often_than_chance(self):
        study = AskTell({"x": space.uniform(0, 1)}, searcher="tpe", outcome_constraints=["size <= 0.3"], seed=0)
        for _ in range(60):
            study.tell(trial := study.ask(), {"value": -trial.config["x"], "size": trial.config["x"]})
        assert study.best.config["x"] > 0.25
        assert np.median([trial.config["x"] for trial in study.trials[40:]]) < 0.4

    def test_of_two_objectives_spread_along_the_front(self):
        study = AskTell({"x": space.uniform(0, 1), "y": space.uniform(0, 1)}, searcher="tpe", metric=["a", "b"], seed=0)
        for _ in range(80):
            config = (trial := study.ask()).config
            study.tell(trial, {"a": config["x"] + config["y"], "b": 1 - config["x"] + config["y"]})
        front = [trial.config for trial in study.pareto_front()]
        assert np.median([config["y"] for config in front]) < 0.1
        assert np.ptp([config["x"] for config in front]) > 0.5

    def test_are_drawn_from_beliefs_first(self):
        study = AskTell({"x": space.uniform(0, 1).prior(0.8, 0.05)}, searcher="tpe", seed=0)
        assert np.mean([trial.config["x"] for trial in study.ask(8)]) == pytest.approx(0.8, abs=0.05)


def test_work_is_bounded_however_long_the_history():
    study = AskTell({"x": space.uniform(0, 1)}, searcher="tpe", seed=0)
    rng = np.random.default_rng(0)
    for value in rng.random(3000):
        study.add({"x": value}, value)
    study.ask()
    good, bad = study._searcher._densities([])
    assert (len(good.units), len(bad.units)) == (50, BAD_MAX)


def test_trials_that_violate_constraints_are_not_weighed_by_the_objective():
    searcher = TPE()
    study = AskTell({"x": space.uniform(0, 1)}, searcher=searcher, outcome_constraints=["size <= 0"], seed=0)
    for value in np.random.default_rng(0).random(40).tolist():
        study.add({"x": value}, {"value": -value, "size": value})
    study.ask()
    assert set(study._searcher._densities([])[0]._weights) == {1.0}


def test_many_options_have_the_same_density_as_few(monkeypatch):
    rng, what = np.random.default_rng(0), Space({"a": space.choice([*range(9)]), "x": space.uniform(0, 1)})
    units, candidates = what.snap(rng.random((20, 2))), what.snap(rng.random((30, 2)))

    def density():
        columns = Columns(what)
        here, there = np.ones((20, 2), np.bool_), np.ones((30, 2), np.bool_)
        parzen = Parzen(columns, units, here, np.ones(20), widths=np.full(len(columns.numbers), 0.1), blur=0.2)
        return parzen.log_density(candidates, there, columns.features(candidates, there))

    few = density()
    monkeypatch.setattr("trialwright.searchers.parzen.FEW", 3)
    assert density() == pytest.approx(few)
