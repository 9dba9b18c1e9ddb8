import json
import math

import pytest
from hypothesis import given, settings

from tests.storage.strategies import ALL, PLAIN, one
from trialwright import codec
from trialwright.messages import Boundary, Config, Continue, Enqueued, Started
from trialwright.storage import journal


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_every_message_comes_back(cls):
    @settings(max_examples=25)
    @given(one(cls))
    def comes_back(message):
        text = json.dumps(codec.to_plain(message), allow_nan=False)
        assert repr(codec.from_plain(json.loads(text))) == repr(message)
        assert repr(codec.from_plain(json.loads(journal.encode(message)))) == repr(message)

    comes_back()


@given(PLAIN)
def test_plain_data_comes_back(data):
    assert repr(journal.decode(journal.encode(data))) == repr(data)
    assert repr(codec.read_plain(codec.to_plain(data))) == repr(data)


@given(one(Enqueued))
def test_both_ways_to_text_say_the_same(message):
    assert json.loads(journal.encode(message)) == codec.to_plain(message)


def test_numbers_that_json_lacks():
    assert codec.to_plain([math.nan, math.inf, -math.inf]) == [{"float": "nan"}, {"float": "inf"}, {"float": "-inf"}]


def test_a_config_that_looks_like_such_a_number():
    config: Config = {"a": {"float": "nan"}, "b": {"float": {"float": 1.0}}, "float": 2}
    message = Enqueued(config)
    assert codec.from_plain(json.loads(journal.encode(message))) == message


def test_a_boundary_comes_back_as_one():
    [boundary] = codec.from_plain(codec.to_plain(Continue((Boundary("loss", "<=", -math.inf),)))).until
    assert boundary.met({"loss": -math.inf})


def test_a_field_that_this_version_does_not_know_is_omitted():
    assert codec.from_plain({"kind": "Started", "trial": 1, "attempt": 2, "mood": "fine"}) == Started(1, 2)


@pytest.mark.parametrize(
    "data", [None, [], "Started", {}, {"kind": "Exec", "code": "1"}, {"kind": "Node.__class__"}, {"kind": ["x"]}]
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(ValueError, match="not a message"):
        codec.from_plain(data)


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, 1j, len, Exception("x")])
def test_what_is_no_plain_data_is_refused(value):
    for encode in (codec.to_plain, journal.encode):
        with pytest.raises(TypeError, match="not plain data"):
            encode({"deep": [value]})
