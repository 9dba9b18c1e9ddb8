"""What one domain draws, and what its constructor refuses."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trialwright import space
from trialwright.space.functions import Pending

from .strategies import categories, integers, numeric, quantised, sane

untyped: Any = space  # for arguments that a type checker refuses
computed = st.sampled_from([space.sample_from(np.random.rand), space.sample_from(lambda spec: np.random.rand())])
UNIT = st.one_of(st.just(0.0), st.just(1.0), sane(0, 1))


def draws(domain: space.Domain, n: int = 20_000) -> list:
    return [config["x"] for config in space.Space({"x": domain}).sample(n, np.random.default_rng(7))]


def decoded(domain: space.Numeric, *units: float) -> list[float]:
    return domain.decode(np.array(units, dtype=float))


@given(numeric, st.lists(UNIT, min_size=1))
def test_values_have_no_problem_and_survive_the_round_trip(domain, units):
    for value in decoded(domain, *units):
        assert domain.problem(value) is None
        assert type(value) in {int, float}
        again = decoded(domain, domain.encode(value))[0]
        assert again == pytest.approx(value, rel=1e-9, abs=1e-9)
        if domain.cardinality is not None:
            assert again == value


@given(st.one_of(quantised(), integers()), st.data())
def test_the_centre_of_every_cell_is_its_value(domain, data):
    index = data.draw(st.integers(0, domain.cardinality - 1))
    value = decoded(domain, domain.centre(index))[0]
    assert domain.encode(value) == domain.centre(index)
    assert value == domain.grain.value(domain.first + index)


@pytest.mark.parametrize(
    ("domain", "values"),
    [
        (space.quniform(0, 1, 0.3), [0.0, 0.3, 0.6, 0.9]),
        (space.quniform(0.1, 1, 0.3), [0.3, 0.6, 0.9]),
        (space.quniform(0.1, 0.3, 0.1), [0.1, 0.2, 0.3]),
        (space.quniform(-1, 1, 0.5), [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (space.qloguniform(0.05, 0.3, 0.1), [0.1, 0.2, 0.3]),
        (space.randint(-2, 2), [-2, -1, 0, 1]),
        (space.qrandint(3, 10, 3), [3, 6, 9]),
        (space.qrandint(1, 3), [1, 2, 3]),
        (space.lograndint(1, 4), [1, 2, 3]),
        (space.qlograndint(1, 20, 5), [5, 10, 15, 20]),
        (space.randint(10**17, 10**17 + 3), [10**17, 10**17 + 1, 10**17 + 2]),
        (space.quniform(0, 1e21, 5e20), [0.0, 5e20, 1e21]),
    ],
)
def test_the_values_of_a_quantised_domain(domain, values):
    found = decoded(domain, *np.linspace(0, 1, 1001))
    assert sorted(set(found)) == values
    assert domain.cardinality == len(values)
    assert (domain.lower, domain.upper) == (values[0], values[-1])


@pytest.mark.parametrize(
    ("domain", "cdf"),
    [
        (space.uniform(-1, 3), stats.uniform(-1, 4).cdf),
        (space.loguniform(1e-4, 10), stats.loguniform(1e-4, 10).cdf),
        (space.loguniform(1e-4, 10, base=2), stats.loguniform(1e-4, 10).cdf),
        (space.randn(2, 3), stats.norm(2, 3).cdf),
    ],
)
def test_continuous_marginals(domain, cdf):
    assert stats.kstest(draws(domain), cdf).pvalue > 0.01


@pytest.mark.parametrize(
    "domain",
    [
        space.randint(0, 7),
        space.qrandint(0, 12, 4),
        space.quniform(0, 1, 0.3),
        space.choice(["a", "b", "c"]),
        space.ordinal([1, 2, 3]),
        space.grid_search([1, 2, 3]),
    ],
)
def test_discrete_marginals_are_even(domain):
    counts = Counter(draws(domain))
    assert len(counts) == domain.cardinality
    assert stats.chisquare(list(counts.values())).pvalue > 0.01


def test_log_integers_follow_the_log_of_their_cells():
    domain = space.lograndint(1, 6)
    counts = Counter(draws(domain))
    widths = np.diff(np.log(np.arange(1, 7) - 0.5))
    expected = widths / widths.sum() * 20_000
    assert stats.chisquare([counts[k] for k in range(1, 6)], expected).pvalue > 0.01


def test_quantised_normal_is_rounded():
    values = draws(space.qrandn(0, 1, 0.5))
    assert all(value * 2 == round(value * 2) for value in values)
    assert np.std(values) == pytest.approx(1, abs=0.05)


def test_the_normal_is_cut_off():
    assert decoded(space.randn(10, 2), 0.0, 1.0) == [0.0, 20.0]


@given(categories)
def test_category_cells(domain):
    for index, option in enumerate(domain.options):
        unit = domain.centre(index)
        assert domain.cells(np.array([unit])) == [index]
        assert domain.index(option) == index


def test_options_are_distinguished_by_type_and_found_by_value():
    domain = space.choice([1, True, 1.0, "1", None, (1, 2), [1, 2]])
    assert [domain.index(option) for option in domain.options] == list(range(7))
    assert space.choice([0.5, 2.0]).index(2) == 1
    assert space.choice([1, 2]).index(True) is None
    assert space.choice([1, 2]).index(np.int64(2)) == 1
    assert space.choice([np.arange(3), 5]).index(5.0) == 1
    assert space.choice([math.nan, math.inf]).index(float("nan")) == 0


def test_numpy_arguments_become_python_values():
    assert repr(untyped.uniform(np.float32(0), np.int64(1))) == "uniform(0.0, 1)"
    assert space.choice(np.array([1, 2])) == space.choice([1, 2])
    assert type(space.choice(np.array([1, 2])).options[0]) is int


@pytest.mark.parametrize(
    "text",
    [
        "uniform(0, 1)",
        "quniform(0, 1, 0.3)",
        "loguniform(0.0001, 0.1)",
        "loguniform(0.0001, 0.1, 2)",
        "qloguniform(1, 10, 0.5)",
        "randn(0.0, 1.0)",
        "qrandn(0, 1, 0.1)",
        "randint(0, 9)",
        "qrandint(0, 9, 3)",
        "lograndint(1, 9)",
        "qlograndint(1, 9, 2)",
        "choice(['a', None])",
        "ordinal([1, 2])",
        "grid_search([(1, 2), 0.5])",
    ],
)
def test_the_repr_is_the_call(text):
    domain = eval(text, vars(space))
    assert repr(domain) == text
    assert eval(text, vars(space)) == domain
    assert hash(eval(text, vars(space))) == hash(domain)


INF, NAN = math.inf, math.nan

REFUSED = [
    (lambda: untyped.uniform(1, 0), ValueError, "uniform(1, 0): lower must be less than upper; are they swapped?"),
    (lambda: untyped.uniform(1, 1), ValueError, "uniform(1, 1): lower and upper are equal"),
    (lambda: untyped.uniform(NAN, 1), ValueError, "uniform(nan, 1): lower must be finite, got nan"),
    (lambda: untyped.uniform(0, INF), ValueError, "upper must be finite, got inf"),
    (lambda: untyped.uniform(0, 10**400), ValueError, "upper must be finite"),
    (lambda: untyped.uniform("0", 1), TypeError, "lower must be a number, got '0' of type str"),
    (lambda: untyped.uniform(False, 1), TypeError, "lower must be a number, got False of type bool"),
    (lambda: untyped.uniform(None, 1), TypeError, "got None of type NoneType"),
    (lambda: untyped.uniform(-1.7e308, 1.7e308), ValueError, "too wide"),
    (lambda: untyped.loguniform(0, 1), ValueError, "loguniform(0, 1): lower must be above 0 on a log scale, got 0"),
    (lambda: untyped.loguniform(-1, 1), ValueError, "above 0"),
    (lambda: untyped.loguniform(1, 2, base=1), ValueError, "base must be greater than 1, got 1"),
    (lambda: untyped.loguniform(1, 2, base="e"), TypeError, "base must be a number, got 'e'"),
    (lambda: untyped.quniform(0, 1, 0), ValueError, "quniform(0, 1, 0): q must be above 0"),
    (lambda: untyped.quniform(0, 1, -0.1), ValueError, "q must be above 0, got -0.1"),
    (lambda: untyped.quniform(0, 1, 2), ValueError, "q=2.0 is larger than the range from lower to upper, 1.0"),
    (lambda: untyped.quniform(0, 1, NAN), ValueError, "q must be finite"),
    (lambda: untyped.quniform(0, 1, 1e-15), ValueError, "more than 2**40 different values"),
    (lambda: untyped.quniform(0.3 + 1e-13, 0.6 - 1e-13, 0.3), ValueError, "no multiple of q"),
    (lambda: untyped.qloguniform(0, 1, 0.1), ValueError, "above 0"),
    (lambda: untyped.randint(0.0, 3), TypeError, "randint(0.0, 3): lower must be an int, got 0.0 of type float"),
    (lambda: untyped.randint(0, True), TypeError, "upper must be an int, got True"),
    (lambda: untyped.randint(3, 3), ValueError, "equal"),
    (lambda: untyped.randint(0, 2**50), ValueError, "more than 2**40 different values cannot be distinguished"),
    (lambda: untyped.randint(2**70, 2**70 + 1), ValueError, "lower must be within -2**62 and 2**62"),
    (lambda: untyped.qrandint(0, 4, 5), ValueError, "q=5 is larger than the range from lower to upper, 4"),
    (lambda: untyped.lograndint(0, 4), ValueError, "lower must be above 0 on a log scale, got 0"),
    (lambda: untyped.qlograndint(1, 4, 0.5), TypeError, "q must be an int"),
    (lambda: untyped.randn(0, 0), ValueError, "randn(0, 0): sd must be above 0, got 0"),
    (lambda: untyped.randn(0, -1), ValueError, "sd must be above 0"),
    (lambda: untyped.randn(NAN, 1), ValueError, "mean must be finite"),
    (lambda: untyped.randn(0, 1e308), ValueError, "too large"),
    (lambda: untyped.qrandn(0, 1, 0), ValueError, "q must be above 0"),
    (lambda: untyped.qrandn(0, 1, 1e-15), ValueError, "use randn"),
    (lambda: untyped.choice([]), ValueError, "choice([]): there is nothing to choose from"),
    (lambda: untyped.choice("adam"), TypeError, "choice('adam'): must be given a list, got str"),
    (lambda: untyped.choice({1, 2}), TypeError, "must be given a list, got set"),
    (lambda: untyped.ordinal(3), TypeError, "ordinal(3): must be given a list, got int"),
    (
        lambda: untyped.choice(["a", "b", "a"]),
        ValueError,
        "leave one out; to make an option more likely, weigh them: choice(['a', 'b']).prior([2, 1])",
    ),
    (lambda: untyped.ordinal([[1], [1]]), ValueError, "option 1 is the same as option 0, [1]"),
    (lambda: untyped.choice([{"a": 1, "b": 2}, {"b": 2, "a": 1}]), ValueError, "the same"),
    (lambda: untyped.choice([NAN, float("nan")]), ValueError, "the same"),
    (lambda: untyped.sample_from(3), TypeError, "sample_from(3): must be given a function, got int"),
    (lambda: untyped.sample_from(lambda a, b: a), TypeError, "needs 2 arguments"),
]


@pytest.mark.parametrize(("make", "error", "message"), REFUSED)
def test_bad_arguments_are_refused_with_their_value(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


def test_problem_messages():
    assert untyped.uniform(0, 1).problem(2) == "2 is outside uniform(0, 1)"
    assert "is of type str; uniform(0, 1) needs a number" in untyped.uniform(0, 1).problem("a")
    assert "True is of type bool" in untyped.uniform(0, 1).problem(True)
    assert untyped.randn().problem(NAN) == "nan is not finite; randn(0.0, 1.0) needs a number"
    assert "not finite" in untyped.randn().problem(10**400)
    assert untyped.randint(1, 9).problem(9) == "9 is outside randint(1, 9), whose values go from 1 to 8"
    assert "3.0 is of type float; randint(1, 9) needs an int" in untyped.randint(1, 9).problem(3.0)
    assert untyped.quniform(0, 1, 0.1).problem(0.17) == "0.17 is not a step of quniform(0, 1, 0.1); the nearest is 0.2"
    assert "nearest is 0.5" in untyped.qrandn(0, 1, 0.5).problem(0.4)
    assert untyped.randint(1, 9).problem(np.int32(3)) is None
    assert untyped.uniform(0, 1).problem(np.float32(0.5)) is None


def test_out_of_range_is_encoded_as_the_nearest_edge():
    assert space.uniform(0, 1).encode(7) == 1
    assert space.loguniform(1, 10).encode(-5) == 0
    assert space.randint(0, 4).encode(99) == 0.875
    assert space.quniform(0, 1, 0.25).encode(math.inf) == 0.9


def test_bounds_too_close_for_the_log_axis():
    assert space.loguniform(1e300, math.nextafter(1e300, math.inf)).encode(1e300) == 0.5


def test_pending_never_escapes():
    configs = space.Space({"x": space.sample_from(lambda: 1)}).sample(2, np.random.default_rng(0))
    assert not any(isinstance(config["x"], Pending) for config in configs)


class TestDrawingByHand:
    @pytest.mark.parametrize(
        "domain",
        [
            space.uniform(0, 1),
            space.lograndint(1, 9),
            space.randn(),
            space.choice([{"x": space.uniform(0, 1)}, 7]),
            space.choice([space.randint(1, 3), {"deep": [1, {"x": space.choice(["a", space.uniform(2, 3)])}]}]),
        ],
        ids=repr,
    )
    def test_a_domain_draws_values_of_its_own(self, domain):
        whole = space.Space({"value": domain})
        drawn = [domain.sample(), *domain.sample(size=5)]
        assert [whole.validate({"value": value}) for value in drawn] == [[]] * 6

    @given(st.one_of(numeric, categories, computed), st.integers(2, 9), st.integers(0, 99))
    def test_it_draws_what_a_space_of_it_alone_draws(self, domain, size, seed):
        configs = space.Space({"value": domain}).sample(size, np.random.default_rng(seed))
        drawn = domain.sample(size=size, random_state=seed)
        assert list(map(repr, drawn)) == [repr(config["value"]) for config in configs]  # NaN is an option

    def test_what_a_user_expects_tilts_the_draw(self):
        domain = space.uniform(0, 1).prior(0.2, 0.01)
        assert all(0.1 < value < 0.3 for value in domain.sample(size=100, random_state=0))

    def test_two_draws_never_share_a_container(self):
        first, second = space.choice([{"a": [1]}]).sample(size=2)
        first["a"].append(2)
        assert second == {"a": [1]}

    def test_a_function_that_needs_another_value_cannot_be_drawn_alone(self):
        with pytest.raises(ValueError, match="asked for a key that does not exist: lr"):
            space.sample_from(lambda spec: spec.config.lr).sample()

    def test_the_draw_uses_numpys_global_generator_as_it_was_seeded(self):
        def draw():
            np.random.seed(3)
            return space.uniform(0, 1).sample(size=4)

        assert draw() == draw()
        assert len(set(draw())) == 4

    def test_a_random_state_is_used_instead(self):
        assert space.uniform(0, 1).sample(random_state=3) == space.uniform(0, 1).sample(random_state=3)
        assert space.uniform(0, 1).sample(random_state=np.random.default_rng(3)) == space.uniform(0, 1).sample(
            random_state=3
        )
