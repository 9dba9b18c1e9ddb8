"""Ray Tune's ``utils``."""

import io
import threading

import pytest

from trialwright.tune.utils import Tee, diagnose_serialization, retry_fn


def test_what_cannot_be_sent_is_found():
    lock, number = threading.Lock(), 1
    assert diagnose_serialization(lambda config: number) is True
    assert diagnose_serialization(lambda config: (lock, number)) == {"lock"}


def test_a_function_is_called_again_until_it_does_not_raise():
    calls = []

    def fails_twice():
        calls.append(1)
        if len(calls) < 3:
            raise OSError("not yet")

    assert retry_fn(fails_twice, OSError, sleep_time=0)
    assert len(calls) == 3
    calls.clear()
    assert not retry_fn(fails_twice, [OSError, KeyError], num_retries=2, sleep_time=0)
    with pytest.raises(KeyError):
        retry_fn(lambda: {}["x"], OSError, sleep_time=0)
    never = threading.Event()
    assert not retry_fn(never.wait, timeout=0.05)
    never.set()


def test_what_is_written_to_a_tee_continues_to_the_stream_that_is_left():
    first, second = io.StringIO(), io.StringIO()
    tee = Tee(first, second)
    tee.write("a")
    first.close()
    tee.write("b")
    tee.flush()
    assert second.getvalue() == "ab"
