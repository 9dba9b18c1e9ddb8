import json
import pickle
from hashlib import sha256
from typing import cast

import pytest
from hypothesis import given, settings

from tests.contracts.store import StoreContract, commit, events, frame
from tests.storage.strategies import ALL, one
from trialwright.errors import StorageError
from trialwright.messages import Continue, Reported, Started, at_step
from trialwright.storage.base import Turn
from trialwright.storage.memory import MemoryStore, pack, unpack
from trialwright.storage.sqlite import SqliteStore

TURNS = [
    Turn(0.0, [Started(0, 1)], [[Continue(at_step(2))]]),
    Turn(1.5, [frame(0, loss=[0.5, float("nan")])], [[]], "ab"),
]


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def new_store(self):
        return MemoryStore


@pytest.mark.parametrize("keep", ["digest", "nothing"])
def test_what_is_not_kept_cannot_be_read(keep):
    store = MemoryStore({}, keep=keep)
    commit(store, *TURNS)
    for read in (store.entries, lambda: store.frames(0), store.trials):
        with pytest.raises(StorageError, match=keep):
            read()


def test_nothing_kept_has_no_digest():
    with pytest.raises(StorageError, match="no digest"):
        _ = MemoryStore({}, keep="nothing").digest


def test_digest_may_be_asked_for_at_any_time():
    kept, digested = MemoryStore({}), MemoryStore({}, keep="digest")
    for turn in TURNS:
        commit(kept, turn)
        commit(digested, turn)
        assert kept.digest == digested.digest == kept.digest


def test_digest_is_the_sha256_of_the_lines():
    store = MemoryStore({})
    commit(store, *TURNS)
    started = {"kind": "Started", "trial": 0, "attempt": 1}
    reported = {
        "kind": "Reported", "trial": 0, "attempt": 1, "first_step": 1, "time_s": [0.0, 0.5],
        "columns": {"loss": [0.5, {"float": "nan"}]},
    }  # fmt: skip
    decided = [{"kind": "Continue", "until": [["step", ">=", 2]]}]
    rows = [[0.0, started, decided, None], [1.5, reported, [], "ab"]]
    lines = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    assert store.digest == sha256(lines.encode()).hexdigest()


def test_what_is_no_plain_data_is_refused():
    with pytest.raises(TypeError, match="not plain data"):
        commit(MemoryStore({}, keep="digest"), events(0.0, Started(0, 1, cast(str, {1, 2}))))


# Turns as bytes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_every_message_comes_back(cls):
    @settings(max_examples=25)
    @given(one(cls))
    def comes_back(message):
        turn = Turn(1.5, [message, message], [[message], None], "mark", late=[[message]])
        assert repr(unpack(pack(turn))) == repr(turn)

    comes_back()


def test_what_is_packed_is_smaller_than_its_objects():
    packed = pack(Turn(1.5, [Reported(1, 1, 7, (3.5,), {"loss": [0.25]})], [()], "0123456789abcdef"))
    assert len(packed) < 130


# Copies ---------------------------------------------------------------------------------------------------------------


def test_a_copy_holds_what_its_original_held_and_goes_its_own_way():
    store = MemoryStore({"seed": 1})
    commit(store, TURNS[0])
    assert store.digest  # so that the copy has to hash again what is hashed already
    copied = pickle.loads(pickle.dumps(store))
    commit(copied, TURNS[1])
    both = MemoryStore({"seed": 1})
    commit(both, *TURNS)
    assert (copied.digest, copied.settings, repr(list(copied.entries()))) == (
        both.digest,
        both.settings,
        repr(list(both.entries())),
    )
    assert len(list(store.entries())) == 1


def test_a_store_that_keeps_only_a_digest_cannot_be_copied():
    with pytest.raises(TypeError, match="keep='digest' cannot be copied"):
        pickle.dumps(MemoryStore({}, keep="digest"))


def test_only_a_store_on_disk_is_watched(tmp_path):
    assert not MemoryStore({}).is_watched
    store = SqliteStore.create(tmp_path, {})
    assert store.is_watched
    store.close()
