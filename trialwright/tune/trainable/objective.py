"""From a trainable, in whatever form, to the objective that the engine runs.

Functions come in all the forms that Ray Tune has known: ``f(config)``, which reports, returns, or yields;
``f(config, reporter)``; and ``f(config, checkpoint_dir=None)``. A ``Trainable`` class is set up, and then steps and
reports until it is done or stopped.
"""

from __future__ import annotations

import inspect
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from trialwright import reporting
from trialwright.ray_calls import refuse_ray_calls
from trialwright.reporting import Reply
from trialwright.tune import names, registry, session
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.names import DONE, SHOULD_CHECKPOINT
from trialwright.tune.session import Attempt, Saved, serving
from trialwright.tune.trainable.trainable import Trainable
from trialwright.tune.trainable.working_directory import WorkingDirectory

Function = Callable[..., Any]


@dataclass(frozen=True)
class Saving:
    """When a class is to be saved, besides when it asks for it.

    Args:
        every: so many steps; 0: never for that reason.
        at_end: with its last result.
        at_decisions: where it may be paused or cloned.
    """

    every: int = 0
    at_end: bool = False
    at_decisions: bool = False


@dataclass(frozen=True)
class Wishes:
    """How a trainable is to be run.

    Args:
        experiment: what the run is called.
        saving: when a class is to be saved.
        reuse: a class's object may go from trial to trial.
        metric: by the engine's name, what a bare number is that a function returns.
        required: a metric that each report must have.
        exports: the forms in which a class writes its model when a trial ends.
        directory: where it runs.
    """

    experiment: str = "experiment"
    saving: Saving = field(default_factory=Saving)
    reuse: bool = False
    metric: str | None = None
    required: str | None = None
    exports: Sequence[str] = ()
    directory: WorkingDirectory = field(default_factory=WorkingDirectory)


def as_objective(trainable: str | registry.Trainable, wishes: Wishes) -> Callable[[dict[str, Any]], object]:
    """Return what the engine runs for a trainable.

    Args:
        trainable: a function, a subclass of ``Trainable``, or the name of one that is registered.
        wishes: how to run it.

    Raises:
        ValueError: there is none of this name.
        TypeError: it is no trainable, or it reports to Ray's own Tune.
    """
    found = registry.find(trainable)
    name = registry.name_of(trainable)
    attempt = partial(Attempt, wishes.experiment, name, wishes.required)
    if registry.is_class(found):
        loop = ClassLoop(found, wishes.saving, wishes.reuse, wishes.exports)
        return _named(lambda config: _served(loop, config, attempt, wishes.directory), name)
    refuse_ray_calls(found)
    call = FunctionCall(found, wishes.metric)
    if not inspect.iscoroutinefunction(found):
        return _named(lambda config: _served(call, config, attempt, wishes.directory), name)

    async def objective(config: dict[str, Any]) -> object:
        wishes.directory.enter()
        with serving(attempt()):
            return await call.run_async(config)

    return _named(objective, name)


def _served(
    run: Callable[[dict[str, Any]], object],
    config: dict[str, Any],
    attempt: Callable[[], Attempt],
    directory: WorkingDirectory,
) -> object:
    directory.enter()
    with serving(attempt()):
        return run(config)


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = name
    return function


# Functions ------------------------------------------------------------------------------------------------------------


class Reporter:
    """What a function with a second argument is given: ``reporter(mean_accuracy=0.9, checkpoint="weights.h5")``."""

    def __call__(self, metrics: object = None, *, checkpoint: Saved | None = None, **named: object) -> Reply:
        return session.report(metrics, checkpoint=checkpoint, **named)

    @property
    def logdir(self) -> str:
        """The directory of the trial's files."""
        return session.get_trial_dir()

    @property
    def trial_id(self) -> str:
        return session.get_trial_id()

    @property
    def trial_name(self) -> str:
        return session.get_trial_name()


@dataclass(frozen=True)
class FunctionCall:
    """Calls a function as its signature wants it, and reports what it returns or yields.

    Args:
        function: of the config.
        metric: by the engine's name, what a bare number is that it returns; none if there is not just one.
    """

    function: Function
    metric: str | None = None

    def __call__(self, config: dict[str, Any]) -> object:
        """Run one attempt of one trial; return only what the engine is to refuse."""
        return self.conclude(self._call(config))

    async def run_async(self, config: dict[str, Any]) -> object:
        """As ``__call__``, for an ``async def``."""
        return self.conclude(await self._call(config))

    def conclude(self, result: object) -> object:
        """Report what was returned, if it can be."""
        if inspect.isgenerator(result):
            self._iterate(cast("Iterator[object]", result))
            return None
        if isinstance(result, Reply):  # of a lambda that only reports
            return None
        if _is_result(result):
            session.report(self._named(result))
            return None
        return result

    def _iterate(self, results: Iterator[object]) -> None:
        """Report what is yielded. If the trial is stopped there, the generator is closed, so that its ``finally``
        runs."""
        try:
            for result in results:
                if not isinstance(result, Reply):  # `yield tune.report(...)`: it has been reported
                    session.report(self._named(result))
        finally:
            cast("Any", results).close()

    def _named(self, result: object) -> object:
        if self.metric is None or isinstance(result, Mapping):
            return result
        return {names.from_engine(self.metric): result}

    def _call(self, config: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever it returns
        wanted = _wanted(self.function)
        if wanted == "reporter":
            return self.function(config, Reporter())
        if wanted == "checkpoint_dir":
            saved = session.get_checkpoint()
            return self.function(config, checkpoint_dir=saved.path if saved else None)
        return self.function(config)


def _is_result(result: object) -> bool:
    return isinstance(result, Mapping | int | float) or callable(getattr(result, "item", None))


def _wanted(function: Function) -> str | None:
    """Say what a function wants besides the config."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # something built in
        return None
    if "checkpoint_dir" in parameters:
        return "checkpoint_dir"
    positional = [each for each in parameters.values() if each.kind in _POSITIONAL and each.default is each.empty]
    return "reporter" if len(positional) > 1 or "reporter" in parameters else None


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


# Classes --------------------------------------------------------------------------------------------------------------


@dataclass
class ClassLoop:
    """Runs trials of a class. With ``reuse``, an object that can be reset goes from trial to trial of its process."""

    cls: type[Trainable]
    saving: Saving = Saving()
    reuse: bool = False
    exports: Sequence[str] = ()
    idle: list[Trainable] = field(default_factory=list)

    def __call__(self, config: dict[str, Any]) -> None:
        """Run one attempt of one trial."""
        trainable = self._take(config)
        kept = False
        try:
            saved = session.get_checkpoint()
            if saved is not None:
                trainable.restore(saved)
            while not self._step(trainable):
                pass
            self._export(trainable)
            kept = self.reuse
        except reporting.TrialStopped as stop:
            if not stop.continues:  # a model is written at the end of a trial, and not for a pause
                self._export(trainable)
            kept = self.reuse
            raise
        finally:
            if kept:
                self.idle.append(trainable)
            else:
                trainable.stop()

    def _take(self, config: dict[str, Any]) -> Trainable:
        with suppress(IndexError):  # asked for in one step: other threads take from it too
            trainable = self.idle.pop()
            if trainable.reset(dict(config)):
                return trainable
            trainable.stop()
        return self.cls(config)

    def _export(self, trainable: Trainable) -> None:
        if self.exports:
            trainable.export_model(self.exports)

    def _step(self, trainable: Trainable) -> bool:
        """Do one step and report it; tell whether it was the last."""
        result, full = trainable.advance()
        done = bool(full[DONE])
        if done:
            session.mark_last()
        metrics = {name: value for name, value in result.items() if name != DONE}  # it ends by returning
        if self._is_to_be_saved(trainable, metrics, done=done):
            self._report_saved(trainable, metrics)
        else:
            session.report(metrics)
        return done

    def _is_to_be_saved(self, trainable: Trainable, metrics: Mapping[str, Any], *, done: bool) -> bool:
        if type(trainable).save_checkpoint is Trainable.save_checkpoint:
            return False
        saving = self.saving
        if metrics.get(SHOULD_CHECKPOINT) or (saving.every and trainable.iteration % saving.every == 0):
            return True
        if done:
            return saving.at_end
        return (saving.at_end or saving.at_decisions) and reporting.decides(names.escape(metrics))

    def _report_saved(self, trainable: Trainable, metrics: Mapping[str, Any]) -> None:
        """Save and report. The copy that is kept is the engine's; the draft is removed, whatever the verdict is."""
        draft = Path(tempfile.mkdtemp(prefix="saving-", dir=reporting.context().directory))
        try:
            session.report(metrics, checkpoint=Checkpoint(trainable.save(draft).path))
        finally:
            shutil.rmtree(draft, ignore_errors=True)
