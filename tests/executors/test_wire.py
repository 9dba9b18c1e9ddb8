"""Frames: what is sent arrives; what is not a message costs its sender the connection, and nothing else."""

import asyncio
import math
import struct

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trialwright.executors import wire
from trialwright.executors.connections import GREETING_BYTES_MAX, Caller
from trialwright.executors.objective import ERROR_LENGTH_MAX, TRACEBACK_LENGTH_MAX, failure
from trialwright.executors.wire import (
    FRAME_BYTES_MAX,
    Beat,
    Bye,
    Frames,
    Hello,
    Interrupt,
    Spent,
    Unwritable,
    WireError,
    encode,
    encode_reported,
    from_driver,
    from_worker,
    greeting,
)
from trialwright.messages import (
    Boundary,
    Checkpoint,
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Noted,
    Placement,
    Reported,
)
from trialwright.metrics import KEY_LENGTH_MAX, TEXT_LENGTH_MAX

numbers = st.integers(0, 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=20)
names = st.text(min_size=1, max_size=8)
metrics = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=8)
)
plain = st.recursive(
    st.one_of(metrics, texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
boundaries = st.builds(Boundary, names, st.sampled_from([">=", "<="]), floats)
untils = st.lists(boundaries, max_size=3).map(tuple)
placements = st.builds(
    Placement, names, st.dictionaries(names, numbers, max_size=3), st.lists(numbers, max_size=2).map(tuple)
)
launches = st.builds(
    Launch,
    numbers,
    numbers,
    st.dictionaries(names, plain, max_size=3),
    st.lists(placements, max_size=2).map(tuple),
    untils,
    numbers,
    st.none() | st.builds(Checkpoint, texts, numbers, floats),
)
to_worker = st.one_of(
    launches,
    st.builds(Extend, numbers, numbers, untils),
    st.builds(Halt, numbers, numbers, st.booleans()),
    st.builds(Interrupt, numbers, numbers),
    st.just(Beat()),
    st.just(Bye()),
)


@st.composite
def reports(draw, max_count=6):
    count = draw(st.integers(1, max_count))
    times = draw(st.lists(st.floats(0, 1e9), min_size=count, max_size=count))
    columns = draw(st.dictionaries(names, st.lists(metrics, min_size=count, max_size=count), max_size=3))
    saved = draw(st.none() | texts)
    step = draw(st.integers(0, 2**63 - 1 - count))
    return Reported(draw(numbers), draw(numbers), step, tuple(times), columns, draw(st.booleans()), saved)


to_driver = st.one_of(
    reports(),
    st.builds(Finished, numbers, numbers),
    st.builds(Failed, numbers, numbers, texts, texts),
    st.builds(Halted, numbers, numbers),
    st.builds(Spent, texts),
    st.builds(Unwritable, texts),
    st.builds(Noted, numbers, numbers, st.dictionaries(texts, texts, max_size=3)),
    st.just(Beat()),
)


def body(message) -> bytes:
    (only,) = Frames().feed(encode(message))
    return only


def report(**changes):
    fields = {"time_s": (0.5, 1.5), "columns": {"loss": [1.0, 2.0]}, **changes}
    return Reported(1, 1, 1, **fields)


# What is sent arrives ------------------------------------------------------------------------------------------------


@given(to_worker)
def test_what_a_driver_sends_arrives(message):
    assert from_driver(body(message)) == message


@given(to_driver)
def test_what_a_worker_sends_arrives(message):
    assert from_worker(body(message)) == message


def test_a_greeting_arrives():
    hello = Hello(b"secret", 3, 4711, "here/4711")
    assert greeting(body(hello)) == hello


def test_not_a_number_is_a_metric():
    read = from_worker(body(report(columns={"loss": [math.nan, math.inf]})))
    assert math.isnan(read.columns["loss"][0])


def test_strings_that_are_no_unicode_reach_the_worker_and_come_back_readable():
    config = {"name": "\udcff"}
    launch = Launch(1, 1, config, (Placement("n", {}),), (), 0)
    assert from_driver(body(launch)).config == config
    assert from_worker(body(Failed(1, 1, "\udcff", ""))).error == "?"


@pytest.mark.parametrize("value", [object(), 2**64, {1, 2}, [[[...]]]])
def test_a_config_that_is_not_plain_is_refused_at_the_sender(value):
    with pytest.raises(WireError):
        encode(Launch(1, 1, {"x": value}, (Placement("n", {}),), (), 0))


@given(st.lists(to_driver, max_size=5), st.data())
def test_a_stream_may_be_cut_anywhere(messages, data):
    stream = b"".join(map(encode, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    frames, found = Frames(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += [from_worker(piece) for piece in frames.feed(stream[start:end])]
    assert found == messages


def test_reports_that_are_too_many_for_one_frame_go_in_several():
    count = 40
    columns = {f"text{n}": ["x" * 65_000] * count for n in range(16)} | {"number": list(range(count))}
    big = Reported(1, 2, 10, tuple(map(float, range(count))), columns, True, "/saved")
    parts = [from_worker(piece) for piece in Frames().feed(encode_reported(big))]
    assert len(parts) > 2
    assert [value for part in parts for value in part.columns["number"]] == columns["number"]
    assert parts[0].first_step == 10
    assert parts[-1].last_step == 49
    assert [(part.waiting, part.checkpoint) for part in parts] == [(False, None)] * (len(parts) - 1) + [
        (True, "/saved")
    ]


def test_reports_with_too_many_columns_go_in_several_frames():
    columns = {f"{half}-{n}": [None] * half + [1.0] + [None] * (1 - half) for half in (0, 1) for n in range(9_000)}
    parts = [from_worker(piece) for piece in Frames().feed(encode_reported(report(columns=columns)))]
    assert [len(part.columns) for part in parts] == [9_000, 9_000]


def test_one_report_that_is_too_large_is_an_error():
    with pytest.raises(WireError, match="bytes"):
        encode_reported(Reported(1, 1, 1, (0.0,), {"text": ["x" * (FRAME_BYTES_MAX + 1)]}))


# What is no message --------------------------------------------------------------------------------------------------


def refused(data: bytes) -> bool:
    """Whatever it is, there is a message or a WireError, for each reader."""
    results = []
    for reader in (from_worker, from_driver, greeting):
        try:
            reader(data)
        except WireError:
            results.append(True)
        else:
            results.append(False)
    return results[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_one_error(data):
    refused(data)


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), texts, st.binary(max_size=8)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(st.integers(-1, 20), st.lists(anything, max_size=9))
def test_any_array_is_a_message_or_one_error(kind, fields):
    refused(msgpack.packb([kind, *fields]))


@given(reports(), st.integers(0, 7), anything)
@example(Reported(1, 1, 1, (1.0,), {"a": [1]}), 5, {"a": [2**64 - 1]})
@example(Reported(1, 1, 1, (1.0,), {"a": [1]}), 4, [math.nan])
def test_a_report_with_one_wrong_field_is_never_half_believed(frame, place, value):
    fields = msgpack.unpackb(body(frame))
    fields[place] = value
    try:
        message = from_worker(msgpack.packb(fields))
    except WireError:
        return
    if isinstance(message, Reported):
        assert all(len(column) == len(message.time_s) for column in message.columns.values())
        assert from_worker(body(message)) == message


@pytest.mark.parametrize("count", [1, 2, 6])
def test_reports_are_refused_whose_steps_cannot_be_counted_on(count):
    def frame(first_step):
        return body(Reported(1, 1, first_step, (0.1,) * count, {"loss": [1.0] * count}))

    assert from_worker(frame(2**63 - 1 - count)).last_step == 2**63 - 2
    for first_step in (2**63 - count, 2**63 - 1):
        with pytest.raises(WireError):
            from_worker(frame(first_step))


@given(to_driver, st.data())
def test_one_flipped_byte_is_a_message_or_one_error(message, data):
    raw = bytearray(body(message))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    refused(bytes(raw))


REPORTED = 11


@pytest.mark.parametrize(
    "raw",
    [
        b"\x91" * 5_000 + b"\xc0",  # nested beyond all measure
        b"\xdd\xff\xff\xff\xff",  # an array that claims four billion entries
        b"\xdf\xff\xff\xff\xff",  # a map
        b"\xc6\xff\xff\xff\xff",  # binary
        b"\xc7\x04\x05abcd",  # an extension type
        b"\xd6\xff\x00\x00\x00\x00",  # a time stamp
        body(Finished(1, 1)) + b"\x00",  # something after the end
        msgpack.packb({"kind": 1}),
        msgpack.packb([]),
        msgpack.packb([[1], 2]),
        msgpack.packb([12, 1]),
        msgpack.packb([12, 1, True]),
        msgpack.packb([12, -1, 1]),
        msgpack.packb([12, 1, 2**64 - 1]),
        msgpack.packb([REPORTED, 1, 1, 1, [], {}, False, None]),
        msgpack.packb([REPORTED, 1, 1, 1, [1.0], {1: [1.0]}, False, None]),
        msgpack.packb([REPORTED, 1, 1, 1, [1.0], {"a": [1.0, 2.0]}, False, None]),
        msgpack.packb([REPORTED, 1, 1, 1, [1.0], {"a": [b"bytes"]}, False, None]),
        msgpack.packb([REPORTED, 1, 1, 1, [1.0], {"a": [[1.0]]}, False, None]),
        msgpack.packb([REPORTED, 1, 1, 1, [1.0], {"a": [2**63]}, False, None]),
        msgpack.packb([REPORTED, 1, 1, 1, [1.0], {"a": ["x" * 200_001]}, False, None]),
        msgpack.packb([REPORTED, 1, 1, 1, [math.inf], {}, False, None]),
        msgpack.packb([REPORTED, 1, 1, 1, [1.0], {}, 0, None]),
        msgpack.packb([REPORTED, 1, 1, 1, [1.0], {str(n): [1] for n in range(10_001)}, False, None]),
        b"\x92\x10\xa1\xff",  # a string that is not UTF-8
        b"",
    ],
)
def test_what_breaks_the_rules_is_refused(raw):
    assert refused(raw)


def test_workers_and_drivers_have_different_vocabularies():
    with pytest.raises(WireError):
        from_worker(body(Halt(1, 1)))
    with pytest.raises(WireError):
        from_driver(body(Finished(1, 1)))


def test_a_frame_over_the_limit_is_refused_before_it_has_come():
    with pytest.raises(WireError, match="at most 10"):
        list(Frames(10).feed(struct.pack(">I", 11)))


def test_the_limit_may_be_raised_between_two_frames():
    frames = Frames(10)
    stream = encode(Beat()) + encode(Spent("x" * 100))
    feed = frames.feed(stream)
    next(feed)
    frames.limit = 1000
    assert from_worker(next(feed)) == Spent("x" * 100)


# The driver's end ----------------------------------------------------------------------------------------------------


class Ear:
    def __init__(self):
        self.messages, self.reasons = [], []
        self.changed = asyncio.Event()

    def heard(self, message, size):
        self.messages.append(message)
        self.changed.set()

    def hung_up(self, reason):
        self.reasons.append(reason)
        self.changed.set()


def visit(*writes: bytes, slots=(3,)) -> tuple[Ear, bool]:
    """Call a driver, say these things, and tell whether it hung up; its ear, too."""

    async def scene():
        ear = Ear()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Caller(b"token", lambda hello, caller: ear if hello.slot in slots else None), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for data in writes:
            writer.write(data)
        try:
            answer = await asyncio.wait_for(reader.read(), 0.5)
        except TimeoutError:
            answer = None
        except ConnectionError:
            answer = b""
        writer.close()
        server.close()
        await asyncio.sleep(0.05)
        return ear, answer is not None

    return asyncio.run(scene())


HELLO = encode(Hello(b"token", 3, 1))


def test_who_shows_the_token_is_listened_to():
    ear, dropped = visit(HELLO + encode(Finished(1, 1)), encode(Finished(2, 1)))
    assert not dropped
    assert ear.messages == [Finished(1, 1), Finished(2, 1)]
    assert len(ear.reasons) == 1


@pytest.mark.parametrize(
    "greeting_bytes",
    [
        encode(Hello(b"guess", 3, 1)),
        encode(Hello(b"", 3, 1)),
        encode(Finished(1, 1)),
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">I", GREETING_BYTES_MAX + 1),
        encode(Hello(b"token", 4, 1)),  # no such slot
    ],
)
def test_who_does_not_is_turned_away_and_not_heard(greeting_bytes):
    ear, dropped = visit(greeting_bytes + encode(Finished(1, 1)))
    assert dropped
    assert not ear.messages
    assert not ear.reasons


def test_who_says_nothing_is_turned_away(monkeypatch):
    monkeypatch.setattr("trialwright.executors.connections.GREETING_S", 0.05)
    assert visit()[1]


def test_a_breach_of_the_rules_ends_the_connection_once_and_says_why():
    ear, dropped = visit(HELLO, encode(Finished(1, 1)) + b"\x00\x00\x00\x01\xc1" + encode(Finished(2, 1)))
    assert dropped
    assert ear.messages == [Finished(1, 1)]
    assert "protocol" in ear.reasons[0]
    assert len(ear.reasons) == 1


def test_steps_that_cannot_be_counted_on_cost_their_sender_the_connection():
    bomb = Reported(1, 1, 2**63 - 1, (0.1, 0.2), {"loss": [1.0, 1.0]})
    ear, dropped = visit(HELLO, encode(Finished(1, 1)) + encode(bomb))
    assert dropped
    assert ear.messages == [Finished(1, 1)]
    assert "not a number" in ear.reasons[0]


LIMITS = {
    "a name": report(columns={"n" * (KEY_LENGTH_MAX + 1): [1.0, 2.0]}),
    "a string": report(columns={"loss": [1.0, "x" * (TEXT_LENGTH_MAX + 1)]}),
    "a number of reports": report(time_s=(0.1,) * 65, columns={"loss": [1.0] * 65}),
    "a path": Reported(1, 1, 1, (0.1,), {}, waiting=True, checkpoint="x" * 5000),
    "an error": Failed(1, 1, "x" * (ERROR_LENGTH_MAX + 1), ""),
    "a traceback": Failed(1, 1, "", "x" * (TRACEBACK_LENGTH_MAX + 1)),
    "a reason": Spent("x" * 5000),
}


@pytest.mark.parametrize("what", LIMITS)
def test_what_is_larger_than_a_session_makes_it_is_refused(what):
    with pytest.raises(WireError):
        from_worker(body(LIMITS[what]))


def test_the_longest_traceback_of_a_trial_passes():
    failed = failure(1, 1, ValueError("x" * 10**6))
    assert from_worker(body(failed)) == failed


def test_frames_share_the_names_of_their_metrics():
    frames = [from_worker(body(report(columns={"a rather long name": [1.0, 2.0]}))) for _ in range(2)]
    assert len({id(name) for frame in frames for name in frame.columns}) == 1


def test_sizes_are_those_of_the_design():
    assert wire.FRAME_BYTES_MAX == 16 * 2**20
    assert GREETING_BYTES_MAX == 1024
