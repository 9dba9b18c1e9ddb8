"""Connects the parts of a run: where the searcher is asked, what the executor gets, the controller, the result."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from trialwright.callbacks import CallbackRunner
from trialwright.core.experiment import Experiment
from trialwright.engine.arguments import Arguments, check_plain
from trialwright.engine.build_result import build_result, summarised
from trialwright.engine.controller import Controller
from trialwright.engine.hooks import Hooks, remembered
from trialwright.engine.replay import RunExplainer
from trialwright.engine.requests import Additions, InboxReader
from trialwright.engine.watchers import Meter
from trialwright.executors.base import Run
from trialwright.messages import Ask, Suggested
from trialwright.progress import choose_progress, in_notebook
from trialwright.results import Result
from trialwright.searchers.drawing import Variety
from trialwright.searchers.placement import placed
from trialwright.storage.base import Store
from trialwright.streams import Streams


@contextmanager
def asking(arguments: Arguments, experiment: Experiment) -> Iterator[Arguments]:
    """Have a searcher that would delay the run asked in a process of its own; in virtual time it is asked here."""
    if getattr(arguments.executor, "is_virtual", False):
        yield arguments
        return
    known = 0 if experiment.done else len(arguments.earlier) + len(experiment.trials)
    with placed(arguments.searcher, known, experiment.warn) as searcher:
        yield replace(arguments, searcher=searcher)


def executor_run(
    arguments: Arguments, experiment: Experiment, meter: Meter, directory: Path | None, began_s: float
) -> Run:
    """Return what the executor gets: the objective, the space, and the function that asks the searcher."""
    streams = Streams(arguments.plan.seed)
    variety = Variety(arguments.space)
    for trial in [*experiment.trials.values()]:
        variety.repeats(trial.config)

    def suggest(ask: Ask) -> Suggested:
        began = time.perf_counter()
        suggested = check_plain(arguments.suggest(ask, experiment.history, streams))
        meter.searcher_s += time.perf_counter() - began
        again = [variety.repeats(each.config) for each in suggested.suggestions if each]
        if any(again) and arguments.is_varied:
            experiment.warn(f"all {variety.size} configurations of the space were tried; they are now tried again")
        return suggested

    def warn(text: str) -> None:
        if text not in experiment.warnings:
            logging.getLogger("trialwright").warning("%s", text)  # a run that waits says so even with verbose=0
            experiment.warn(text)

    return Run(
        arguments.objective,
        arguments.space,
        suggest,
        arguments.plan.metrics,
        directory,
        shared=bool(arguments.callbacks),
        began_s=began_s,
        warn=warn,
    )


def controller_of(
    arguments: Arguments,
    experiment: Experiment,
    store: Store,
    run: Run,
    *,
    meter: Meter,
    additions: Additions,
    turns: int,
) -> Controller:
    """Return the controller, with the run's display, callbacks and inbox."""
    progress = arguments.progress or choose_progress(arguments.verbose)
    states = remembered(run.directory, arguments.callbacks, experiment.warn)
    hooks = Hooks(CallbackRunner(arguments.callbacks, experiment.warn, states=states), run, experiment.warn, turns)
    inbox = InboxReader(run, arguments.needed, experiment.warn, experiment.last_request, is_resumed=turns > 0)
    return Controller(
        experiment, arguments.executor, store, run, meter, progress, hooks, arguments.name, inbox, additions
    )


def result_of(
    arguments: Arguments, experiment: Experiment, controller: Controller, store: Store, stopped: str
) -> Result:
    """Return the result of a run that is over, or was ``stopped``, and print a summary unless ``verbose`` is 0."""
    result = build_result(arguments, experiment, controller, store.frames, store.statistics())
    result = replace(result, stopped=result.stopped or stopped or None, _explain=RunExplainer(arguments, store))
    verbose = arguments.verbose
    is_shown = arguments.progress is None and in_notebook()  # the display of a notebook ends as the summary
    return summarised(result, controller.snapshot(), verbose) if verbose > 0 and not is_shown else result
