import pytest
from hypothesis import given, settings

from tests.storage.strategies import ALL, one
from trialwright.messages import Reported
from trialwright.storage.base import Turn
from trialwright.storage.packing import pack, unpack


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_every_message_comes_back(cls):
    @settings(max_examples=25, deadline=None)
    @given(one(cls))
    def comes_back(message):
        turn = Turn(1.5, [message, message], [[message], None], "mark", late=[[message]])
        assert repr(unpack(pack(turn))) == repr(turn)

    comes_back()


def test_what_is_packed_is_smaller_than_its_objects():
    packed = pack(Turn(1.5, [Reported(1, 1, 7, (3.5,), {"loss": [0.25]})], [()], "0123456789abcdef"))
    assert len(packed) < 130
