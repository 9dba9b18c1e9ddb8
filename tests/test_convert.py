"""Spaces of other libraries as ours, and back."""

import numpy as np
import optuna
import pytest
from hypothesis import given, reject, settings
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from ray import tune

from tests.space.strategies import definitions
from trialwright import convert, space
from trialwright.space import Space

DISTRIBUTIONS = {
    "lr": FloatDistribution(1e-5, 1e-1, log=True),
    "momentum": FloatDistribution(0, 1),
    "dropout": FloatDistribution(0, 0.5, step=0.1),
    "units": IntDistribution(16, 64, step=16),
    "layers": IntDistribution(1, 5),
    "width": IntDistribution(4, 128, log=True),
    "kind": CategoricalDistribution(["a", 1, None]),
}


def test_distributions_of_optuna_come_back():
    assert convert.to_optuna(convert.from_optuna(DISTRIBUTIONS)) == DISTRIBUTIONS


def test_a_distribution_with_one_value_is_a_constant():
    assert convert.from_optuna({"x": IntDistribution(3, 3)}).definition == {"x": 3}


def test_a_distribution_that_has_no_domain_is_named():
    with pytest.raises(ValueError, match="kind: choice"):
        convert.from_optuna({"kind": CategoricalDistribution(["a", "a"])})


def test_what_optuna_cannot_have_is_named_by_its_path():
    with pytest.raises(ValueError, match=r"model\[0\]/C exists only in one option of 'model'"):
        convert.to_optuna(Space({"model": space.choice([{"C": space.uniform(0, 1)}, "b"])}))
    with pytest.raises(TypeError, match="net/x is computed"):
        convert.to_optuna(Space({"net": {"x": space.sample_from(lambda config: 1)}}))


@settings(max_examples=25)
@given(definitions)
def test_a_space_comes_back_from_ray_tune_with_the_same_configurations(definition):
    what = Space(definition)
    try:
        there = convert.to_ray_tune(what)
    except TypeError:  # ordered options
        reject()
    again = convert.from_ray_tune(there)
    if again.dimension < what.dimension:  # a range with one step is a constant there, and shifts the draws
        reject()
    rng = np.random.default_rng(0), np.random.default_rng(0)
    assert repr(again.sample(5, rng[0])) == repr(what.sample(5, rng[1]))


def test_ray_tune_draws_from_a_space_of_ours():
    there = convert.to_ray_tune(
        Space({"x": space.uniform(0, 1), "kind": space.choice([{"n": space.randint(0, 9)}, "b"]), "c": 7})
    )
    assert isinstance(there["x"], tune.search.sample.Float)
    assert 0 <= there["x"].sample() <= 1
    assert there["c"] == 7


def test_what_ray_tune_does_not_have_is_refused():
    with pytest.raises(TypeError, match="no ordered options"):
        convert.to_ray_tune(Space({"x": space.ordinal([1, 2])}))
    with pytest.raises(ValueError, match="constraints"):
        convert.to_ray_tune(Space({"x": space.uniform(0, 1), "y": space.uniform(0, 1)}, constraints=["x < y"]))


def test_a_study_can_be_asked_with_a_space_of_ours():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    trial = study.ask(convert.to_optuna(Space({"x": space.uniform(0, 1), "net": {"n": space.randint(1, 4)}})))
    assert {*trial.params} == {"x", "net/n"}


def test_what_would_be_lost_is_refused():
    believed = Space({"x": space.uniform(0, 1).prior(0.5, 0.1)})
    limited = Space({"x": space.uniform(0, 1), "y": space.uniform(0, 1)}, constraints=["x < y"])
    for convert_to in (convert.to_optuna, convert.to_ray_tune):
        with pytest.raises(ValueError, match="the space has priors, which"):
            convert_to(believed)
        with pytest.raises(ValueError, match="the space has constraints, which"):
            convert_to(limited)
    with pytest.raises(TypeError, match="has priors"):
        convert.to_json_schema(believed)
