"""The searcher as Ray Tune's users know it: asked for one trial at a time, told of each by its id.

Whoever has written a subclass against that interface can use it: the engine asks it through ``Driven``. The searchers
of other libraries have the interface too, for wrappers of the users' own, but the engine asks these directly.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from trialwright.history import HistoryLog, Values
from trialwright.integrations import Adapter
from trialwright.messages import Config, Outcome, Request
from trialwright.results import Result
from trialwright.searchers import Problem
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.space import Space
from trialwright.streams import Streams
from trialwright.tune import names
from trialwright.tune.trial import RunFacts

if TYPE_CHECKING:
    from trialwright.tune.search.driven import Driven

Names = str | Sequence[str]
HOOKS = ("set_search_properties", "suggest", "on_trial_result", "on_trial_complete", "add_evaluated_point")


class Searcher:
    """Decides what to try next. Subclasses define ``suggest`` and ``on_trial_complete``, and the rest as they like.

    What is told of a trial is all that it reported, with the automatic metrics; of the trials of a ``Repeater``, the
    means of what is optimised. It is told when the next suggestion is wanted.

    Args:
        metric: what to optimise, where ``TuneConfig`` does not say so; or several.
        mode: "min" or "max", for each metric.

    Raises:
        ValueError: the mode is neither, or there is not one for each metric.
    """

    FINISHED: ClassVar[str] = "FINISHED"
    rng: Streams | None = None  # of the run that asks
    _driven: Driven | None = None

    def __init__(self, metric: Names | None = None, mode: Names | None = None) -> None:
        for one in listed(mode):
            if one not in ("min", "max"):
                raise ValueError(f"mode must be 'min' or 'max', not {one!r}")
        if (
            metric
            and mode
            and (len(listed(metric)) != len(listed(mode)) or isinstance(metric, str) != isinstance(mode, str))
        ):
            raise ValueError(f"metric={metric!r} and mode={mode!r} must be two texts, or lists of the same length")
        self._metric = metric
        self._mode = mode

    @property
    def metric(self) -> Any:  # noqa: ANN401 - a text, a list, or None, as it was given
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
        """Write what was learnt to a file. Nobody calls it but users: a resumed run tells everything again."""
        raise NotImplementedError

    def restore(self, checkpoint_path: str) -> None:
        """Undo ``save``."""
        raise NotImplementedError

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Hear how many trials may run at a time. Return whether the searcher itself sees to that."""
        return False

    def to_engine(self, facts: RunFacts | None = None, config: Mapping[str, Any] | None = None) -> EngineSearcher:
        """Return a searcher for the engine: one that asks this object.

        Args:
            facts: about the run: its metric and mode, and how trials are named.
            config: the space as it was given, for ``set_search_properties``.
        """
        from trialwright.tune.search.driven import Driven  # it knows this class

        facts = facts or RunFacts()
        metric, mode = self.metric or facts.metric, self.mode or facts.mode
        if config is not None:
            self.set_search_properties(metric, mode, dict(config))
        self._driven = Driven(self, listed(metric), listed(mode), facts)
        return self._driven

    def on_experiment_end(self, result: Result) -> None:
        """Hear how the last trials ended: nobody asks for more.

        Args:
            result: of the engine's run.
        """
        if self._driven is not None:
            self._driven.finish(result)


def overrides(searcher: Searcher, base: type[Searcher]) -> bool:
    """Tell whether a searcher has hooks of its own, besides those of a built-in class."""
    return any(getattr(type(searcher), hook) is not getattr(base, hook) for hook in HOOKS)


def listed(given: Names | None) -> list[str]:
    """Return metrics or modes as a list."""
    return [given] if isinstance(given, str) else list(given or ())


def signs(mode: Names | None) -> list[int]:
    """Return what turns a metric of each mode into a cost, and back."""
    return [-1 if one == "max" else 1 for one in listed(mode)] or [1]


class LibrarySearcher(Searcher):
    """A searcher of another library. Subclasses say which, in ``adapter``.

    Args:
        metric: as ``Searcher``.
        mode: as ``Searcher``.
        points_to_evaluate: configurations to try first, whole or in part.
        own_space: a space in the library's own language, which counts instead of ``param_space``.
    """

    def __init__(
        self,
        metric: Names | None,
        mode: Names | None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None,
        own_space: object = None,
    ) -> None:
        super().__init__(metric, mode)
        self._points = [dict(point) for point in points_to_evaluate or ()]
        self._own_space = own_space or None
        self._config: dict[str, Any] = {}
        self._results: list[tuple[dict[str, Any], Values | None]] = []
        self._log = HistoryLog()
        self._numbers: dict[str, int] = {}
        self._configs: dict[int, Config] = {}
        self._asked: EngineSearcher | None = None  # where users call ``suggest``

    def adapter(self, mode: Names) -> Adapter:
        """Return the engine's searcher for this library."""
        raise NotImplementedError

    def to_engine(self, facts: RunFacts | None = None, config: Mapping[str, Any] | None = None) -> EngineSearcher:
        """Return the engine's own searcher for this library; where a hook is overridden, one that asks this object."""
        self._asked, self._driven = None, None
        if facts is not None:
            self._metric, self._mode = self._metric or facts.metric, self._mode or facts.mode
        return super().to_engine(facts, config) if overrides(self, LibrarySearcher) else self._library()

    def _library(self) -> EngineSearcher:
        adapter = self.adapter(self._mode or "min")
        adapter.earlier = [*adapter.earlier, *self._results]
        return adapter

    def set_search_properties(self, metric: Any, mode: Any, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ANN401
        """Take what the run optimises; its space too, unless the searcher has one of its own."""
        self._metric, self._mode = self._metric or metric, self._mode or mode
        self._config = dict(config) if self._own_space is None else {}
        return self._own_space is None

    # For wrappers that users write -----------------------------------------------------------------------------------

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return a configuration, or ``FINISHED``."""
        asked, number = self._begun(), self._numbers.setdefault(trial_id, len(self._numbers))
        history, request = self._log.until(len(self._log)), Request(number, sample=number)
        answers = asked.suggest(history, [request], self._streams)
        if not answers:
            return self.FINISHED
        if answers[0] is None:
            return None
        self._configs[number] = answers[0].config
        self._log.born(number, answers[0].config, answers[0].tags)
        return self._space.resolve(answers[0].config)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT002 - as above
        self._begun()
        known, config = trial_id in self._numbers, (result or {}).get("config")
        number = self._numbers.setdefault(trial_id, len(self._numbers))
        if config is not None:
            self._correct(number, dict(config))
        elif not known:
            return  # a subclass has suggested it, and it failed: what it was is not known here
        self._end(number, None if error or not result else self._costs(result))

    def add_evaluated_point(
        self,
        parameters: dict[str, Any],
        value: Any,  # noqa: ANN401 - a number, or one for each metric
        error: bool = False,  # noqa: FBT002 - Ray Tune's order
        pruned: bool = False,  # noqa: FBT002 - as above
        intermediate_values: list[float] | None = None,
    ) -> None:
        self._begun()
        number = self._numbers.setdefault(f"point {len(self._numbers)}", len(self._numbers))
        self._correct(number, parameters)
        values = value if isinstance(value, list | tuple) else [value]
        self._end(number, None if error else self._costs(dict(zip(listed(self._metric), values, strict=True))))

    def _begun(self) -> EngineSearcher:
        if self._asked is None:
            self._space, self._streams = Space(self._config), self.rng or Streams(secrets.randbits(32))
            self._log, self._numbers, self._configs = HistoryLog(), {}, {}
            self._asked = self._library()
            self._asked.setup(Problem(self._space, max(len(listed(self._metric)), 1)))
        return self._asked

    def _correct(self, number: int, config: dict[str, Any]) -> None:
        """Note what was really tried: a subclass may have suggested something else."""
        plain = cast(Config, self._space.plain(config))
        if self._configs.get(number) != plain:
            self._configs[number] = plain
            self._log.born(number, plain, {})

    def _end(self, number: int, costs: Values | None) -> None:
        if costs is not None:
            self._log.seen(number, 1, [costs])
        self._log.ended(number, Outcome("failed" if costs is None else "completed"))

    def _costs(self, result: Mapping[str, Any]) -> Values | None:
        """Return the costs in a result; None where it lacks one."""
        values = [names.found(dict(result), metric) for metric in listed(self._metric)]
        if not values or not all(isinstance(value, int | float) for value in values):
            return None
        return tuple(sign * float(cast(float, value)) for sign, value in zip(signs(self._mode), values, strict=True))

    # What was learnt, as a file --------------------------------------------------------------------------------------

    def on_experiment_end(self, result: Result) -> None:
        """Note what the run found, so that it can be saved."""
        super().on_experiment_end(result)
        for trial in () if self._driven else result:
            failed = trial.outcome in ("failed", "lost", "cancelled")
            self._results.append((trial.config, None if failed else self._costs(names.unescape(trial.metrics))))

    def save(self, checkpoint_path: str) -> None:
        """Write the results that are known, as JSON: those that were restored, and those of the runs since.

        Raises:
            TypeError: a configuration holds something that is no plain data.
        """
        history = self._log.until(len(self._log)).trials
        ended = [(record.config, record.values[-1] if record.values else None) for record in history if record.outcome]
        Path(checkpoint_path).write_text(json.dumps({"results": [*self._results, *ended]}), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Know beforehand what is in the file; the searcher itself begins anew.

        Raises:
            ValueError: it is no file of ``save``'s.
        """
        data = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        if not isinstance(data, dict) or "results" not in data:
            raise ValueError(f"{checkpoint_path} holds no results of a searcher")
        self._results += [(config, values and tuple(values)) for config, values in data["results"]]
