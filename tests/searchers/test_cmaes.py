import numpy as np
import pytest

from tests.contracts.searcher import SPACES, SearcherContract
from trialwright import space
from trialwright.ask_tell import AskTell
from trialwright.searchers import CMAES, Problem
from trialwright.space import Space

NUMBERS = {"constrained", "nothing", "1-d", "100-d", "with a grid", "with a function"}


class TestContract(SearcherContract):
    spaces = {name: SPACES[name] for name in NUMBERS}  # noqa: RUF012 - as the contract has it

    def make(self):
        return CMAES(population=4)


class TestIntegersToo(TestContract):
    spaces = {  # noqa: RUF012 - as the contract has it
        "mixed": Space({"n": space.randint(0, 9), "q": space.quniform(0, 1, 0.25), "x": space.uniform(0, 1)}),
        "1-d": Space({"n": space.ordinal([1, 2, 3])}),
    }

    @pytest.fixture(params=["mixed", "1-d"])
    def space(self, request):
        return self.spaces[request.param]


def sphere(config):
    return sum((value - 0.7) ** 2 for value in config.values())


def minimised(study, trials, objective=sphere):
    for _ in range(trials):
        study.tell(trial := study.ask(), objective(trial.config))
    return study.best.metrics["value"]


def test_a_valley_is_followed_to_its_bottom():
    study = AskTell({f"x{i}": space.uniform(0, 1) for i in range(5)}, searcher="cmaes", seed=0)
    assert minimised(study, 500) < 1e-6


def test_integers_are_found_exactly():
    what = {"n": space.randint(0, 20), "m": space.randint(0, 20), "x": space.uniform(0, 1)}
    study = AskTell(what, searcher="cmaes", seed=0)
    minimised(study, 300, lambda c: (c["n"] - 13) ** 2 + (c["m"] - 5) ** 2 + (c["x"] - 0.5) ** 2)
    assert (study.best.config["n"], study.best.config["m"]) == (13, 5)


def test_it_begins_again_with_more_when_it_has_converged():
    study = AskTell({"x": space.uniform(0, 1), "y": space.uniform(0, 1)}, searcher="cmaes", seed=0)
    minimised(study, 600, lambda config: 1.0)  # flat: nothing is to be learnt here
    assert study._searcher._state._restarts >= 1
    assert study._searcher._state.optimiser.population_size > 6


def test_results_may_come_in_any_order_and_failures_are_worst():
    study, rng = (
        AskTell({"x": space.uniform(0, 1), "y": space.uniform(0, 1)}, searcher="cmaes", seed=0),
        np.random.default_rng(0),
    )
    pending = []
    for _ in range(300):
        pending.append(study.ask())
        if len(pending) > 8:
            trial = pending.pop(int(rng.integers(len(pending))))
            study.tell(trial, None if trial.config["x"] < 0.1 else sphere(trial.config))
    assert study.best.metrics["value"] < 1e-3


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (Problem(Space({"a": space.choice([1, 2])})), "a are choices; use 'tpe' or 'gp'"),
        (Problem(Space({"x": space.uniform(0, 1)}), objectives=2), "for 2 objectives use"),
        (Problem(Space({"x": space.uniform(0, 1)}), constraints=1), "for outcome constraints use"),
    ],
)
def test_what_it_cannot_search_is_refused_with_what_can(problem, why):
    with pytest.raises(ValueError, match=why):
        CMAES().setup(problem)


def at_corner(config):
    return (config["x"] - 0.9) ** 2 + (config["y"] - 0.1) ** 2


def corner(count=60, seed=0):
    points = np.clip(np.random.default_rng(seed).normal([0.9, 0.1], 0.05, (count, 2)), 0, 1)
    return [{"x": x, "y": y} for x, y in points.tolist()]


def test_what_is_known_before_the_first_draw_says_where_to_begin():
    study = AskTell({"x": space.uniform(0, 1), "y": space.uniform(0, 1)}, searcher="cmaes", seed=0)
    for config in corner():
        study.add(config, at_corner(config))
    first = [[*study.ask().config.values()] for _ in range(6)]
    assert np.abs(np.mean(first, axis=0) - [0.9, 0.1]).max() < 0.1


def test_a_better_trial_from_elsewhere_draws_the_distribution_there():
    def at_the_end(is_added):
        study = AskTell({"x": space.uniform(0, 1), "y": space.uniform(0, 1)}, searcher=CMAES(width=0.05), seed=0)
        minimised(study, 6, lambda config: 1.0)  # flat: it has no other reason to go there
        if is_added:
            study.add({"x": 0.9, "y": 0.1}, 0.0)
        minimised(study, 42, lambda config: 1.0)
        return np.mean([at_corner(trial.config) for trial in study.trials[-6:]])

    assert at_the_end(is_added=True) < 0.5 * at_the_end(is_added=False)


def test_what_was_added_is_replayed_by_a_fresh_searcher():
    one, other = (AskTell({"x": space.uniform(0, 1), "y": space.uniform(0, 1)}, searcher="cmaes", seed=0) for _ in "ab")
    for number, config in enumerate(corner(20)):
        if number % 3 == 0:
            one.add(config, at_corner(config))
        one.tell(trial := one.ask(), at_corner(trial.config))
    other.load_state(one.state())
    assert other.ask() == one.ask()
