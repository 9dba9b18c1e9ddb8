"""What is sent to an open page: a server-sent event whenever the run has changed.

Each event has the run's last event as its id. A page that was disconnected says which was its last, and gets what has
changed since.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

from trialwright.page import queries
from trialwright.page.run import ShownRun, patiently

LOOK_S = 0.05  # how often the journal's files are looked at
PAUSE_S = 0.1  # between two events: a screen cannot be read faster
STATE_S = 1.0  # how often the run's driver is looked for: it may end without an event
QUIET_S = 15.0  # after so long without an event a comment is sent, which finds connections that are dead


async def changes(
    run: ShownRun, since: int | None, extra: queries.Answer, is_over: Callable[[], bool] = bool
) -> AsyncIterator[str]:
    """Yield the events for one page, until the server ends.

    Args:
        run: the run.
        since: the id of the last event that the page has; None for a new page.
        extra: what each event has besides the summary.
        is_over: returns whether the server ends, and with it the stream.
    """
    index, sent, said_s, looked_s, state = run.index, (since, True), time.monotonic(), time.monotonic(), run.state
    yield "retry: 1000\n\n"
    while not is_over():
        if index.is_behind:
            await asyncio.to_thread(patiently, index.update)
        now = time.monotonic()
        if now - looked_s > STATE_S:
            looked_s, before, state = now, state, await asyncio.to_thread(patiently, lambda: run.state)
            sent = sent if before == state else (None, True)
        if (index.seq, index.is_filled) != sent:
            sent, said_s = (index.seq, index.is_filled), now
            yield _event(index.seq, await asyncio.to_thread(patiently, queries.summary, run) | extra)
            await asyncio.sleep(PAUSE_S if index.is_filled else 0)
        elif now - said_s > QUIET_S:
            said_s = now
            yield ": nothing has happened\n\n"
        else:
            await asyncio.sleep(LOOK_S)


def _event(number: int, answer: queries.Answer) -> str:
    return f"id: {number}\nevent: change\ndata: {json.dumps(answer, allow_nan=False)}\n\n"
