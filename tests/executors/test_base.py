"""The parts that executors share: the inbox, the searcher's thread, and threads for calls that block."""

import asyncio
import sys
import threading

import pytest

from trialwright.errors import PolicyError, StorageError
from trialwright.executors import base
from trialwright.executors.base import Asker, Deputy, Inbox
from trialwright.messages import Ask, Finished, Started, Suggested, Ticked

WAIT_S = 20.0


# The inbox ------------------------------------------------------------------------------------------------------------


def test_events_of_many_threads_all_arrive_each_threads_in_its_order():
    async def scene():
        inbox, found = Inbox(), list[Finished]()
        threads = [
            threading.Thread(target=lambda number=number: [inbox.put(Finished(number, step)) for step in range(300)])
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        while len(found) < 1200:
            found += await inbox.take(WAIT_S)
        for thread in threads:
            thread.join()
        return found

    found = asyncio.run(scene())
    for number in range(4):
        assert [event.attempt for event in found if event.trial == number] == list(range(300))


def test_a_time_without_events_is_a_tick():
    async def scene():
        inbox = Inbox()
        assert await inbox.take(0.01) == [Ticked()]
        inbox.put(Finished(0, 1))
        assert await inbox.take(0.0) == [Finished(0, 1)]
        assert await inbox.take(0.0) == [Ticked()]

    asyncio.run(scene())


def test_what_waits_comes_at_the_end_of_the_time_at_the_latest(monkeypatch):
    monkeypatch.setattr(base, "BESIDE_S", 1000.0)

    async def scene():
        inbox = Inbox()
        inbox.put_beside(Started(0, 1))
        return await inbox.take(0.01)

    assert asyncio.run(scene()) == [Started(0, 1)]


def test_a_start_comes_before_the_event_that_it_waited_for_and_once(monkeypatch):
    monkeypatch.setattr(base, "BESIDE_S", 0.01)

    async def scene():
        inbox = Inbox()
        inbox.put_beside(Started(0, 1))
        inbox.put(Finished(0, 1))
        assert await inbox.take(WAIT_S) == [Started(0, 1), Finished(0, 1)]
        assert await inbox.take(0.05) == [Ticked()], "the timer of what has been taken must not wake anything"

    asyncio.run(scene())


def test_the_first_error_counts_and_is_raised_again():
    async def scene():
        inbox = Inbox()
        inbox.put(Finished(0, 1))
        threading.Thread(target=lambda: [inbox.fail_to_store("disk"), inbox.fail(ValueError("later"))]).start()
        for _ in range(2):
            with pytest.raises(StorageError, match="disk; make room"):
                while True:
                    await inbox.take(WAIT_S)

    asyncio.run(scene())


def test_an_event_after_the_end_of_the_loop_is_no_error():
    async def scene():
        return Inbox()

    inbox = asyncio.run(scene())
    late = threading.Thread(target=inbox.put, args=(Finished(0, 1),))
    late.start()  # an error there would be reported by pytest
    late.join()


# The searcher's thread ------------------------------------------------------------------------------------------------


def test_the_searcher_is_asked_in_one_thread_of_its_own_in_order():
    threads = set[int]()

    def suggest(ask):
        threads.add(threading.get_ident())
        return Suggested(ask.ask, ())

    async def scene():
        inbox = Inbox()
        asker, found = Asker(suggest, inbox), list[Suggested]()
        for number in range(5):
            asker.ask(Ask(number, (), 0))
        asker.close()  # after the answers to what was asked
        while len(found) < 5:
            found += await inbox.take(WAIT_S)
        return found

    assert asyncio.run(scene()) == [Suggested(number, ()) for number in range(5)]
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt()])
def test_whatever_the_searcher_raises_ends_the_run(error):
    def suggest(ask):
        raise error

    async def scene():
        inbox = Inbox()
        asker = Asker(suggest, inbox)
        asker.ask(Ask(1, (), 0))
        with pytest.raises(PolicyError) as caught:
            await inbox.take(WAIT_S)
        asker.close()
        assert caught.value.__cause__ is error

    asyncio.run(scene())


# A thread for calls that block ----------------------------------------------------------------------------------------


def test_a_deputy_makes_its_calls_in_one_thread_one_after_another():
    deputy, threads = Deputy("test"), list[int]()
    for _ in range(50):
        deputy.tell(lambda: threads.append(threading.get_ident()))
    assert deputy.tell(len, threads).result(WAIT_S) == 50
    assert len(set(threads)) == 1
    deputy.close()


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3)])
def test_a_call_that_raises_fails_its_future_and_no_later_call(error):
    deputy = Deputy("test")

    def fail():
        raise error

    failed, later = deputy.tell(fail), deputy.tell(sys.intern, "later")
    assert failed.exception(WAIT_S) is error
    assert later.result(WAIT_S) == "later"
    deputy.close()


def test_a_call_that_was_cancelled_in_time_is_not_made():
    deputy, gate, made = Deputy("test"), threading.Event(), list[str]()
    deputy.tell(gate.wait, WAIT_S)
    cancelled, kept = deputy.tell(made.append, "cancelled"), deputy.tell(made.append, "kept")
    assert cancelled.cancel()
    gate.set()
    kept.result(WAIT_S)
    assert made == ["kept"]
    deputy.close()


def test_a_deputy_that_is_closed_ends_after_its_calls():
    deputy, gate = Deputy("a thread that ends"), threading.Event()
    deputy.tell(gate.wait, WAIT_S)
    last = deputy.tell(threading.current_thread)
    deputy.close()
    gate.set()
    thread = last.result(WAIT_S)
    thread.join(WAIT_S)
    assert not thread.is_alive()


def test_the_loop_continues_while_a_deputy_is_busy():
    async def scene():
        deputy, gate = Deputy("test"), threading.Event()
        answer = deputy.call(gate.wait, WAIT_S)
        await asyncio.sleep(0)
        assert not answer.done()
        gate.set()
        assert await asyncio.wait_for(answer, WAIT_S) is True
        deputy.close()

    asyncio.run(scene())
