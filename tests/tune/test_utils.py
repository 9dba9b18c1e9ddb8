"""Ray Tune's ``utils``."""

import threading

import pytest

from trialwright.tune.utils import diagnose_serialization

pytest.importorskip("ray", exc_type=ImportError)


def test_what_cannot_be_sent_is_found():
    lock = threading.Lock()
    assert diagnose_serialization(lambda config: config) is True
    failures = diagnose_serialization(lambda config: lock)
    assert ["lock" in str(failure) for failure in failures] == [True]
