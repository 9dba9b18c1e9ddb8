"""What reports are worth."""

import math

import pytest

from trialwright import Engine, report, space
from trialwright.core.scores import standard_errors
from trialwright.searchers import Random


class Notes(Random):
    learns = True

    def __init__(self):
        self.shown = []

    def suggest(self, history, requests, rng):
        self.shown = [*history.trials]
        return super().suggest(history, requests, rng)


def test_a_reported_standard_error_is_shown_to_the_searcher_beside_its_value():
    def objective(config):
        report(loss=config["x"])
        report(loss=config["x"], loss_sem=0.5)
        report(loss=config["x"], loss_sem=0.25, other_sem=7.0)

    notes = Notes()
    settings = {"executor": "local", "storage": None, "verbose": 0, "seed": 0, "max_concurrent_trials": 1}
    Engine(objective, {"x": space.uniform(0, 1)}, metric="loss", searcher=notes, num_samples=2, **settings).run()
    assert notes.shown[0].sems == [(0.0,), (0.5,), (0.25,)]


@pytest.mark.parametrize(("given", "known"), [(0.5, 0.5), (1, 1.0), (0.0, 0.0), (math.nan, 0.0), (math.inf, 0.0)])
def test_what_is_no_finite_standard_error_says_nothing(given, known):
    assert standard_errors(["a", "b"], {"a": 1.0, "a_sem": given}) == (known, 0.0)
