"""Ray Tune's own examples run with changed imports: here the quickest; ``benchmarks.ray_examples`` runs all of them."""

from __future__ import annotations

import pytest

from benchmarks.ray_examples import attempt, changed, names

pytest.importorskip("ray.tune", exc_type=ImportError)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tune_basic_example", "pbt_example"])
def test_an_example_of_ray_tune_runs(name):
    assert name in names()
    assert not attempt(name)


def test_nothing_of_ray_tune_is_left_in_a_changed_example():
    text = "import ray\nfrom ray import train, tune\nfrom ray.tune.utils.mock_trainable import X\nray.tune.run(X)\n"
    assert (
        changed(text)
        == "import ray\nfrom trialwright import train, tune\nfrom mock_trainable import X\ntrialwright.tune.run(X)\n"
    )
