"""What only HpBandSter's BOHB has: it learns at each step, and has options of its own."""

import pytest

from tests.integrations.test_adapter import BRANCHES, PLANE, QUIET, ask, cost, live
from trialwright import Engine, HyperBand
from trialwright.history import HistoryLog
from trialwright.integrations import HpBandSter
from trialwright.messages import Outcome
from trialwright.searchers import Problem
from trialwright.space import Space

pytest.importorskip("ConfigSpace")
pytest.importorskip("statsmodels")
pytestmark = pytest.mark.filterwarnings("ignore")  # the versions of what it uses are much newer than it is


@pytest.fixture(autouse=True)
def _installed():
    pytest.importorskip("hpbandster")


def history(ends, steps):
    """Trials that report at these steps; those of ``ends`` end, the others go on."""
    log = HistoryLog()
    for number in range(24):
        config = {"x": -4.9 + 0.4 * number, "y": 0.0}
        log.born(number, config, {})
        log.seen(number, 1, [(abs(config["x"]) * step,) for step in steps])
        if number in ends:
            log.ended(number, Outcome("completed"))
    return log.until(len(log))


def test_it_learns_from_the_reports_of_running_trials():
    searcher = HpBandSter(random_fraction=0.0)
    searcher.setup(Problem(Space(PLANE)))
    asked = [ask(searcher, history(ends=(), steps=[1, 2, 3]), number, sample=number) for number in range(24, 30)]
    assert all(abs(config["x"]) < 3 for config in asked)


def test_the_model_is_of_the_highest_step_with_results_enough():
    """At step 1 the best are where x is near 0; at step 2, which all reach, where it is far."""
    log = HistoryLog()
    for number in range(24):
        config = {"x": -4.9 + 0.4 * number, "y": 0.0}
        log.born(number, config, {})
        log.seen(number, 1, [(abs(config["x"]),), (-abs(config["x"]),)])
        if number < 2:
            log.seen(number, 3, [(abs(config["x"]),)])
    searcher = HpBandSter(random_fraction=0.0)
    searcher.setup(Problem(Space(PLANE)))
    asked = [ask(searcher, log.until(len(log)), number, sample=number) for number in range(24, 30)]
    assert sum(abs(config["x"]) > 2 for config in asked) > 4


def test_branches_are_searched_under_hyperband():
    def objective(config):
        model = config["model"]
        for step in range(1, 10):
            yield {"loss": (model["depth"] if model["kind"] == "tree" else 20) + 1 / step}

    keywords = {**QUIET, "max_concurrent_trials": 2, "scheduler": HyperBand(max_t=9), "seed": 0}
    result = Engine(objective, BRANCHES, searcher=HpBandSter(), num_samples=24, **keywords).run()
    assert len(result) == 24
    assert all(Space(BRANCHES).validate(trial.config) == [] for trial in result)


def test_all_options_reach_it():
    configs, _ = live(HpBandSter(random_fraction=1.0), 12)
    assert configs[:4] == live(HpBandSter(), 12)[0][:4]
    options = {
        "top_n_percent": 30,
        "num_samples": 8,
        "bandwidth_factor": 1,
        "min_bandwidth": 0.1,
        "random_fraction": 0.0,
    }
    assert live(HpBandSter(min_points_in_model=4, **options), 12, cost=cost)[0] != configs
    with pytest.raises(ValueError, match="at least 3"):
        HpBandSter(min_points_in_model=2).setup(Problem(Space(PLANE)))
