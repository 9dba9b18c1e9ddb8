"""From Ray Tune's settings to a run of the engine: the only place that knows the keywords of both."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import Any, cast

from trialwright.errors import said
from trialwright.executors import Executor
from trialwright.results import Result
from trialwright.searchers.variants import Variants
from trialwright.space import Space
from trialwright.storage.place import find_run
from trialwright.tune import callbacks, names, registry, reporter, resources, rllib, spaces, stopper
from trialwright.tune.callbacks import (
    CSVLoggerCallback,
    JsonLoggerCallback,
    LoggerCallback,
    TBXLoggerCallback,
    together,
)
from trialwright.tune.error import TrialError, rules_as_tune_errors
from trialwright.tune.experiments import check_exports, check_saving
from trialwright.tune.kept import TrialLinks, TuneEngine, link_name, notes_of, told_of
from trialwright.tune.method import Method
from trialwright.tune.records import Records
from trialwright.tune.settings import CheckpointConfig, FailureConfig, ResumeConfig, RunConfig, TuneConfig
from trialwright.tune.trainable.objective import Saving, Wishes, as_objective
from trialwright.tune.trainable.util import RESOURCES, resources_of
from trialwright.tune.trainable.working_directory import WorkingDirectory
from trialwright.tune.trial import RunFacts

_DEFAULTS: dict[str, Any] = {
    "space": None,
    "metric": None,
    "mode": None,
    "num_samples": 1,
    "searcher": Variants(),
    "scheduler": "fifo",
    "resources": None,
    "seed": None,
    "stop": None,
    "max_concurrent_trials": None,
    "time_budget_s": None,
    "max_failures": 0,
    "fail_fast": False,
    "keep_checkpoints": None,
    "checkpoint_score": None,
    "points_to_evaluate": (),
}


@dataclass
class Job:
    """One run: what is tuned, over which space, and how.

    Args:
        trainable: a function, a ``Trainable``, or the name of one.
        space: what may vary; None: nothing, or that of the resumed run.
        tune: how to search.
        run: where it is kept, and the like.
    """

    trainable: str | registry.Trainable
    space: Mapping[str, Any] | Space | None = None
    tune: TuneConfig = field(default_factory=TuneConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        found = registry.find(self.trainable)
        if registry.is_class(found) and issubclass(found, rllib.Algorithm):
            self.space = rllib.modernised(self.space, [*_listed(self.tune.metric), *_listed(self.run.stop)])

    def start(self) -> Records:
        """Run to the end.

        Raises:
            ValueError, TypeError: something given makes no sense; nothing was started.
            TrialError: a trial failed, and ``fail_fast="raise"``.
        """
        keywords = {name: value for name, value in self.keywords().items() if value is not None}
        objective = self._objective(self._link, self._checkpoints, _alone(keywords.get("metric")))
        keywords |= {"storage": self.run.storage, "name": self._name, "link": self._link, "notes": self._notes}
        return self._finish(TuneEngine(objective, **keywords))

    def resume(self, directory: Path, again: ResumeConfig) -> Records:
        """Go on with the run in this directory, as the same run. What is not given is as it was.

        Args:
            directory: the run's.
            again: which trials are tried again.

        Raises:
            ValueError: there is no run; or something is missing that is no data; or differs from the run's.
            TrialError: a trial failed, and ``fail_fast="raise"``.
        """
        directory = find_run(directory.resolve())
        told = told_of(directory)
        notes = notes_of(directory, told)
        self._remember(told)
        checkpoints = CheckpointConfig(**notes.get("checkpoint_config", {}))
        objective = self._objective(str(notes.get("experiment")), checkpoints, _alone(told.get("metric")))
        given = {name: value for name, value in self.keywords().items() if value != _DEFAULTS.get(name, _NOTHING)}
        if self.run.stop is None:
            given.pop("stop")
        if self.space is None:
            given.pop("space")
        if self.run.executor == RunConfig().executor:
            given.pop("executor", None)
        return self._finish(TuneEngine.resume(directory, objective, retry_failed=again.retry_failed, **given))

    def check_notes(self, directory: Path) -> None:
        """Compare what is given with what was noted when a run began.

        Raises:
            ValueError: it had a trainable of another name, or other parameters.
        """
        notes = notes_of(directory, told_of(directory))
        earlier, name = notes.get("trainable"), registry.name_of(self.trainable)
        if earlier not in (None, name):
            raise ValueError(
                f"this run's trainable is called {earlier!r}, not {name!r}: its code may be another, but not its name"
            )
        if self.space is None or "parameters" not in notes:
            return
        differing = set(notes["parameters"]) ^ set(spaces.paths(spaces.as_space(self.space)))
        if differing:
            raise ValueError(f"param_space differs from the run's in these parameters: {', '.join(sorted(differing))}")

    def keywords(self) -> dict[str, Any]:
        """Return the engine's keywords, but for the objective and where the run is kept."""
        run = self.run
        stop, limit_s = stopper.to_engine(_stop(run.stop), self.facts)
        budget_s = min(filter(None, (self.tune.budget_s, limit_s)), default=None)
        failures = cast(FailureConfig, run.failure_config)
        return {
            **self.method.keywords(self.facts),
            "resources": self._resources,
            "executor": self._executor,
            "stop": stop,
            "callbacks": self._callbacks,
            "time_budget_s": budget_s,
            "max_failures": failures.max_failures,
            "fail_fast": bool(failures.fail_fast),
            "keep_checkpoints": self._checkpoints.num_to_keep,
            "checkpoint_score": self._checkpoint_score,
            "verbose": 1 if run.verbose is None else int(run.verbose),
            "progress": self._reporting,
        }

    # Parts of an Engine ------------------------------------------------------------------------------------------

    @cached_property
    def method(self) -> Method:
        """How to search."""
        return Method(self.tune, self.space)

    @cached_property
    def facts(self) -> RunFacts:
        """What all trials of the run have in common."""
        metrics, modes = self.method.metrics, self.method.modes
        return RunFacts(
            name=registry.name_of(self.trainable),
            varied=spaces.varied(self.method.space),
            metric=metrics[0] if metrics else None,
            mode=modes[0] if modes else None,
            num_samples=self.tune.num_samples,
            stop=self.run.stop,
            trial_name_creator=self.tune.trial_name_creator,
            max_failures=cast(FailureConfig, self.run.failure_config).max_failures,
            needs=partial(resources.factory, self._wanted),
            resolve=self.method.space.resolve,
        )

    @property
    def _checkpoints(self) -> CheckpointConfig:
        return cast(CheckpointConfig, self.run.checkpoint_config)

    @cached_property
    def _resources(self) -> dict[str, float] | Callable[[dict[str, Any]], dict[str, float]] | None:
        given, own = self.tune.resources_per_trial, resources_of(registry.find(self.trainable))
        if given is not None:
            if hasattr(registry.find(self.trainable), RESOURCES):
                raise ValueError("resources_per_trial: the trainable says by with_resources() what it needs")
            return resources.to_engine(given)
        if own is None:
            return None
        if callable(own) and not isinstance(own, resources.PlacementGroupFactory):
            return lambda config: resources.to_engine(resources.factory(own, config))
        return resources.to_engine(own)

    @property
    def _wanted(self) -> object:
        """What a trial asks for, as it was given."""
        return self.tune.resources_per_trial or resources_of(registry.find(self.trainable))

    @property
    def _executor(self) -> str | Executor:
        """On Ray classes get a process each, unless they are to be reused: what they leave behind cannot be known."""
        given, reuse = self.run.executor, self.tune.reuse_actors
        children = resources.children(self._wanted)
        known = reuse or registry.is_class(registry.find(self.trainable))
        if given != "ray" or not (known or children):
            return given
        from trialwright.executors.on_ray import OnRay

        return OnRay(reuse_workers=reuse if known else None, children=children)

    @property
    def _callbacks(self) -> list[Any]:
        """What the user gave, the loggers that everybody has, and the reporter."""
        dirname = self.tune.trial_dirname_creator
        linking = [] if dirname is None else [TrialLinks(dirname)]
        told = callbacks.to_engine(
            [*(self.run.callbacks or ()), *linking, *_default_loggers(self.run.callbacks or ())], self.facts
        )
        return [*together(told), *([self._reporting] if self._reporting else [])]

    @cached_property
    def _reporting(self) -> reporter.Reporting | None:
        """The user's reporter: it gets trials as a callback, and the rest as a progress display."""
        given = self.run.progress_reporter
        return None if given is None else reporter.to_engine(given, self.facts)

    @property
    def _name(self) -> str:
        return self.run.name or registry.name_of(self.trainable)

    @cached_property
    def _link(self) -> str:
        """The name by which people find the run. One that is made here is not that of another run."""
        if self.run.name:
            return link_name(self.run.name)
        stamp = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
        name = link_name(f"{registry.name_of(self.trainable)}_{stamp}")
        free = (name if each == 1 else f"{name}-{each}" for each in count(1))
        return next(each for each in free if not os.path.lexists(self.run.storage / each))

    @property
    def _notes(self) -> dict[str, Any]:
        """What going on with the run needs, besides what the engine keeps."""
        checkpoints = vars(self._checkpoints)
        return {
            "trainable": self.facts.name,
            "experiment": self._link,
            "checkpoint_config": checkpoints,
            "parameters": spaces.paths(spaces.as_space(self.space)),
        }

    def _objective(
        self, experiment: str, checkpoints: CheckpointConfig, metric: str | None
    ) -> Callable[[dict[str, Any]], object]:
        check_saving(checkpoints, self.trainable)
        check_exports(self.run.export_formats, self.trainable)
        every, at_end = checkpoints.checkpoint_frequency, bool(checkpoints.checkpoint_at_end)
        saving = Saving(every, at_end, at_decisions=self.method.decides)
        exports = tuple(self.run.export_formats or ())
        directory = WorkingDirectory(is_own=self.tune.changes_directory)
        wishes = Wishes(experiment, saving, self.tune.reuse_actors, metric, self._required, exports, directory)
        return as_objective(self.trainable, wishes)

    @property
    def _required(self) -> str | None:
        """The metric that each report must have: one without a mode, which the engine is not told of."""
        loose = self.method.modes or os.environ.get("TUNE_DISABLE_STRICT_METRIC_CHECKING") == "1"
        return None if loose or not self.method.metrics else self.method.metrics[0]

    @property
    def _checkpoint_score(self) -> tuple[str, str] | None:
        by, order = self._checkpoints.checkpoint_score_attribute, self._checkpoints.checkpoint_score_order
        return None if by is None or self._checkpoints.num_to_keep is None else (names.to_engine(by), order or "max")

    def _remember(self, told: Mapping[str, Any]) -> None:
        """Take over from the journal what results are read by, where it is not given."""
        if self.space is None and "space" in told:
            self.method.given = Space.from_plain(told["space"])  # its searcher asks for it too
        if not self.method.metrics and told.get("metric"):
            self.facts.metric, self.facts.mode = names.from_engine(told["metric"][0]), told["mode"][0]

    def _finish(self, engine: TuneEngine) -> Records:
        engine.facts, engine.trainable = self.facts, self.trainable
        with rules_as_tune_errors():
            result = engine.run()
        self._tell_searcher(result)
        records = Records(result.trials, self.facts, result.path)
        failed = result.errors
        if cast(FailureConfig, self.run.failure_config).fail_fast == "raise" and failed:
            raise TrialError(failed[0].error, failed[0].traceback)
        return records

    def _tell_searcher(self, result: Result) -> None:
        """Tell a searcher of the user's how the last trials ended. No result is lost if that fails."""
        hear = getattr(self.method.searcher, "on_experiment_end", None)
        try:
            if hear is not None:
                hear(result)
        except Exception as error:
            name = type(self.method.searcher).__name__
            warnings.warn(f"{name} could not take the results of the last trials: {said(error)}", stacklevel=2)


def _stop(given: object) -> object:
    """Return a stop rule with flat names; what reports ``done`` is done."""
    done = {names.DONE: 1}
    if given is None:
        return done
    if isinstance(given, Mapping):
        flat = names.flatten(given).items()
        return {**done, **{name: int(value) if isinstance(value, bool) else value for name, value in flat}}
    return [given, done]


def _default_loggers(given: Sequence[object]) -> list[LoggerCallback]:
    """Return the loggers of every run, besides those of a kind that is given; none if an environment variable of Ray
    Tune's says so."""
    if os.environ.get("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS") == "1":
        return []
    installed = importlib.util.find_spec("tensorboardX") is not None
    kinds = (CSVLoggerCallback, JsonLoggerCallback, *([TBXLoggerCallback] if installed else []))
    return [kind() for kind in kinds if not any(isinstance(each, kind) for each in given)]


def _listed(given: object) -> list[str]:
    """Return the names of metrics in what is given: one, several, or the keys of a dict."""
    if isinstance(given, str):
        return [given]
    return [*given] if isinstance(given, Sequence | Mapping) else []


def _alone(metrics: list[str] | None) -> str | None:
    """Return the run's metric, if it has just one: what a bare number is that a function returns."""
    return metrics[0] if metrics and len(metrics) == 1 else None


_NOTHING = object()
