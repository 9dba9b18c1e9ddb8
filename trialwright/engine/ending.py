"""How a run ends: in steps; each step is taken even if another raises an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack
from types import TracebackType
from typing import Self, TypeVar

from trialwright.errors import said

T = TypeVar("T")


class Ending:
    """A context with steps that are taken when it is left, the last one first.

    A step that raises becomes a warning, and the next is taken. The error that ended the run stays the one that is
    raised. A cancellation during a step, as by Ctrl-C, is raised after the last step if the run itself had no error.

    Args:
        warn: called with a sentence on each step that failed.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._steps = AsyncExitStack()

    def step(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        """Have this done at the end; ``what`` names it in a warning."""
        self._steps.push_async_callback(self._take, what, work)

    def enter(self, what: str, context: AbstractContextManager[T]) -> T:
        """Enter a context, and leave it as a step."""

        async def leave() -> None:
            context.__exit__(None, None, None)

        entered = context.__enter__()
        self.step(what, leave)
        return entered

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._steps.aclose()
        except BaseException:
            if error is None:
                raise

    async def _take(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except Exception as error:
            self._warn(f"{what} failed at the end: {said(error)}")
