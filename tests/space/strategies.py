"""Hypothesis strategies: domains and random nested spaces with conditional branches."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from trialwright import space

KEYS = st.sampled_from(["lr", "units", "model", "act", "x"])


def sane(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False, allow_subnormal=False)


@st.composite
def continuous(draw: st.DrawFn) -> space.Continuous:
    if draw(st.booleans()):
        lower = draw(sane(-1e6, 1e6))
        return space.uniform(lower, lower + draw(sane(1e-3, 1e6)))
    lower = draw(sane(1e-8, 1e3))
    return space.loguniform(lower, lower * draw(sane(1.01, 1e8)))


@st.composite
def quantised(draw: st.DrawFn) -> space.Stepped:
    q = draw(st.sampled_from([0.1, 0.3, 0.25, 1e-3, 7, 1 / 3, 2.5]))
    make = draw(st.sampled_from([space.quniform, space.qloguniform]))
    lower = draw(sane(1e-3, 50) if make is space.qloguniform else sane(-50, 50))
    return make(lower, lower + q * draw(sane(1.01, 200)), q)


@st.composite
def integers(draw: st.DrawFn) -> Any:
    make: Any = draw(st.sampled_from([space.randint, space.qrandint, space.lograndint, space.qlograndint]))
    logarithmic = make in {space.lograndint, space.qlograndint}
    lower = draw(st.integers(1 if logarithmic else -(10**9), 10**6))
    width = draw(st.integers(1, 10**4))
    if make in {space.qrandint, space.qlograndint}:
        return make(lower, lower + width, draw(st.integers(1, width)))
    return make(lower, lower + width)


normal = st.sampled_from([space.randn(), space.randn(100, 3), space.qrandn(0, 1, 0.25), space.qrandn(-3, 0.5, 0.1)])
numeric = st.one_of(continuous(), quantised(), integers(), normal)
option = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.text("abc", max_size=2),
    st.sampled_from([1.0, 2.5, float("inf"), float("nan"), (1, 2), ("a",), [1, 2], {"k": (0,)}, {"k": 1}]),
)


def unique_options(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(elements, min_size=1, max_size=4, unique_by=lambda value: (type(value), repr(value)))


categories = st.builds(
    lambda make, options: make(options), st.sampled_from([space.choice, space.ordinal]), unique_options(option)
)
flat = st.one_of(numeric, categories)
constant = option


@st.composite
def branching(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> space.Category:
    """A choice between dicts that a constant "kind" tells apart, and plain options."""
    branches = [{"kind": kind, "of": draw(inner)} for kind in range(draw(st.integers(1, 3)))]
    return space.choice(branches + draw(st.lists(st.sampled_from(["none", 0, (1,)]), max_size=2, unique=True)))


def nested(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.dictionaries(KEYS, inner, max_size=3), st.lists(inner, max_size=3), branching(inner)
        ),
        max_leaves=8,
    )


definitions = st.dictionaries(KEYS, nested(st.one_of(flat, constant)), max_size=4)
spaces = definitions.map(space.Space)

small_domains = st.sampled_from(
    [
        space.choice(["a", "b"]),
        space.ordinal([1, 2, 3]),
        space.randint(0, 3),
        space.qrandint(0, 4, 2),
        space.quniform(0, 1, 0.5),
        space.lograndint(1, 4),
    ]
)
finite_definitions = st.dictionaries(KEYS, nested(st.one_of(small_domains, st.just("constant"))), max_size=3)


def units_for(what: space.Space, rows: int = 4) -> st.SearchStrategy[Any]:
    """Arrays of shape (rows, d) with plenty of exact 0 and 1."""
    unit = st.one_of(st.just(0.0), st.just(1.0), sane(0, 1))
    size = rows * what.dimension
    return st.lists(unit, min_size=size, max_size=size).map(lambda flat: np.array(flat).reshape(rows, what.dimension))
