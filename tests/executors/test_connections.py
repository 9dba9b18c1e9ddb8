"""Both ends of a slot's connection: over TCP (``Caller``, ``Socket``), and in calls (``Polled``, ``Exchange``)."""

import asyncio
import socket
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwright.executors import carriers
from trialwright.executors.carriers import Exchange, Outbox, Socket
from trialwright.executors.connections import Caller, Polled
from trialwright.executors.wire import Beat, Bye, Frames, Hello, Spent, encode, from_driver, from_worker, greeting
from trialwright.messages import Finished

WAIT_S = 20.0


class Ear:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.reasons: list[str] = []
        self.changed = asyncio.Event()

    def heard(self, message, size):
        self.messages.append(message)
        self.changed.set()

    def hung_up(self, reason):
        self.reasons.append(reason)
        self.changed.set()

    async def wait_until(self, condition):
        while not condition():
            await asyncio.wait_for(self.changed.wait(), WAIT_S)
            self.changed.clear()


# In calls -------------------------------------------------------------------------------------------------------------


def told(exchange):
    """What an exchange has to send, as messages; its greeting is left out."""
    return [from_worker(body) for body in Frames().feed(exchange.exchange(b"", 0.01))]


def test_the_first_answer_is_a_greeting():
    [body] = Frames().feed(Exchange().exchange(b"", 0.01))
    assert greeting(body).worker.startswith(socket.gethostname())


def test_an_exchange_without_waiting_brings_and_takes_nothing():
    exchange = Exchange()
    assert exchange.exchange(encode(Beat()), 0.0) == b""
    assert exchange.receive(wait=True) == encode(Beat())
    assert exchange.receive(wait=False) is None
    assert exchange.exchange(b"", 0.01), "the greeting is still there"


def test_a_slot_that_is_far_ahead_of_its_driver_waits(monkeypatch):
    monkeypatch.setattr(carriers, "FRAME_BYTES_MAX", 10)
    exchange = Exchange()
    exchange.exchange(b"", 0.01)
    exchange.send(encode(Spent("a frame of more than ten bytes")))
    behind = threading.Thread(target=exchange.send, args=(encode(Beat()),), daemon=True)
    behind.start()
    behind.join(0.05)
    assert behind.is_alive(), "it waits until the driver has fetched the first"
    assert told(exchange) == [Spent("a frame of more than ten bytes")]
    behind.join(WAIT_S)
    assert told(exchange) == [Beat()]


def test_the_end_of_a_slot_waits_until_its_last_frame_is_fetched(monkeypatch):
    exchange = Exchange()
    exchange.exchange(b"", 0.01)
    exchange.drain()  # nothing is left: it returns at once
    exchange.send(encode(Beat()))
    ending = threading.Thread(target=exchange.drain, daemon=True)
    ending.start()
    assert told(exchange) == [Beat()]
    ending.join(WAIT_S)
    assert not ending.is_alive()


@settings(max_examples=20)
@given(st.lists(st.integers(0, 99), max_size=20), st.lists(st.booleans(), max_size=20))
def test_messages_pass_in_order_in_both_directions_and_survive_a_pause(numbers, pauses):
    async def scene():
        exchange, ear = Exchange(), Ear()
        exchange.exchange(b"", 0.01)
        polled = Polled(ear, lambda data, wait_s: asyncio.to_thread(exchange.exchange, data, min(wait_s, 0.05)))
        for number in numbers:
            exchange.send(encode(Finished(number, 1)))
            polled.write(encode(Beat()))
        for pause in pauses:
            (polled.pause if pause else polled.resume)()
            await asyncio.sleep(0)
        polled.resume()
        await ear.wait_until(lambda: len(ear.messages) == len(numbers))
        frames, came = Frames(), list[Any]()
        while len(came) < len(numbers):
            came += map(from_driver, frames.feed(await asyncio.to_thread(exchange.receive, wait=True)))
        polled.close()
        return ear.messages, came

    heard, came = asyncio.run(scene())
    assert heard == [Finished(number, 1) for number in numbers]
    assert came == [Beat()] * len(numbers)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"\x00\x00\x00\x01\xc1", "it violated the protocol"), (OSError("dead"), "it does not answer: OSError('dead')")],
)
def test_a_slot_that_cannot_be_understood_has_hung_up_once(answer, reason):
    async def exchange(data, wait_s):
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def scene():
        ear = Ear()
        polled = Polled(ear, exchange)
        polled.write(encode(Beat()))  # its error is the same, and is reported once
        await ear.wait_until(lambda: ear.reasons)
        await asyncio.sleep(0.01)
        polled.close()
        return ear

    ear = asyncio.run(scene())
    [said] = ear.reasons
    assert reason in said
    assert not ear.messages


# Over TCP -------------------------------------------------------------------------------------------------------------


class Lines:
    """A transport that writes down what is done with it."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.closing = False

    def get_extra_info(self, name):
        return self.socket

    def is_closing(self):
        return self.closing

    def write(self, data):
        self.done.append(data)

    def pause_reading(self):
        self.done.append("pause")

    def resume_reading(self):
        self.done.append("resume")

    def abort(self):
        self.closing = True


def scene_with(act):
    """Let a driver's end of a connection act; return what was done with its transport."""

    async def scene():
        lines = Lines()
        lines.socket, other = _pair()
        caller = Caller(b"token", lambda hello, caller: Ear())
        caller.connection_made(lines)
        act(caller, lines)
        await asyncio.sleep(0)
        caller.connection_lost(None)
        lines.socket.close()
        other.close()
        return lines.done

    return asyncio.run(scene())


def _pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        return one, server.accept()[0]


def test_frames_of_one_turn_leave_in_one_write():
    def act(caller, lines):
        caller.write(encode(Beat()))
        caller.write(encode(Bye()))
        assert lines.done == []

    assert scene_with(act) == [encode(Beat()) + encode(Bye())]


def test_a_pause_is_made_once_and_ended_once():
    def act(caller, lines):
        for step in (caller.resume, caller.pause, caller.pause, caller.resume, caller.resume):
            step()

    assert scene_with(act) == ["pause", "resume"]


def test_nothing_is_done_with_a_connection_that_is_closing():
    def act(caller, lines):
        caller.write(encode(Beat()))
        caller.close()
        caller.pause()

    assert scene_with(act) == []


def test_a_socket_greets_and_says_what_has_come():
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire = Socket(server.getsockname(), Hello(b"token", 3, 1))
        driver, _ = server.accept()
    with driver:
        [body] = Frames().feed(driver.recv(1000))
        assert greeting(body) == Hello(b"token", 3, 1)
        assert wire.receive(wait=False) is None
        driver.sendall(b"some bytes")
        assert wire.receive(wait=True) == b"some bytes"
    assert wire.receive(wait=True) == b"", "the driver is gone"
    wire.disown()
    assert wire.receive(wait=True) == b"", "a closed socket has no driver either"


# The outbox -----------------------------------------------------------------------------------------------------------


class Written:
    def __init__(self, outbox_error=None):
        self.sent: list[bytes] = []
        self.error = outbox_error

    def send(self, data):
        if self.error:
            raise self.error
        self.sent.append(data)


def test_what_is_posted_leaves_with_what_is_sent_in_order():
    wire = Written()
    outbox = Outbox(wire)
    outbox.post(b"a")
    outbox.post(b"b")
    outbox.tend()
    outbox.tend()  # nothing is left
    outbox.post(b"c")
    outbox.send(b"d")
    assert wire.sent == [b"ab", b"cd"]


def test_endings_leave_together_unless_it_is_the_last():
    wire = Written()
    outbox = Outbox(wire)
    for _ in range(carriers.TOGETHER):
        outbox.end(b"e", is_last=False)
    outbox.end(b"f", is_last=False)
    outbox.end(b"g", is_last=True)
    assert wire.sent == [b"e" * carriers.TOGETHER, b"fg"]


def test_a_send_that_fails_lets_the_next_thread_write():
    outbox = Outbox(Written(OSError("the driver is gone")))
    with pytest.raises(OSError, match="gone"):
        outbox.send(b"a")
    assert outbox.writer is None
    outbox.say_last(b"b")  # and the last words of a dying process raise nothing


def test_last_words_are_not_put_into_the_middle_of_a_frame():
    wire = Written()
    outbox = Outbox(wire)
    outbox.post(b"posted ")
    outbox.writer = threading.get_ident()  # as a signal finds it that interrupts a send
    outbox.say_last(b"last")
    assert wire.sent == []
    outbox.writer = None
    outbox.say_last(b"last")
    assert wire.sent == [b"posted last"]
