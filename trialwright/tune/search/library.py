"""Searchers of other libraries, with the interface of ``Searcher``."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

from trialwright.history import HistoryLog, Values
from trialwright.integrations import Adapter
from trialwright.messages import Config, Outcome, Request
from trialwright.results import Result
from trialwright.searchers import Problem
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.space import Space
from trialwright.storage.place import is_run
from trialwright.streams import Streams
from trialwright.trial_result import TrialResult
from trialwright.tune import names
from trialwright.tune.domains import converted
from trialwright.tune.kept import load
from trialwright.tune.search.searcher import Names, Searcher, listed, overrides, signs
from trialwright.tune.spaces import as_space
from trialwright.tune.trial import RunFacts


class LibrarySearcher(Searcher):
    """A searcher of another library. A subclass names the engine's searcher for it, ``library``, and passes on to
    ``__init__`` what that one takes.

    Args:
        metric: as ``Searcher``.
        mode: as ``Searcher``.
        points_to_evaluate: configurations to try first, whole or in part.
        own_space: a space in the library's own language, which counts instead of ``param_space``.
        rewards: the metric's values of ``points_to_evaluate``, which then need not be tried.
        options: what the engine's searcher takes besides.

    Raises:
        ValueError: there is not one reward for each point.
    """

    library: ClassVar[type[Adapter]]

    def __init__(
        self,
        metric: Names | None,
        mode: Names | None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None,
        own_space: object = None,
        rewards: Sequence[Any] | None = None,
        **options: Any,  # noqa: ANN401 - each library has its own
    ) -> None:
        super().__init__(metric, mode)
        self._points = [dict(point) for point in points_to_evaluate or ()]
        if rewards is not None and len(rewards) != len(self._points):
            raise ValueError(f"there are {len(self._points)} points_to_evaluate and {len(rewards)} rewards")
        self._rewards, self._options = rewards, options
        own = converted(own_space)
        # Not "own or None": a parametrization of Nevergrad's refuses to be asked whether it is true.
        self._own_space = None if isinstance(own, Mapping) and not own else own
        self._config: dict[str, Any] = {}
        self._results: list[tuple[dict[str, Any], Values | None]] = []
        self._log = HistoryLog()
        self._numbers: dict[str, int] = {}
        self._configs: dict[int, Config] = {}
        self._asked: EngineSearcher | None = None  # where users call ``suggest``

    def adapter(self, mode: Names) -> Adapter:
        """Return the engine's searcher for this library."""
        points = tuple(self._points) if self._rewards is None else ()
        adapter = self.library(**self._options, space=self._own_space, points=points)
        pairs = zip(self._points, self._rewards or (), strict=False)
        adapter.earlier = [(point, _costs(reward, mode)) for point, reward in pairs]
        return adapter

    def engine_searcher(self, facts: RunFacts, config: Mapping[str, Any] | None) -> EngineSearcher | None:
        """Return the engine's own searcher for this library, unless a hook is overridden."""
        self._asked, self.at_end = None, None
        self._metric, self._mode = self._metric or facts.metric, self._mode or facts.mode
        return None if overrides(self, LibrarySearcher) else self._library()

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
            self._space, self._streams = as_space(self._config), self.rng or Streams(secrets.randbits(32))
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
        return _costs(values, self._mode)

    # What was learnt, as a file --------------------------------------------------------------------------------------

    def on_experiment_end(self, result: Result) -> None:
        """Note what the run found, so that it can be saved."""
        super().on_experiment_end(result)
        for trial in () if self.at_end else result:
            self._note(trial)

    def _note(self, trial: TrialResult) -> None:
        failed = trial.outcome in ("failed", "lost", "cancelled")
        self._results.append((trial.config, None if failed else self._costs(names.unescape(trial.metrics))))

    def save(self, checkpoint_path: str) -> None:
        """Write the results that are known, as JSON: those that were restored, and those of the runs since.

        Raises:
            TypeError: a configuration holds something that is no plain data.
        """
        Path(checkpoint_path).write_text(json.dumps(self.get_state()), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Know beforehand what is in the file; the searcher itself begins anew.

        Raises:
            ValueError: it is no file of ``save``'s.
        """
        data = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        if not isinstance(data, dict) or "results" not in data:
            raise ValueError(f"{checkpoint_path} holds no results of a searcher")
        self.set_state(data)

    def restore_from_dir(self, checkpoint_dir: str) -> None:
        """Know beforehand what the run in this directory has found; or what ``save_to_dir`` has written there.

        Raises:
            RuntimeError: there is neither.
        """
        if not is_run(Path(checkpoint_dir)):
            super().restore_from_dir(checkpoint_dir)
            return
        records = load(checkpoint_dir)
        self._metric, self._mode = self._metric or records.facts.metric, self._mode or records.facts.mode
        for trial in records.found:
            if trial.outcome is not None:
                self._note(trial)

    def get_state(self) -> dict[str, Any]:
        """Return the results that are known: those that were restored, and those of the runs since."""
        history = self._log.until(len(self._log)).trials
        ended = [(record.config, record.values[-1] if record.values else None) for record in history if record.outcome]
        return {"results": [*self._results, *ended]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Know these results beforehand; the searcher itself begins anew."""
        self._results += [(config, values and tuple(values)) for config, values in state["results"]]


def without_branches(space: Space, why: str) -> Space:
    """Return the space.

    Raises:
        ValueError: a parameter of it is there only for some options of another one.
    """
    branch = next((parameter.path for parameter in space.parameters if parameter.condition is not None), None)
    if branch is not None:
        raise ValueError(f"{branch}: {why}")
    return space


def _costs(given: Any, mode: Names | None) -> Values:  # noqa: ANN401 - a number, or one for each metric
    values = given if isinstance(given, list | tuple) else [given]
    return tuple(sign * float(value) for sign, value in zip(signs(mode), values, strict=True))
