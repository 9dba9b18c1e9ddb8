"""Ray Tune's ``utils``."""

import threading

from trialwright.tune.utils import diagnose_serialization


def test_what_cannot_be_sent_is_found():
    lock, number = threading.Lock(), 1
    assert diagnose_serialization(lambda config: number) is True
    assert diagnose_serialization(lambda config: (lock, number)) == {"lock"}
