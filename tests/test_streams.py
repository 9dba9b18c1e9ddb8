"""One seed, split by name."""

from hypothesis import given
from hypothesis import strategies as st

from trialwright.streams import Streams


def test_a_stream_begins_anew_each_time_it_is_asked_for():
    streams = Streams(7)
    first = streams("sobol", 3).random(5)
    streams("other").random(1000)
    assert list(streams("sobol", 3).random(5)) == list(Streams(7)("sobol", 3).random(5)) == list(first)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.integers(0, 99), max_size=3).map(tuple)), unique=True))
def test_no_two_streams_are_the_same(names):
    streams = Streams(0)
    assert len({streams(name, *key).random() for name, key in names}) == len(names)
    assert len({streams.integer(name, *key) for name, key in names}) == len(names)


def test_another_seed_splits_otherwise():
    assert Streams(1)("x").random() != Streams(2)("x").random()
    assert Streams(1)("x", 12).random() != Streams(11)("x", 2).random()


def test_integers_are_seeds_for_anybodys_generator():
    assert all(0 <= Streams(seed).integer("trial", 0) < 2**32 for seed in range(100))


def test_streams_are_the_same_on_every_machine():
    """What a seed draws is a promise: a change here changes everybody's runs."""
    assert Streams(0).integer("trial", 0) == 4242307485
    assert Streams(0)("random", 0).integers(2**32) == 3064799759
