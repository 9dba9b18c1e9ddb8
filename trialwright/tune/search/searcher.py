"""The searcher as Ray Tune's users know it: it is asked for one trial at a time, and gets results by the trial's id.

A subclass that was written against that interface can be used: the engine asks it through ``Driven``. The searchers of
other libraries have the interface too, for wrappers of the users' own, but the engine asks these directly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from trialwright.results import Result
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.streams import Streams
from trialwright.tune.trial import RunFacts

Names = str | Sequence[str]
HOOKS = ("set_search_properties", "suggest", "on_trial_result", "on_trial_complete", "add_evaluated_point")


class Searcher:
    """Decides what to try next. Subclasses define ``suggest`` and ``on_trial_complete``, and the rest as they like.

    Its results are all metrics that a trial reported, with the automatic ones; for the trials of a ``Repeater``, the
    means of the optimised metrics. It gets them when the next suggestion is requested.

    Args:
        metric: what to optimise, where ``TuneConfig`` does not say so; or several.
        mode: "min" or "max", for each metric.

    Raises:
        ValueError: the mode is neither, or there is not one for each metric.
    """

    FINISHED: ClassVar[str] = "FINISHED"
    rng: Streams | None = None  # of the run that asks
    at_end: Callable[[Result], None] | None = None  # tells of the last trials, where the engine asks this object

    def __init__(self, metric: Names | None = None, mode: Names | None = None) -> None:
        for one in listed(mode):
            if one not in ("min", "max"):
                raise ValueError(f"mode must be 'min' or 'max', not {one!r}")
        if (
            metric
            and mode
            and (len(listed(metric)) != len(listed(mode)) or isinstance(metric, str) != isinstance(mode, str))
        ):
            raise ValueError(f"metric={metric!r} and mode={mode!r} must be two strings, or lists of the same length")
        self._metric = metric
        self._mode = mode

    @property
    def metric(self) -> Any:  # noqa: ANN401 - a string, a list, or None, as it was given
        """What to optimise; None if only ``TuneConfig`` says so."""
        return self._metric

    @property
    def mode(self) -> Any:  # noqa: ANN401 - as above
        """The direction."""
        return self._mode

    def set_search_properties(self, metric: Any, mode: Any, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ANN401
        """Hear what is optimised and over which space, as ``TuneConfig`` and ``param_space`` have it.

        Returns:
            Whether the searcher searches that space. What it does not suggest is drawn from the space in any case.
        """
        return False

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return a configuration for a new trial, or part of one; ``FINISHED`` where there are no more.

        None means "not now": the searcher is asked again once a trial has reported or ended. While no trial runs it is
        asked again at once, a few times; then None means that there are no more.
        """
        raise NotImplementedError

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A trial has reported."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT002 - Ray Tune's order
        """A trial has ended; ``result`` is its last one, None if there is none."""
        raise NotImplementedError

    def add_evaluated_point(
        self,
        parameters: dict[str, Any],
        value: float,
        error: bool = False,  # noqa: FBT002 - Ray Tune's order
        pruned: bool = False,  # noqa: FBT002 - as above
        intermediate_values: list[float] | None = None,
    ) -> None:
        """Learn from a trial that this object did not suggest: from each of those before a resume, for instance."""
        raise NotImplementedError

    def save(self, checkpoint_path: str) -> None:
        """Write what was learnt to a file. Only users call it: a resumed run gives the searcher all results again."""
        raise NotImplementedError

    def restore(self, checkpoint_path: str) -> None:
        """Undo ``save``."""
        raise NotImplementedError

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Hear how many trials may run at a time. Return whether the searcher itself sees to that."""
        return False

    def engine_searcher(self, facts: RunFacts, config: Mapping[str, Any] | None) -> EngineSearcher | None:
        """Return a searcher of the engine that suggests as this object does; None if the engine has to ask this object.

        Args:
            facts: about the run: its metric and mode, and how trials are named.
            config: the space as it was given.
        """
        return None

    def on_experiment_end(self, result: Result) -> None:
        """Hear how the last trials ended: no more are asked for.

        Args:
            result: of the engine's run.
        """
        if self.at_end is not None:
            self.at_end(result)


def overrides(searcher: Searcher, base: type[Searcher]) -> bool:
    """Tell whether a searcher has hooks of its own, besides those of a built-in class."""
    return any(getattr(type(searcher), hook) is not getattr(base, hook) for hook in HOOKS)


def listed(given: Names | None) -> list[str]:
    """Return metrics or modes as a list."""
    return [given] if isinstance(given, str) else list(given or ())


def signs(mode: Names | None) -> list[int]:
    """Return what turns a metric of each mode into a cost, and back."""
    return [-1 if one == "max" else 1 for one in listed(mode)] or [1]
