"""A sequence whose items are made when they are looked at."""

import pickle

from trialwright.on_demand import OnDemand


def test_an_item_is_made_when_it_is_looked_at():
    made = []
    squares = OnDemand(range(1000), lambda number: made.append(number) or number**2)
    assert len(squares) == 1000
    assert not made
    assert squares[-1] == 999**2
    assert made == [999]


def test_it_is_read_like_a_list():
    squares = OnDemand([1, 2, 3], lambda number: number**2)
    assert squares[1:] == [4, 9]
    assert [*squares] == [1, 4, 9]
    assert squares == [1, 4, 9]
    assert squares != [1, 4]
    assert repr(squares) == "[1, 4, 9]"


def test_it_shows_what_its_items_are_now():
    items = [1]
    squares = OnDemand(items, lambda number: number**2)
    items.append(2)
    assert [*squares] == [1, 4]


def test_its_pickle_is_a_list():
    assert pickle.loads(pickle.dumps(OnDemand([1, 2], str))) == ["1", "2"]
