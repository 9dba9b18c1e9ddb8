"""Callbacks: users' code that is called when something happens to a trial. The hooks are those of Ray Tune's
``Callback``.

They run outside the event loop. Each callback has its own thread, and is called there one call at a time, in the order
of events. One that raises or hangs gives one warning and is disabled; the run goes on without it.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

from trialwright.core.trial import Trial
from trialwright.errors import named
from trialwright.messages import Metric

CALL_S = 30.0  # a call that lasts longer hangs
FULL_S = 30.0  # so does a callback whose queue stays full for longer
QUEUE_LENGTH = 10_000
FREQUENT = frozenset({"on_trial_result", "on_step_begin", "on_step_end"})  # dropped if a callback cannot keep up


@dataclass(frozen=True, slots=True)
class TrialInfo:
    """A trial as a callback sees it: as it was when the event happened."""

    id: int
    config: dict[str, Any]
    state: str
    outcome: str | None
    attempt: int
    step: int
    metrics: dict[str, Metric]  # of its last report
    error: str
    checkpoint: str | None
    directory: str | None
    traceback: str = ""  # of its last error
    worker: str = ""  # that began its latest attempt, as the executor calls it
    started: float | None = None  # when it first began, in seconds of the run

    @classmethod
    def of(cls, trial: Trial, config: dict[str, Any], directory: str | None, checkpoint: str | None) -> TrialInfo:
        """Return a snapshot of a trial, with copies that a callback may change.

        Args:
            trial: the trial.
            config: a copy of its configuration, as the objective gets it.
            directory: of its files.
            checkpoint: the path of its last checkpoint.
        """
        return cls(
            trial.id,
            config,
            str(trial.state),
            None if trial.outcome is None else str(trial.outcome),
            trial.attempt,
            trial.step,
            dict(trial.metrics),
            trial.error,
            checkpoint,
            directory,
            trial.traceback,
            trial.worker,
            trial.started,
        )


class Trials(Sequence[TrialInfo]):
    """All trials as they are now, in the order of their first events.

    They are kept here, and not made on demand: callbacks run in other threads than the loop, which changes the trials.
    """

    def __init__(self) -> None:
        self._infos: list[TrialInfo] = []
        self._places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._infos)

    @overload
    def __getitem__(self, index: int) -> TrialInfo: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TrialInfo]: ...
    def __getitem__(self, index: int | slice) -> TrialInfo | Sequence[TrialInfo]:
        return self._infos[index]

    def put(self, info: TrialInfo) -> None:
        """Add a trial, or replace what was known of it."""
        place = self._places.setdefault(info.id, len(self._infos))
        self._infos[place : place + 1] = [info]


class Callback:
    """Base class of callbacks. Override the hooks that you need; the others cost nothing.

    ``iteration`` counts the turns of the event loop, ``trials`` are all trials as they are now, and ``trial`` is the
    trial of the event, as it was then. Later versions may pass more arguments: accept ``**info``.

    Attributes:
        closing_s: how long the end of a run waits for the callback's last calls.
        needs_storage: whether it reads the run's directory, so that ``storage=None`` is refused before the run.
    """

    closing_s: float = 10.0
    needs_storage: bool = False

    def setup(self, **info: object) -> None:
        """Called once, before all other hooks. ``info`` has the run's ``name``, its ``directory`` (None if nothing is
        kept), and ``warn``: a function that adds a sentence to the warnings of the result."""

    def on_step_begin(self, iteration: int, trials: Sequence[TrialInfo], **info: object) -> None:
        """A turn of the event loop begins."""

    def on_step_end(self, iteration: int, trials: Sequence[TrialInfo], **info: object) -> None:
        """A turn of the event loop is over."""

    def on_trial_start(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        """A trial began to run."""

    def on_trial_restore(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        """A trial continues from a checkpoint."""

    def on_trial_save(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        """A trial saved a checkpoint."""

    def on_trial_result(
        self,
        iteration: int,
        trials: Sequence[TrialInfo],
        trial: TrialInfo,
        result: dict[str, Metric],
        **info: object,
    ) -> None:
        """A trial reported metrics."""

    def on_trial_complete(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        """A trial ended without failing."""

    def on_trial_recover(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        """A trial failed and will be tried again."""

    def on_trial_error(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        """A trial failed for good."""

    def on_checkpoint(
        self,
        iteration: int,
        trials: Sequence[TrialInfo],
        trial: TrialInfo,
        checkpoint: str,
        **info: object,
    ) -> None:
        """A trial's checkpoint is stored, at this path."""

    def on_experiment_end(self, trials: Sequence[TrialInfo], **info: object) -> None:
        """The run is over: called once, after all other hooks."""

    def get_state(self) -> dict[str, Any] | None:
        """Return the state that a resumed run passes to ``set_state``: plain data, or None."""
        return None

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state that ``get_state`` returned; called before ``setup``."""


HOOKS = tuple(name for name in vars(Callback) if name == "setup" or name.startswith("on_"))


@dataclass(frozen=True, slots=True)
class Call:
    """A hook that is to be called."""

    hook: str
    arguments: dict[str, object]


class CallbackRunner:
    """Calls callbacks, each in its own thread. ``emit`` never waits for one.

    Args:
        callbacks: the callbacks.
        on_problem: called with a sentence when a callback fails or cannot keep up; from any thread.
        states: the ``states`` at the end of the run that this one resumes, in the order of the callbacks.
        clock: monotonic seconds.

    Raises:
        TypeError: an object is not a callback.
    """

    def __init__(
        self,
        callbacks: Sequence[Callback],
        on_problem: Callable[[str], None],
        *,
        states: Sequence[dict[str, Any] | None] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for callback in callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks must be trialwright.Callback objects, not {callback!r}")
        self._clock = clock
        self._trials = Trials()
        padded = [*states, *[None] * len(callbacks)]
        self._workers = [
            _Worker(callback, on_problem, clock, state) for callback, state in zip(callbacks, padded, strict=False)
        ]

    @property
    def is_idle(self) -> bool:
        """There are no callbacks, or all are disabled."""
        return not self._workers or all(worker.retired for worker in self._workers)

    @property
    def wanted(self) -> frozenset[str]:
        """The hooks that callbacks override: arguments of others need not be collected."""
        return frozenset[str]().union(*(worker.hooks for worker in self._workers if not worker.retired))

    @property
    def states(self) -> list[dict[str, Any] | None]:
        """What each callback's ``get_state`` returned when it was closed."""
        return [worker.state for worker in self._workers]

    def emit(self, hook: str, **arguments: object) -> None:
        """Queue a call of a hook, with these arguments and ``trials``. A ``trial`` among them is kept as that trial's
        newest state.

        A callback that is ``QUEUE_LENGTH`` calls behind misses results and steps, with a warning, but no other calls.
        """
        if self.is_idle:
            return
        if isinstance(trial := arguments.get("trial"), TrialInfo):
            self._trials.put(trial)
        if hook != "setup":
            arguments["trials"] = self._trials
        now = self._clock()
        for worker in self._workers:
            worker.put(Call(hook, arguments), now)

    def settle(self, timeout_s: float = 10.0) -> None:
        """Wait until every callback has handled what was emitted; disable those that take too long. This blocks."""
        deadline = self._clock() + timeout_s
        for worker in self._workers:
            worker.ask()
        for worker in self._workers:
            worker.settle(deadline - self._clock())

    def close(self, timeout_s: float | None = None) -> None:
        """Let every callback finish its calls; disable those that take too long.

        This blocks: call it in a thread, not in an event loop.

        Args:
            timeout_s: for how long; None: as long as each callback's ``closing_s`` says.
        """
        began = self._clock()
        for worker in self._workers:
            worker.finish()
        for worker in self._workers:
            allowed = worker.closing_s if timeout_s is None else timeout_s
            worker.join(allowed - (self._clock() - began))


class _Worker:
    """One callback, its thread, and its queue."""

    def __init__(
        self,
        callback: Callback,
        on_problem: Callable[[str], None],
        clock: Callable[[], float],
        state: dict[str, Any] | None,
    ) -> None:
        self.hooks = frozenset(hook for hook in HOOKS if _overrides(callback, hook))
        self.closing_s = callback.closing_s
        self.state = state
        self.retired = False
        self._callback = callback
        self._on_problem = on_problem
        self._clock = clock
        self._calls: queue.SimpleQueue[Call | threading.Event | None] = queue.SimpleQueue()
        self._heard = threading.Event()  # set when the worker reaches this event in its queue
        self._call: tuple[str, float] | None = None  # the hook it is in, and since when
        self._full_since: float | None = None
        self._missed = False
        self._lock = threading.Lock()
        name = f"trialwright-callback-{type(callback).__name__}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def put(self, call: Call, now: float) -> None:
        """Queue a call if the callback overrides the hook and can keep up. Never blocks."""
        self._judge(now)
        if self.retired or call.hook not in self.hooks:
            return
        if self._calls.qsize() < QUEUE_LENGTH:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = now
        if self._full_since is None or call.hook not in FREQUENT:
            self._queue(call)
        elif not self._missed:
            self._missed = True
            self._on_problem(f"callback {self._name} is slower than the run: it misses calls of {call.hook}")

    def _judge(self, now: float) -> None:
        if self._call is not None and now - self._call[1] > CALL_S:
            self.retire(f"has been in {self._call[0]} for more than {CALL_S:g} s")
        elif self._full_since is not None and now - self._full_since > FULL_S:
            self.retire(f"has been {QUEUE_LENGTH} calls behind for more than {FULL_S:g} s")

    def retire(self, what: str) -> None:
        """Disable the callback, and report why, once."""
        with self._lock:
            if self.retired:
                return
            self.retired = True
        self._heard.set()
        self._on_problem(f"callback {self._name} is disabled: it {what}")

    def ask(self) -> None:
        """Have the worker signal when it reaches this place in its queue."""
        self._heard.clear()
        if not self.retired:  # checked after ``clear``: ``retire`` sets the same event
            self._queue(self._heard)

    def settle(self, timeout_s: float) -> None:
        """Wait for that signal, or until it is disabled."""
        if not self.retired and not self._heard.wait(max(timeout_s, 0.0)):
            self._leave()

    def finish(self) -> None:
        """Let the thread end after what is in the queue."""
        self._queue(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, unless the callback is disabled."""
        if self.retired:
            return
        self._thread.join(max(timeout_s, 0.0))
        if self._thread.is_alive():
            self._leave()

    def _leave(self) -> None:
        where = f", in {self._call[0]}" if self._call else ""
        left = max(self._calls.qsize() - 1, 0)
        self.retire(f"had not finished when the run had{where}, with {left} calls left")

    def _queue(self, call: Call | threading.Event | None) -> None:
        self._calls.put(call)
        if self._thread.ident is None:  # started by the first call: a resumed run that was over makes no calls
            self._thread.start()

    def _run(self) -> None:
        try:
            if self.state is not None:
                self._do("set_state", {"state": self.state})
            while not self.retired and (call := self._calls.get()) is not None:
                if isinstance(call, Call):
                    self._do(call.hook, call.arguments)
                else:
                    call.set()
            if not self.retired:
                self.state = self._do("get_state", {})
        except BaseException as error:  # any error, SystemExit too, disables only this callback
            where = self._call[0] if self._call else "its thread"
            self.retire(f"raised {named(error)} in {where}:\n{traceback.format_exc()}")

    def _do(self, method: str, arguments: dict[str, object]) -> Any:  # noqa: ANN401 - as the method
        own = {name: dict(value) if isinstance(value, dict) else value for name, value in arguments.items()}
        self._call = method, self._clock()
        answer = getattr(self._callback, method)(**own)
        self._call = None
        return answer

    @property
    def _name(self) -> str:
        return type(self._callback).__qualname__


def _overrides(callback: Callback, hook: str) -> bool:
    return getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)
