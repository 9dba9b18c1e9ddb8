import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwright.space import (
    Space,
    choice,
    grid_search,
    lograndint,
    loguniform,
    ordinal,
    quniform,
    randint,
    randn,
    uniform,
)
from trialwright.space.beliefs import Bell, Weights

EVEN = (np.arange(20_000) + 0.5) / 20_000


@given(st.floats(0, 1), st.floats(0.01, 5))
def test_a_bell_is_a_density_and_its_quantiles_are_those_of_it(centre, width):
    bell = Bell((0, 1), centre, width)
    density = np.exp(bell.log_density(EVEN))
    assert np.mean(density) == pytest.approx(1, rel=1e-2)
    drawn = bell.quantile(EVEN)
    assert np.all((drawn >= 0) & (drawn <= 1))
    assert np.mean(drawn) == pytest.approx(np.mean(EVEN * density), abs=1e-2)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=6))
def test_weights_are_proportions(weights):
    belief, shares = Weights(tuple(weights)), np.array(weights) / sum(weights)
    drawn = np.minimum((belief.quantile(EVEN) * len(weights)).astype(int), len(weights) - 1)
    assert np.bincount(drawn, minlength=len(weights)) / len(EVEN) == pytest.approx(shares, abs=1e-3)
    assert np.mean(np.exp(belief.log_density(EVEN))) == pytest.approx(1, rel=1e-2)


def test_draws_are_near_what_was_expected():
    space = Space(
        {
            "x": uniform(0, 1).prior(0.2, 0.1),
            "lr": loguniform(1e-5, 1e-1).prior(1e-3, 0.5),
            "n": randint(0, 100).prior(50, 5),
            "w": lograndint(1, 1025).prior(64, 0.3),
            "q": quniform(0, 1, 0.1).prior(0.5, 0.1),
            "c": choice(["a", "b"]).prior([9, 1]),
            "o": ordinal([1, 2, 3]).prior([1, 1, 8]),
        }
    )
    configs = space.sample(2000, np.random.default_rng(0))
    column = {name: [config[name] for config in configs] for name in configs[0]}
    assert np.median(column["x"]) == pytest.approx(0.2, abs=0.02)
    assert np.std(column["x"]) == pytest.approx(0.1, rel=0.1)
    assert np.median(np.log10(column["lr"])) == pytest.approx(-3, abs=0.1)
    assert np.std(np.log10(column["lr"])) == pytest.approx(0.5, rel=0.1)
    assert (np.mean(column["n"]), np.std(column["n"])) == (pytest.approx(50, abs=1), pytest.approx(5, rel=0.1))
    assert np.median(column["w"]) == pytest.approx(64, rel=0.1)
    assert np.mean(column["q"]) == pytest.approx(0.5, abs=0.02)
    assert column["c"].count("a") == pytest.approx(1800, abs=60)
    assert column["o"].count(3) == pytest.approx(1600, abs=80)


def test_nothing_is_ruled_out():
    space = Space({"x": uniform(0, 1).prior(0.2, 0.1)})
    assert space.validate({"x": 0.99}) == []
    assert np.isfinite(space.log_prior(np.array([[0.0], [1.0]]))).all()
    assert space.log_prior(np.array([[0.2]])) > space.log_prior(np.array([[0.9]]))


def test_inactive_parameters_say_nothing():
    space = Space({"m": choice([{"x": uniform(0, 1).prior(0.2, 0.1)}, "none"])})
    units = np.array([[0.25, 0.9], [0.75, 0.9]])
    assert space.log_prior(units)[1] == 0
    assert space.log_prior(units)[0] < 0


def test_a_space_without_beliefs_has_an_even_prior():
    space = Space({"x": uniform(0, 1)})
    assert not space.has_prior
    assert space.log_prior(np.array([[0.3]])) == 0
    assert (space.tilt(EVEN[:, None]) == EVEN[:, None]).all()


def test_what_was_said_is_shown_and_kept():
    definition = {"x": uniform(0, 1).prior(0.2, 0.1), "c": choice(["a", {"y": randint(0, 3)}]).prior([1, 2])}
    space = Space(definition)
    assert repr(definition["x"]) == "uniform(0, 1).prior(0.2, 0.1)"
    again = Space.from_plain(space.to_plain())
    assert again.to_plain() == space.to_plain()
    assert [p.domain.belief for p in again.parameters] == [p.domain.belief for p in space.parameters]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: uniform(0, 1).prior(2, 0.1), "2 is outside"),
        (lambda: uniform(0, 1).prior(0.2, 0), "sd must be above 0"),
        (lambda: choice(["a", "b"]).prior([1]), "a list of 2 weights"),
        (lambda: choice(["a", "b"]).prior([1, 0]), "above 0"),
        (lambda: grid_search([1, 2]).prior([1, 1]), "tries every option"),
        (lambda: randn().prior(0, 1), "is normal already"),
    ],
)
def test_what_makes_no_sense_is_refused(make, why):
    with pytest.raises(ValueError, match=why):
        make()


@pytest.mark.parametrize("number", ["0.2", None, math.nan, True])
def test_a_mean_is_a_number(number):
    with pytest.raises((TypeError, ValueError)):
        uniform(0, 1).prior(number, 0.1)
