"""From an Engine's keywords to the arguments of a run. All problems are reported together, before anything starts."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar, cast

from trialwright.callbacks import Callback
from trialwright.codec import read_plain, to_plain
from trialwright.core.plan import Mode, Plan
from trialwright.core.scores import number, standard_errors, violations
from trialwright.engine import catalogue
from trialwright.engine.arguments import (
    Arguments,
    Default,
    Earlier,
    Needs,
    as_number,
    as_pairs,
    as_space,
    number_problem,
    outcome_constraints,
    planner,
    samples_of,
)
from trialwright.engine.choosing import AUTO, Facts, choose
from trialwright.errors import guess, import_instead, refuse
from trialwright.executors import Executor, Simulated, Workload
from trialwright.messages import Boundary, Config, Plain
from trialwright.progress import Progress
from trialwright.ray_calls import refuse_ray_calls
from trialwright.resources import to_units
from trialwright.schedulers import FIFO, Scheduler
from trialwright.searchers import Problem, Searcher
from trialwright.space import Space
from trialwright.space.values import fresh
from trialwright.stopping import AnyOf, Stop, StopRule, Thresholds, stop_rule
from trialwright.storage.place import can_be_named, home
from trialwright.streams import Streams

T = TypeVar("T")

NEEDS_DRAWS = 32
PREFETCH = 64  # suggestions that ignore results are made so many ahead: they cost little and never keep a slot waiting


def check(keywords: Mapping[str, object]) -> Arguments:
    """Turn an Engine's keywords into the arguments of a run.

    Raises:
        ValueError: something is wrong; the message lists all problems.
    """
    return _Check(keywords).arguments()


class _Check:
    """Turns keywords into the parts of a run, and collects all problems with them."""

    def __init__(self, keywords: Mapping[str, object]) -> None:
        numbers = {name: as_number(keywords[name]) for name, _, _ in _NUMBERS if name in keywords}
        self.given = {**keywords, **numbers}
        self.problems: list[str] = []

    def arguments(self) -> Arguments:
        given = self.given
        objective = given["objective"]
        if not callable(objective) and not isinstance(objective, Workload):
            self.problems.append(f"objective must be callable, not {objective!r}")
        refuse_ray_calls(objective)
        # Each part is tried even if another one is wrong, so that the user sees all problems at once.
        space = self._try(lambda: as_space(given["space"]))
        rule: StopRule | None = self._try(lambda: stop_rule(cast(Stop, given["stop"])))
        scheduler, why = self._try(lambda: self._scheduler(objective, rule, space)) or (FIFO(), "")
        searcher = self._try(
            lambda: catalogue.searcher(cast("str | Searcher", given["searcher"]), scheduler, given["scheduler"])
        )
        executor = self._try(lambda: _executor(given["executor"], objective))
        goals = self._try(lambda: outcome_constraints(given["outcome_constraints"])) or ()
        points = self._points(space) if space else ()
        sweep = self._try(lambda: searcher.setup(self._problem(space, goals, points))) if searcher and space else None
        earlier = self._earlier(space, goals) if space else ()
        ready = None if sweep is None else searcher  # one whose setup failed cannot tell whether it learns, or its plan
        samples = samples_of(cast(int, given["num_samples"]), sweep or 1, ready, len(points))
        plan = self._plan(scheduler, ready, samples, goals, space)
        storage = self._try(self._storage)
        link, notes = self._try(self._link), self._try(self._notes) or {}
        page = self._try(self._page) or False
        callbacks = self._try(self._callbacks) or ()
        progress = self._try(self._progress)
        if space is not None and space.has_constraints:
            self._try(lambda: space.sample(1, Streams(0)("possible")))  # impossible constraints never come true later
        refuse(self.problems, "the run cannot start")
        assert space is not None, "refused above"
        assert searcher is not None, "refused above"
        assert rule is not None, "refused above"
        assert executor is not None, "refused above"
        # A trial that reports stops by itself at its first report after this time; ``Limits`` ends one that does not.
        if plan.trial_timeout_s is not None:
            rule = AnyOf((rule, Thresholds((Boundary("time_s", ">=", plan.trial_timeout_s),))))
        name = cast("str | None", given["name"]) or _name(objective)
        verbose = cast(int, given["verbose"])
        return Arguments(
            objective,
            space,
            plan,
            scheduler,
            searcher,
            rule,
            executor,
            points if planner(searcher) is None else (),
            earlier,
            callbacks,
            storage,
            name,
            verbose,
            sweep or 1,
            progress,
            cast(Needs, given["resources"]) if callable(given["resources"]) else None,
            link,
            notes,
            page=page,
            why_scheduler=why,
        )

    def _try(self, make: Callable[[], T]) -> T | None:
        """Make a part; if that fails, note why and return None."""
        try:
            return make()
        except (ValueError, TypeError) as error:
            self.problems.append(str(error))
            return None

    def _scheduler(self, objective: object, rule: StopRule | None, space: Space | None) -> tuple[Scheduler, str]:
        """Return the scheduler, and why the engine chose it if the user left the choice to it."""
        given = self.given
        if given["scheduler"] != AUTO:
            return catalogue.scheduler(cast("str | Scheduler", given["scheduler"])), ""
        samples, slots = cast(int, given["num_samples"]), cast("int | None", given["max_concurrent_trials"])
        planned = math.inf if samples == -1 else samples * (space.grid_size if space else 1)
        until, objectives = (rule.boundaries if rule else ()), len(_listed(given["metric"]))
        return choose(Facts.of(objective, until, objectives, planned, slots))

    def _points(self, space: Space) -> tuple[Config, ...]:
        given = self.given["points_to_evaluate"]
        if not isinstance(given, Sequence) or isinstance(given, str):
            self.problems.append(f"points_to_evaluate must be a list of configs, not {given!r}")
            return ()
        for index, point in enumerate(given):
            problems = space.validate(point, partial=True)
            self.problems += [f"points_to_evaluate[{index}]: {text}" for text in problems]
            if space.has_constraints and not problems:  # what can be completed now can be completed later
                self._try(lambda point=point: space.complete(point, Streams(0)("possible")))  # type: ignore[misc]
        return fresh(tuple(given))

    def _problem(self, space: Space, goals: tuple[Boundary, ...], points: tuple[Config, ...]) -> Problem:
        given = self.given
        samples = given["num_samples"]
        return Problem(
            space,
            objectives=len(_listed(given["metric"])),
            constraints=len(goals),
            num_samples=None if samples == -1 else cast(int, samples),
            parallelism=cast("int | None", given["max_concurrent_trials"]) or 1,
            points=points,
        )

    def _earlier(self, space: Space, goals: tuple[Boundary, ...]) -> tuple[Earlier, ...]:
        """Read the user's earlier results: each becomes a trial before the first."""
        given = self._try(lambda: as_pairs(self.given["earlier"]))
        metrics = _listed(self.given["metric"])
        # One mode stands for all metrics; too many or too few are refused with the plan.
        signs = [-1.0 if mode == "max" else 1.0 for mode in _listed(self.given["mode"])] * len(metrics)
        found = []
        for index, (config, row) in enumerate(given or ()):
            self.problems += [f"earlier[{index}]: {text}" for text in space.validate(config)]
            costs = [sign * number(row.get(metric)) for sign, metric in zip(signs, metrics, strict=False)]
            values = (*costs, *violations(goals, row))
            found.append(Earlier(cast(Config, config), values, standard_errors(metrics, row)))
        return tuple(found)

    def _plan(
        self,
        scheduler: Scheduler,
        searcher: Searcher | None,
        samples: int | None,
        goals: tuple[Boundary, ...],
        space: Space | None,
    ) -> Plan:
        given = self.given
        metrics = _listed(given["metric"])
        modes = cast("tuple[Mode, ...]", _listed(given["mode"]))
        if len(modes) == 1:
            modes *= max(len(metrics), 1)
        self._check_metrics(metrics, modes, scheduler)
        self._check_numbers()
        seed = cast("int | None", given["seed"])
        prefetch = cast("int | None", given["prefetch"])
        return Plan(
            metrics=metrics,
            modes=modes[: len(metrics)],
            outcome_constraints=goals,
            samples=samples,
            resources=self._try(lambda: self._resources(space)),
            max_concurrent_trials=cast("int | None", given["max_concurrent_trials"]),
            time_budget_s=cast("float | None", given["time_budget_s"]),
            trial_timeout_s=cast("float | None", given["trial_timeout_s"]),
            max_failures=cast(int, given["max_failures"]),
            fail_fast=bool(given["fail_fast"]),
            prefetch=(0 if searcher is None or searcher.learns else PREFETCH) if prefetch is None else prefetch,
            keep_checkpoints=cast("int | None", given["keep_checkpoints"]),
            checkpoint_score=self._try(self._checkpoint_score),
            seed=secrets.randbits(32) if seed is None else seed,
        )

    def _resources(self, space: Space | None) -> dict[str, float] | None:
        """Return what every trial needs; None where a function of the config tells: it is tried on some random
        configs."""
        wanted = self.given["resources"]
        if not callable(wanted):
            return self._some({"cpu": 1.0} if wanted is None else cast("Mapping[str, float]", wanted))
        for config in space.sample(NEEDS_DRAWS, Streams(0)("resources")) if space is not None else ():
            self._some(cast(Needs, wanted)(config))  # a mistake in it shows now, and not in the first trial
        return None

    def _some(self, resources: Mapping[str, float]) -> dict[str, float]:
        """Return the resources.

        Raises:
            ValueError: there are none, and nothing else limits how many trials run at a time.
        """
        if not to_units(resources) and self.given["max_concurrent_trials"] is None:
            raise ValueError(
                f"resources={dict(resources)!r} asks for nothing: then max_concurrent_trials must limit how many "
                "trials run at a time"
            )
        return dict(resources)

    def _check_metrics(self, metrics: tuple[str, ...], modes: tuple[Mode, ...], scheduler: Scheduler) -> None:
        if not metrics and getattr(scheduler, "compares", True):
            self.problems.append(f"scheduler {type(scheduler).__name__} compares trials: it needs a metric")
        if metrics and len(modes) != len(metrics):
            self.problems.append(f"mode={modes!r} and metric={metrics!r} have different lengths")
        for mode in modes:
            if mode not in ("min", "max"):
                self.problems.append(f"mode must be 'min' or 'max', not {mode!r}{guess(mode, ('min', 'max'))}")
        for metric in metrics:
            if not metric or not isinstance(metric, str):  # a caller may not know types
                self.problems.append(f"metric must be a name, not {metric!r}")

    def _checkpoint_score(self) -> tuple[str, Mode] | None:
        given = self.given["checkpoint_score"]
        if given is None:
            return None
        if not isinstance(given, Sequence) or len(given) != 2 or given[1] not in ("min", "max"):
            raise ValueError(f"checkpoint_score must be a metric and 'min' or 'max', not {given!r}")
        if self.given["keep_checkpoints"] is None:
            raise ValueError("checkpoint_score chooses which checkpoints to keep: keep_checkpoints must say how many")
        return str(given[0]), cast(Mode, given[1])

    def _check_numbers(self) -> None:
        for name, lowest, whole in _NUMBERS:
            value = self.given[name]
            if value is None and name not in ("num_samples", "max_failures", "verbose"):
                continue
            problem = number_problem(name, value, lowest, whole=whole)
            self.problems += [] if problem is None else [problem]

    def _callbacks(self) -> tuple[Callback, ...]:
        given = self.given["callbacks"]
        if not isinstance(given, Sequence) or not all(isinstance(item, Callback) for item in given):
            hint = "".join(map(import_instead, given)) if isinstance(given, list | tuple) else ""
            raise TypeError(f"callbacks must be a list of trialwright.Callback objects, not {given!r}{hint}")
        if self.given["storage"] is None and (lacking := [item for item in given if item.needs_storage]):
            name = type(lacking[0]).__name__
            raise ValueError(f"{name} reads the journal, and storage=None keeps none; give a directory: storage='runs'")
        return tuple(given)

    def _progress(self) -> Progress | None:
        given = self.given["progress"]
        if given is not None and not all(callable(getattr(given, method, None)) for method in ("update", "close")):
            raise TypeError(f"progress must be an object with update and close, not {given!r}{import_instead(given)}")
        return cast("Progress | None", given)

    def _storage(self) -> Path | None:
        given = self.given["storage"]
        if given is None:
            return None
        path = home() if given is Default.STORAGE else Path(cast(str, given))
        path = path.expanduser().absolute()  # absolute: the objective may change the working directory
        if path.exists() and not path.is_dir():
            raise ValueError(
                f"storage={str(given)!r} is a file; it must be a directory, or a path that does not exist yet"
            )
        return path

    def _link(self) -> str | None:
        given = self.given["link"]
        if given is None:
            return None
        if not isinstance(given, str) or not can_be_named(given):
            raise ValueError(f"link must be a name that a file can have, without '/' and a leading '.', not {given!r}")
        if self.given["storage"] is None:
            raise ValueError(f"link={given!r} needs a storage: with storage=None nothing is kept")
        return given

    def _page(self) -> bool:
        given = self.given.get("page", False)
        if not isinstance(given, bool):
            raise TypeError(f"page must be True or False, not {given!r}")
        if given and self.given["storage"] is None:
            raise ValueError("page=True needs a storage: the page reads the run's journal")
        missing = [name for name in ("starlette", "uvicorn") if given and find_spec(name) is None]
        if missing:
            raise ValueError(f"page=True needs {' and '.join(missing)}: pip install 'trialwright[page]'")
        return given

    def _notes(self) -> dict[str, Plain]:
        given = self.given["notes"] or {}
        if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
            raise TypeError(f"notes must be a dict with strings as keys, not {given!r}")
        try:
            return cast("dict[str, Plain]", read_plain(to_plain(dict(given))))
        except TypeError as error:
            raise TypeError(f"notes must be plain data: {error}") from error


_NUMBERS = (  # name, the least it may be, whether it is a whole number
    ("num_samples", -1, True),
    ("max_concurrent_trials", 1, True),
    ("time_budget_s", 0, False),
    ("trial_timeout_s", 0, False),
    ("max_failures", -1, True),
    ("prefetch", 0, True),
    ("keep_checkpoints", 1, True),
    ("seed", 0, True),
    ("verbose", 0, True),
    ("hook_warning_s", 0, False),
    ("hook_timeout_s", 0, False),
)


def _executor(given: object, objective: object) -> Executor:
    executor = catalogue.executor(given)
    # A function has no virtual time, and a workload's steps cost none in the real one.
    if isinstance(executor, Simulated) != isinstance(objective, Workload):
        raise TypeError(
            "Simulated runs only a Workload (an object with start and step), and a Workload runs only on Simulated"
        )
    return executor


def _listed(given: object) -> tuple[str, ...]:
    if given is None:
        return ()
    return tuple(given) if isinstance(given, list | tuple) else (cast(str, given),)


def _name(objective: object) -> str:
    return getattr(objective, "__name__", type(objective).__name__)
