"""Functions as objectives, in all the forms that Ray Tune has known: ``f(config)``, which reports, returns, or yields;
``f(config, reporter)``; and ``f(config, checkpoint_dir=None)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from trialwright.reporting import Reply
from trialwright.tune import names, session
from trialwright.tune.session import Saved

Function = Callable[..., Any]


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
