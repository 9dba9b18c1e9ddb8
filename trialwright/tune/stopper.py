"""Stoppers with Ray Tune's interface, and what the engine's ``stop`` is made of.

They also work as ``Engine(stop=...)``; metrics then have the engine's names.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal

from trialwright.callbacks import TrialInfo
from trialwright.errors import import_instead
from trialwright.messages import EVERY_REPORT, Config, Report
from trialwright.stopping import RunPlateau, Stop, TrialPlateau
from trialwright.tune import names
from trialwright.tune.trial import RunFacts, Trial


class Stopper:
    """A stop rule with a memory: subclass it. Every report waits for its answer."""

    def __call__(self, trial_id: Any, result: dict[str, Any]) -> bool:  # noqa: ANN401 - a string here, a number for the engine
        """Tell whether this result ends its trial."""
        raise NotImplementedError

    def stop_all(self) -> bool:
        """Tell whether the whole run should end."""
        raise NotImplementedError


class NoopStopper(Stopper):
    """Stops nothing."""

    def __call__(self, trial_id: Any, result: dict[str, Any]) -> bool:  # noqa: ANN401 - as the base class
        return False

    def stop_all(self) -> bool:
        return False


class MaximumIterationStopper(NoopStopper):
    """Stops each trial after so many results.

    Args:
        max_iter: how many.
    """

    def __init__(self, max_iter: int) -> None:
        self.max_iter = max_iter
        self._seen: Counter[object] = Counter()

    def __call__(self, trial_id: Any, result: dict[str, Any]) -> bool:  # noqa: ANN401 - as the base class
        self._seen[trial_id] += 1
        return self._seen[trial_id] >= self.max_iter


class FunctionStopper(NoopStopper):
    """Asks a function.

    Args:
        function: called with a trial's id and its result; returns whether this result ends the trial.

    Raises:
        TypeError: it is not such a function.
    """

    def __init__(self, function: Callable[[str, dict[str, Any]], bool]) -> None:
        if not self.is_valid_function(function):
            raise TypeError(f"FunctionStopper takes a function, not {function!r}")
        self.function = function

    def __call__(self, trial_id: Any, result: dict[str, Any]) -> bool:  # noqa: ANN401 - as the base class
        return bool(self.function(trial_id, result))

    @classmethod
    def is_valid_function(cls, fn: object) -> bool:
        """Tell whether it can be called and is no ``Stopper``."""
        return callable(fn) and not isinstance(fn, Stopper | type)


class TrialPlateauStopper(TrialPlateau, Stopper):
    """``trialwright.TrialPlateau``, by Ray Tune's names: stops a trial whose metric has stopped changing.

    ``num_results`` is the window, ``metric_threshold`` the threshold.
    """

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        metric: str,
        std: float = 0.01,
        num_results: int = 4,
        grace_period: int = 4,
        metric_threshold: float | None = None,
        mode: Literal["min", "max"] | None = None,
    ) -> None:
        super().__init__(
            metric, std=std, window=num_results, grace_period=grace_period, threshold=metric_threshold, mode=mode
        )

    def __call__(self, trial_id: object, result: Mapping[str, Any]) -> bool:
        return super().__call__(trial_id, names.Shown(result))


class ExperimentPlateauStopper(RunPlateau, Stopper):
    """``trialwright.RunPlateau``, by Ray Tune's names: ends the run when its best results are nearly equal."""

    def __init__(
        self,
        metric: str,
        std: float = 0.001,
        top: int = 10,
        mode: Literal["min", "max"] = "min",
        patience: int = 0,
    ) -> None:
        for name, value in (("std", std), ("top", top), ("patience", patience)):
            if not isinstance(value, int | float):
                raise ValueError(f"{name} must be a number, not {value!r}")  # noqa: TRY004 - as in Ray Tune
        super().__init__(metric, mode, std=std, top=top, patience=patience)

    def __call__(self, trial_id: object, result: Mapping[str, Any]) -> bool:
        return super().__call__(trial_id, names.Shown(result))


class TimeoutStopper(NoopStopper):
    """Ends the run after some time. In the layer it is the engine's time budget, which needs no reports to be noticed.

    Args:
        timeout: seconds, or a timedelta.

    Raises:
        TypeError: it is neither.
    """

    def __init__(self, timeout: float | timedelta) -> None:
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise TypeError(f"timeout must be a number of seconds or a timedelta, not {timeout!r}")
        self.timeout_s = float(seconds)
        self._began: float | None = None

    def stop_all(self) -> bool:
        """Tell whether the time since this was first asked is over."""
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        return now - self._began >= self.timeout_s

    def __getstate__(self) -> dict[str, Any]:
        """Pickle how long it has run, not when it began: time stands still for a stopper in a file."""
        ran_s = None if self._began is None else time.monotonic() - self._began
        return {"timeout_s": self.timeout_s, "_ran_s": ran_s}

    def __setstate__(self, state: dict[str, Any]) -> None:
        ran_s = state["_ran_s"]
        self.timeout_s, self._began = state["timeout_s"], None if ran_s is None else time.monotonic() - ran_s


class CombinedStopper(Stopper):
    """Several stoppers: any of them stops; all are asked.

    Args:
        stoppers: which.
    """

    def __init__(self, *stoppers: Stopper) -> None:
        self.stoppers = stoppers

    def __call__(self, trial_id: Any, result: dict[str, Any]) -> bool:  # noqa: ANN401 - as the base class
        answers = [stopper(trial_id, result) for stopper in self.stoppers]
        return any(answers)

    def stop_all(self) -> bool:
        answers = [stopper.stop_all() for stopper in self.stoppers]
        return any(answers)


# For the engine -------------------------------------------------------------------------------------------------------


def to_engine(stop: object, facts: RunFacts) -> tuple[Stop, float | None]:
    """Turn what users give as ``stop`` into the engine's stop rule, and seconds that the run may take.

    What the engine can test by itself becomes a threshold, so that no report has to wait.

    Args:
        stop: a dict of metrics and values, a function, a ``Stopper``, a list of these, or None.
        facts: about the run.

    Raises:
        TypeError: it is something else.
    """
    if stop is None:
        return None, None
    if type(stop) is CombinedStopper:
        return to_engine(list(stop.stoppers), facts)
    if isinstance(stop, list | tuple):
        rules = [to_engine(rule, facts) for rule in stop]
        budgets = [seconds for _, seconds in rules if seconds is not None]
        return [rule for rule, _ in rules if rule is not None], min(budgets, default=None)
    if type(stop) is TimeoutStopper:
        return None, stop.timeout_s
    if type(stop) is MaximumIterationStopper:
        return {"step": stop.max_iter}, None
    return _rule(stop, facts), None


def _rule(stop: object, facts: RunFacts) -> Stop:
    if isinstance(stop, Mapping):
        return {names.to_engine(metric): value for metric, value in stop.items()}
    if isinstance(stop, Stopper):
        return Asked(stop, facts)
    if isinstance(stop, type) or not callable(stop):
        hint = import_instead(stop)
        raise TypeError(f"stop must be a dict, a function, a Stopper, or a list of these, not {stop!r}{hint}")
    if hasattr(stop, "stop_all"):
        raise TypeError(
            f"a stopper that has stop_all must be a subclass of tune.Stopper: {stop!r} is none{import_instead(stop)}"
        )
    return Asked(FunctionStopper(stop), facts)


class Asked:
    """A stop rule of the engine that asks a user's stopper, with the ids and the names that users know."""

    boundaries = EVERY_REPORT

    def __init__(self, stopper: Stopper, facts: RunFacts) -> None:
        self._stopper, self._facts = stopper, facts
        self.wraps = stopper
        self._why = f"stop rule {name_of(stopper)}"
        named = getattr(stopper, "_metric", None) or getattr(stopper, "metric", None)
        self.metrics = (names.to_engine(named),) if isinstance(named, str) else ()

    def reason(self, trial: int, report: Report, config: Config) -> str | None:
        """Ask about a report."""
        own, metrics = self._facts.resolve(config), dict(report.metrics)  # to do with as it likes
        info = TrialInfo(trial, own, "running", None, 1, report.step, metrics, "", None, None)
        shown = Trial(self._facts, info)
        return self._why if self._stopper(shown.trial_id, shown.note(metrics)) else None

    def stop_all(self) -> str | None:
        """Ask about the run."""
        return self._why if self._stopper.stop_all() else None


def name_of(stopper: Stopper) -> str:
    """Return what a person would call a stopper: its class's name, or that of the function it asks."""
    asked = stopper.function if isinstance(stopper, FunctionStopper) else type(stopper)
    return str(getattr(asked, "__name__", type(asked).__name__))
