"""Callbacks with Ray Tune's interface, and what connects them to the engine.

A user's callback gets ``Trial`` objects and results with the names that Ray Tune's users know. It runs off the loop, in
a thread of its own; one that raises is reported and called no more, and the run goes on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from trialwright import callbacks as engine
from trialwright.errors import import_instead
from trialwright.tune.trial import RunFacts, Trial, TrialBook

if TYPE_CHECKING:
    from trialwright.tune.checkpoint import Checkpoint


class Callback:
    """Override the hooks that you want; the others cost nothing. Take ``**info``: later versions may tell more.

    ``iteration`` counts the turns of the run's loop, ``trials`` are all trials as they are now, and ``trial`` is the
    one that the hook is about.
    """

    def setup(
        self, stop: object = None, num_samples: int | None = None, total_num_samples: int | None = None, **info: object
    ) -> None:
        """Get ready: called once, before everything else."""

    def on_step_begin(self, iteration: int, trials: Sequence[Trial], **info: object) -> None:
        """A turn of the loop begins."""

    def on_step_end(self, iteration: int, trials: Sequence[Trial], **info: object) -> None:
        """A turn of the loop is over."""

    def on_trial_start(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial began to run."""

    def on_trial_restore(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial goes on from a checkpoint."""

    def on_trial_save(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial saved a checkpoint."""

    def on_trial_result(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, result: dict[str, Any], **info: object
    ) -> None:
        """A trial reported metrics."""

    def on_trial_complete(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial ended, and had not failed."""

    def on_trial_recover(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial failed and will be tried again."""

    def on_trial_error(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial failed for good."""

    def on_checkpoint(
        self,
        iteration: int,
        trials: Sequence[Trial],
        trial: Trial,
        checkpoint: Checkpoint | None,
        **info: object,
    ) -> None:
        """A trial's checkpoint is safely stored."""

    def on_experiment_end(self, trials: Sequence[Trial], **info: object) -> None:
        """The run is over: called once, after everything else."""

    def get_state(self) -> dict[str, Any] | None:
        """Return what a resumed run should give to ``set_state``: plain data, or None."""
        return None

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what ``get_state`` returned; called before ``setup``."""

    def wants(self, hook: str) -> bool:
        """Tell whether this hook is to be called."""
        return overrides(self, hook)

    def to_engine(self, facts: RunFacts) -> list[engine.Callback]:
        """Return what the engine is to call for this callback.

        Args:
            facts: about the run.
        """
        return [Adapter(self, facts)]


class CallbackList(Callback):
    """Several callbacks as one."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = list(callbacks)

    def __len__(self) -> int:
        return len(self._callbacks)

    def __getitem__(self, index: int) -> Callback:
        return self._callbacks[index]

    def to_engine(self, facts: RunFacts) -> list[engine.Callback]:
        """Each is called by itself, in a thread of its own."""
        return to_engine(self._callbacks, facts)


def to_engine(callbacks: Iterable[object], facts: RunFacts) -> list[engine.Callback]:
    """Turn what users give as ``callbacks`` into what the engine takes; its own callbacks are taken as they are.

    Raises:
        TypeError: something that is no callback.
    """
    made: list[engine.Callback] = []
    for callback in callbacks:
        if isinstance(callback, engine.Callback):
            made.append(callback)
        elif isinstance(callback, Callback):
            made += callback.to_engine(facts)
        else:
            raise TypeError(
                f"callbacks must be objects of tune.Callback's kind, not {callback!r}{import_instead(callback)}"
            )
    return made


class Adapter(engine.Callback):
    """Has the engine call a user's callback. It has just the hooks that the callback overrides."""

    def __init__(self, callback: Callback, facts: RunFacts) -> None:
        self._callback = self.wraps = callback
        self._facts = facts
        self._book = TrialBook(facts)
        for hook in engine.HOOKS:
            if hook != "setup" and callback.wants(hook):
                setattr(self, hook, partial(self._call, getattr(callback, hook)))

    def setup(self, **info: object) -> None:
        """Learn where the run is kept, and hand on what the callback takes."""
        directory = info.get("directory")
        if self._facts.directory is None and isinstance(directory, str):
            self._facts.directory = directory
        told = {
            "stop": self._facts.stop,
            "num_samples": self._facts.num_samples,
            "total_num_samples": self._facts.num_samples,
            **info,
        }
        self._callback.setup(**_taken(self._callback.setup, told))

    def _call(self, hook: Callable[..., None], **arguments: Any) -> None:  # noqa: ANN401 - what the hook takes
        trial: Trial | None = None
        if "trial" in arguments:
            trial = arguments["trial"] = self._book.see(arguments["trial"])
        if "result" in arguments and trial is not None:
            arguments["result"] = trial.note(arguments["result"])
        if "checkpoint" in arguments and trial is not None:
            arguments["checkpoint"] = trial.checkpoint
        arguments["trials"] = self._book.all(arguments["trials"])
        hook(**arguments)

    def get_state(self) -> dict[str, Any] | None:
        return self._callback.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        self._callback.set_state(state)


def overrides(callback: Callback, method: str, base: type[Callback] = Callback) -> bool:
    """Tell whether a callback has a method of its own."""
    return getattr(getattr(callback, method), "__func__", None) is not getattr(base, method)


def _taken(function: Callable[..., object], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return those arguments that a function takes: callbacks that were written for an old Ray take fewer."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return arguments
    return {parameter.name: arguments[parameter.name] for parameter in parameters if parameter.name in arguments}
