"""Comparing: all methods on all tasks, with the same seeds; what a directory has already is not run again."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np

import trialwright
from trialwright.bench import runs, searches, settings
from trialwright.bench.comparison import Comparison
from trialwright.bench.curves import Curves
from trialwright.bench.functions import Function
from trialwright.bench.methods import Method, method_of, scheduler_of
from trialwright.bench.searches import Trace
from trialwright.bench.tasks import CURVES, FUNCTIONS, Tasks, curves_of, functions_of
from trialwright.bench.traces import append_lines, finished, read_lines
from trialwright.engine.arguments import number_problem
from trialwright.errors import nearest, refuse
from trialwright.space.values import Floats

Methods: TypeAlias = "Mapping[str, Any] | Sequence[str]"
Progress: TypeAlias = Callable[[int, int, str], None]  # how many runs are done, of how many, and which was the last
Key = TypeVar("Key", bound=tuple[Hashable, ...])
Job = TypeVar("Job")
Value = TypeVar("Value")
TRACES = "traces.jsonl"
STEPS = 81  # for which a method is described in the settings, whatever the tasks are: those may change


def compare_schedulers(
    methods: Methods,
    *,
    tasks: Tasks = tuple(CURVES),
    workers: Sequence[int] = (4,),
    seeds: int = 8,
    budget: float = runs.BUDGET,
    ask_s: float = 0.0,
    against: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> Comparison:
    """Compare schedulers on learning curves, in virtual time: all try the same configurations in the same order.

    The regret of a run is the least loss that any trial has reported so far: 0 is the best of all curves of the task at
    any step, 1 is the median of their last losses.

    Args:
        methods: by name: an object, of which each run gets a copy; a class, or a function of the number of steps; a
            pair of a scheduler and a searcher. Or a list of names of ours, such as "asha" and "mobster".
        tasks: names of built-in tasks; paths of tables and runs; workloads; ``Curves``. In a mapping, by name.
        workers: how many trainings run at a time; all these are compared.
        seeds: how many runs of each method, on each task, for each number of workers.
        budget: full trainings, over all workers; each worker has time for one at least.
        ask_s: virtual seconds that an answer of a method's own searcher takes.
        against: the method with which the others are compared; the first by default.
        directory: where runs are kept, so that a comparison that was interrupted continues; it may also grow. Nothing
            is kept by default.
        processes: how many runs are made side by side. A program that asks for several must begin below
            ``if __name__ == "__main__":``, since they import it.
        progress: called after each run.

    Returns:
        The comparison. It is the same however the runs were made.

    Raises:
        ValueError: an argument is wrong; the message names the nearest right one. Or the directory has runs that were
            made with other settings; these are named.
        TypeError: a method is no scheduler, or a task is none.
    """
    _check(workers=workers, seeds=seeds, processes=processes, budget=budget)
    of = {name: method_of(given) for name, given in _by_name(methods).items()}
    curves = {task.name: task for task in curves_of(tasks)}
    base, told = _base(against, of), {name: _described(method) for name, method in of.items()}
    for method, steps in product(of.values(), {task.steps for task in curves.values()}):
        scheduler_of(method, steps)  # what is wrong with a method is said before the first run
    jobs = {
        runs.Key(name, count, task, seed, ask_s if of[name].searcher else 0.0): (of[name], curves[task], budget)
        for count, seed, task, name in product(workers, range(seeds), curves, of)
    }
    about = {task.name: settings.described_curves(task) for task in curves.values()}
    path = _kept(directory, {"kind": "schedulers", "budget": f"{budget:g}", "methods": told, "tasks": about})
    known = _filled(_scheduled, jobs, _read_regrets, path=path, processes=processes, progress=progress)
    regrets = {(key.workers, key.method, key.task, key.seed): known[key] for key in jobs}
    return Comparison(_table(regrets, workers, of, curves, seeds), tuple(curves), base)


def compare_searchers(
    methods: Methods,
    *,
    tasks: Tasks = FUNCTIONS,
    workers: Sequence[int] = (1,),
    seeds: int = 8,
    evaluations: int = 100,
    against: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> Comparison:
    """Compare searchers on functions that are minimised.

    The regret of a run is the least value so far, on one scale for each task: 0 is its optimum if that is known, else
    the least value of all runs that are compared; 1 is the median of the first values.

    Args:
        methods: by name: an object, of which each run gets a copy; or a class. Or a list of names, such as "gp".
        tasks: names of built-in tasks; ``Function``; or, in a mapping by name, pairs of a function and its space.
        workers: how many suggestions are asked for at a time; all these are compared.
        seeds: how many runs of each method, on each task, for each number of workers.
        evaluations: of each run.
        against: the method with which the others are compared; the first by default.
        directory: as ``compare_schedulers``.
        processes: as ``compare_schedulers``.
        progress: called after each run.

    Raises:
        ValueError, TypeError: as ``compare_schedulers``.
    """
    _check(workers=workers, seeds=seeds, processes=processes, evaluations=evaluations)
    of, functions = _by_name(methods), {task.name: task for task in functions_of(tasks)}
    base, told = _base(against, of), {name: settings.described(searches.searcher_of(each)) for name, each in of.items()}
    jobs = {
        (task, name, seed, count): (of[name], functions[task], evaluations)
        for count, seed, task, name in product(workers, range(seeds), functions, of)
    }
    about = {task.name: settings.described_function(task) for task in functions.values()}
    path = _kept(directory, {"kind": "searchers", "evaluations": str(evaluations), "methods": told, "tasks": about})
    known = _filled(_searched, jobs, _read_trace, path=path, processes=processes, progress=progress)
    own = [known[key] for key in jobs]
    regrets = {key: each for task in functions.values() for key, each in _regrets(own, task, evaluations).items()}
    return Comparison(_table(regrets, workers, of, functions, seeds), tuple(functions), base, evaluations)


# Runs ----------------------------------------------------------------------------------------------------------------


def _scheduled(job: tuple[runs.Key, tuple[Method, Curves, float]]) -> list[Any]:
    key, (method, task, budget) = job
    return [*key, runs.regrets(task, runs.run(task, method, key.workers, key.seed, ask_s=key.ask_s, budget=budget))]


def _read_regrets(line: Sequence[Any]) -> tuple[runs.Key, list[float]]:
    *key, regrets = line
    return runs.Key(*key), regrets


def _searched(job: tuple[searches.Key, tuple[searches.Given, Function, int]]) -> dict[str, Any]:
    key, (given, function, evaluations) = job
    _, _, seed, batch = key
    method = searches.Ours(function, searches.searcher_of(given), seed, batch, evaluations)
    found = searches.search(function, method, evaluations=evaluations, batch=batch, seed=seed)
    return asdict(searches.trace_of(key, *found))


def _read_trace(line: Mapping[str, object]) -> tuple[searches.Key, Trace]:
    trace = searches.read_trace(line)
    return trace.key, trace


def _filled(
    work: Callable[[tuple[Key, Job]], Any],
    jobs: Mapping[Key, Job],
    parse: Callable[[Any], tuple[Key, Value]],
    *,
    path: Path | None,
    processes: int,
    progress: Progress | None,
) -> dict[Key, Value]:
    """Make the runs that a file does not have, and append each as soon as it is done; return all.

    Args:
        work: makes a run; what it returns is a line of the file.
        jobs: by the keys of the runs.
        parse: returns the key of a line, and what is known from it.
        path: the file.
        processes: side by side.
        progress: called after each.
    """
    known = dict(map(parse, read_lines(path)))
    missing = [(key, job) for key, job in jobs.items() if key not in known]
    for place, ((key, _), future) in enumerate(finished(work, missing, processes), 1):
        if error := future.exception():
            error.add_note(
                f"in the run {_said(key)}; what was done before is kept" if path else f"in the run {_said(key)}"
            )
            raise error
        line = future.result()
        if path:
            append_lines([line], path)
        known.update([parse(line)])
        if progress:
            progress(place, len(missing), _said(key))
    return known


def _said(key: tuple[Hashable, ...]) -> str:
    return ", ".join(map(str, key))


# Regrets -------------------------------------------------------------------------------------------------------------


def _regrets(traces: Sequence[Trace], task: Function, evaluations: int) -> dict[tuple[int, str, str, int], Floats]:
    """Return the regrets of all runs on one task, on one scale."""
    own = [trace for trace in traces if trace.task == task.name]
    low, high = searches.scale(own, task.optimum)
    return {
        (trace.batch, trace.method, trace.task, trace.seed): (trace.curve(evaluations) - low) / (high - low)
        for trace in own
    }


def _table(
    regrets: Mapping[tuple[int, str, str, int], Any],
    workers: Sequence[int],
    methods: Mapping[str, Any],
    tasks: Mapping[str, Any],
    seeds: int,
) -> dict[int, dict[str, Floats]]:
    """Return regrets as arrays of shape (tasks, seeds, points), by number of workers and method."""
    return {
        count: {
            name: np.array([[regrets[count, name, task, seed] for seed in range(seeds)] for task in tasks])
            for name in methods
        }
        for count in workers
    }


# Arguments -----------------------------------------------------------------------------------------------------------


def _check(*, workers: Sequence[int], **numbers: float) -> None:
    given = {**numbers, **{f"workers[{place}]": count for place, count in enumerate(workers)}}
    problems = [number_problem(name, value, 1, whole=name != "budget") for name, value in given.items()]
    refuse([problem for problem in problems if problem], "the comparison")
    if len(set(workers)) != len(workers) or not workers:
        raise ValueError(f"workers must be different numbers, one at least, not {workers!r}")


def _by_name(methods: Methods) -> dict[str, Any]:
    if isinstance(methods, str):
        raise TypeError(f"methods must be a mapping or a list of names, not {methods!r}: give [{methods!r}]")
    found = dict(methods) if isinstance(methods, Mapping) else {name: name for name in methods}
    if len(found) < 2:
        raise ValueError(f"two methods at least are compared, not {[*found]}")
    return found


def _base(against: str | None, methods: Mapping[str, Any]) -> str:
    if against is not None and against not in methods:
        raise ValueError(f"against={against!r} is not compared{nearest(against, methods)}")
    return next(iter(methods)) if against is None else against


def _described(method: Method) -> str:
    scheduler = settings.described(scheduler_of(method, STEPS))
    return scheduler if method.searcher is None else f"{scheduler}, {settings.described(method.searcher())}"


def _kept(directory: str | os.PathLike[str] | None, about: settings.Settings) -> Path | None:
    """Return the file of the runs, once the settings are known to be those of the directory."""
    if directory is None:
        return None
    settings.keep(Path(directory), {"version": trialwright.__version__, **about})
    return Path(directory) / TRACES
