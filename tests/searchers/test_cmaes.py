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
        (Problem(Space({"a": space.choice([1, 2])})), "a are choices: take 'tpe' or 'gp'"),
        (Problem(Space({"x": space.uniform(0, 1)}), objectives=2), "for 2 objectives take"),
        (Problem(Space({"x": space.uniform(0, 1)}), constraints=1), "for outcome constraints take"),
    ],
)
def test_what_it_cannot_search_is_refused_with_what_can(problem, why):
    with pytest.raises(ValueError, match=why):
        CMAES().setup(problem)
