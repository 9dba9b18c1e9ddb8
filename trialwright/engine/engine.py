"""The engine: what a user holds. Its constructor stores, and ``run()`` wires the arguments together."""

from __future__ import annotations

import asyncio
import math
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial, wraps
from inspect import signature
from pathlib import Path
from typing import ClassVar, ParamSpec, Self, cast

from trialwright.callbacks import Callback
from trialwright.core.plan import Mode
from trialwright.engine import catalogue, settings, wiring
from trialwright.engine.arguments import Arguments, Default, Needs, as_space, needed
from trialwright.engine.build_result import Found
from trialwright.engine.checking import check
from trialwright.engine.in_use import in_use
from trialwright.engine.interrupts import Interrupts, interrupted
from trialwright.engine.page_beside import PageBeside
from trialwright.engine.replay import Retry, more_samples, replay, retries
from trialwright.engine.requests import Additions, InboxReader
from trialwright.engine.running import QUICK_SWITCHING, RARE_COLLECTIONS, Ending, LoopThread, say
from trialwright.engine.watchdog import Patience, Watchdog
from trialwright.engine.watchers import Meter
from trialwright.errors import PolicyError, nearest, refuse
from trialwright.executors import Executor, Workload
from trialwright.messages import Config, ContinueRequested, Enqueued, Metric, Plain
from trialwright.progress import Progress
from trialwright.results import Result
from trialwright.schedulers import Scheduler
from trialwright.searchers import Auto, Searcher
from trialwright.space import Space
from trialwright.stopping import Stop
from trialwright.storage import checkpoints, formats
from trialwright.storage.base import Store
from trialwright.storage.memory import MemoryStore
from trialwright.storage.place import find_run, harmless, link_to
from trialwright.storage.sqlite import SqliteStore
from trialwright.streams import Streams
from trialwright.trial_result import TrialResult

ELSEWHERE = {
    **dict.fromkeys(("n_trials", "max_evals", "num_trials", "n_iter", "n_calls"), "num_samples"),
    **dict.fromkeys(("direction", "directions", "modes"), "mode"),
    **dict.fromkeys(("n_jobs", "max_concurrent", "parallelism", "num_workers", "max_workers"), "max_concurrent_trials"),
    **dict.fromkeys(("sampler", "search_alg", "algo"), "searcher"),
    **dict.fromkeys(("param_space", "config", "search_space"), "space"),
    **dict.fromkeys(("timeout", "timeout_s", "time_budget"), "time_budget_s"),
    **dict.fromkeys(("resources_per_trial",), "resources"),
    **dict.fromkeys(("pruner",), "scheduler"),
    **dict.fromkeys(("metrics",), "metric"),
    **dict.fromkeys(("storage_path", "local_dir"), "storage"),
    **dict.fromkeys(("random_state", "rstate"), "seed"),
    **dict.fromkeys(("show_progress_bar", "progress_bar", "verbosity"), "verbose"),
    **dict.fromkeys(("raise_on_failed_trial",), "fail_fast"),
}
"""Names of keywords in other libraries, each with the Engine's keyword for the same thing."""
NOT_NEEDED = {
    **dict.fromkeys(("load_if_exists", "resume"), "Engine.resume(path, objective) resumes a run"),
    "catch": "a trial that fails does not end the run",
    "gc_after_trial": "executor='processes' runs each trial outside of this process",
}
"""Names of keywords in other libraries for which an Engine needs none, each with what to know instead."""


P = ParamSpec("P")


def _names_what_is_meant(init: Callable[P, None]) -> Callable[P, None]:
    """Refuse a keyword that an Engine does not have with a message that names the right one."""

    @wraps(init)
    def checked(*args: P.args, **keywords: P.kwargs) -> None:
        if unknown := sorted(keywords.keys() - _KEYWORDS - {"objective"}):
            raise TypeError("; ".join(f"Engine has no {name}=...{_meant(name)}" for name in unknown))
        init(*args, **keywords)

    return checked


class Engine:
    """Tunes an objective: runs many trials of it in parallel, and finds the best.

    Args:
        objective: what to tune: a function of a config that calls ``report``; or a generator that yields reports; or an
            ``async def``; or a function that returns its result.
        space: what may vary: a dict of domains and constants, which may be nested, or a ``Space``.
        metric: the name of the metric to optimise; with several, schedulers and "best" use the first.
        mode: "min" or "max", for each metric.
        num_samples: how many trials; with ``grid_search`` in the space, how often the grid is repeated; -1 for
            unlimited.
        searcher: what chooses the configurations: "auto", which prints its choice; "gp", "tpe", "cmaes", "nsga2",
            "dehb", "random", "sobol", "halton", "lhs", "grid"; or an object.
        scheduler: what decides how long each trial runs: "fifo", "asha", "hyperband", "pbt"; a method that comes with
            its searcher: "mobster", "freeze-thaw", "hyper-tune", "bohb", "dehb", "priorband", "pb2"; "auto", which
            prints its choice; or an object: ``ASHA(max_t=20)``.
        resources: what one trial needs: ``{"cpu": 1, "gpu": 0.25}``, "memory" in bytes, any custom name; or a function
            of the config that returns such a dict.
        executor: where trials run: "ray", "processes", "local" (threads of this process), or an object.
        storage: the directory in which the run's own directory is made; None keeps nothing.
        name: of the run, for people.
        link: the name of a link in the storage that leads to the run's directory; that of an earlier run is changed.
        notes: plain data that is kept with the run: ``result.notes``.
        seed: of every random draw; by default a random one, which is kept in the journal.
        stop: when a trial ends: ``{"accuracy": 0.95}``, ``{"loss": ("<=", 0.1)}``, a function, or a
            ``Stopper``.
        callbacks: called at every event of the run, in threads of their own.
        max_concurrent_trials: how many trials run at a time at most, whatever the resources.
        time_budget_s: end the run after this many seconds; a resumed run has the rest of them.
        trial_timeout_s: end a trial that has run for this many seconds.
        max_failures: how often a trial that failed is tried again, from its last checkpoint; -1 for unlimited.
        fail_fast: end the run when the first trial fails.
        points_to_evaluate: configs to try first, whole or in part.
        earlier: known results: pairs of a config and its metrics, or the result of another run over this space.
            Searchers that learn start from there; these do not count as trials of this run.
        outcome_constraints: conditions that the best trial must meet: ``["memory <= 8e9"]``.
        prefetch: how many suggestions to ask for ahead of free slots.
        keep_checkpoints: how many checkpoints of a trial to keep, besides its best; None keeps all.
        checkpoint_score: which of them to keep: ``("accuracy", "max")`` keeps the best by this metric, besides the
            latest; by default the latest are kept.
        verbose: 0 shows nothing; 1 shows the progress and a summary; 2 also a line for each trial that ends; 3 also
            numbers about the engine.
        progress: an object that shows the progress, in place of the table or lines of ``verbose``.
        hook_warning_s: warn, with its stack, of a scheduler or stop rule that has not returned for this many seconds;
            None for never.
        hook_timeout_s: end the run with a ``PolicyError`` if it has not returned for this many seconds; None for never.
        page: show the run in a browser too, on this machine, while it goes on; the address is printed. It needs the
            extra "page".
    """

    optional_metrics: ClassVar[frozenset[str]] = frozenset()  # stop rules may name these though no trial reports them

    @_names_what_is_meant
    def __init__(
        self,
        objective: Callable[..., object] | Workload,
        space: Mapping[str, object] | Space,
        *,
        metric: str | Sequence[str] | None = None,
        mode: Mode | Sequence[Mode] = "min",
        num_samples: int = 1,
        searcher: str | Searcher = "auto",
        scheduler: str | Scheduler = "fifo",
        resources: Mapping[str, float] | Needs | None = None,
        executor: str | Executor = "ray",
        storage: str | os.PathLike[str] | Default | None = Default.STORAGE,
        name: str | None = None,
        link: str | None = None,
        notes: Mapping[str, Plain] | None = None,
        seed: int | None = None,
        stop: Stop = None,
        callbacks: Sequence[Callback] = (),
        max_concurrent_trials: int | None = None,
        time_budget_s: float | None = None,
        trial_timeout_s: float | None = None,
        max_failures: int = 0,
        fail_fast: bool = False,
        points_to_evaluate: Sequence[Mapping[str, object]] = (),
        earlier: Result | Sequence[tuple[Mapping[str, object], Mapping[str, Metric]]] = (),
        outcome_constraints: Sequence[str] = (),
        prefetch: int | None = None,
        keep_checkpoints: int | None = None,
        checkpoint_score: tuple[str, Mode] | None = None,
        verbose: int = 1,
        progress: Progress | None = None,
        hook_warning_s: float | None = 10.0,
        hook_timeout_s: float | None = 60.0,
        page: bool = False,
    ) -> None:
        self._keywords = {key: value for key, value in locals().items() if key != "self"}
        self._directory: Path | None = None  # of the run that is resumed
        self._first_samples = num_samples  # of that run when it began
        self._more = False  # a resume may raise the number of samples
        self._retry: Retry | None = None  # from where failed trials are tried again on resume
        self._additions = Additions()

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        objective: Callable[..., object] | Workload,
        *,
        retry_failed: Retry | None = None,
        **keywords: object,
    ) -> Self:
        """Return an engine that resumes the run in this directory.

        Args:
            path: the run's directory: ``result.path``, or the one that the interrupted run printed.
            objective: the same as before; the journal does not keep code.
            retry_failed: also try trials again that failed, or that ended only because the run was stopped: from their
                last "checkpoint", or from "scratch".
            keywords: arguments of the run that the journal does not keep: functions, objects of your own classes,
                ``callbacks``, ``verbose``; another ``executor`` than before; and a larger ``num_samples``, for more
                trials.

        Raises:
            ValueError: there is no run, or one of format 1; or an argument is missing, or differs from the run's.
            StorageError: its journal is damaged, or cannot be read.
        """
        if retry_failed not in (None, "checkpoint", "scratch"):
            raise ValueError(f"retry_failed must be 'checkpoint', 'scratch', or None, not {retry_failed!r}")
        directory = find_run(path)
        store = SqliteStore.open(directory, read_only=True)
        try:
            formats.refuse_old(directory / "journal.sqlite", store.format)
            told = store.settings
        finally:
            store.close()
        unknown = keywords.keys() - _KEYWORDS
        refuse((f"Engine has no {name}=...{nearest(name, _KEYWORDS)}" for name in sorted(unknown)), "resume")
        engine = cls(objective, **settings.read(told, keywords))  # type: ignore[arg-type]  # checked when it runs
        engine._directory = directory
        engine._more = "num_samples" in keywords
        engine._retry = retry_failed
        engine._first_samples = cast("dict[str, int]", told["data"])["num_samples"]
        return engine

    def enqueue(self, config: Mapping[str, object], *, checkpoint: TrialResult | None = None) -> None:
        """Try this configuration, whole or in part, before the searcher's suggestions and in addition to num_samples.

        May be called before the run and, from any thread, during it: until all trials have ended and callbacks have
        been called. Other processes use ``trialwright.enqueue``.

        Args:
            config: what to try.
            checkpoint: a trial, of this run or another, from whose last checkpoint to start: ``get_checkpoint()``
                returns that, and steps are counted on from there. The checkpoint must stay where it is.

        Raises:
            ValueError: the configuration is not in the space (the message lists all problems); or the other trial has
                no checkpoint, or it was deleted; or the run is over (resume it first).
        """
        saved = None if checkpoint is None else checkpoint.saved
        if checkpoint is not None and (saved is None or not Path(saved.path).is_dir()):
            raise ValueError(f"trial {checkpoint.id} has no checkpoint to start from: {saved and saved.path}")
        if not isinstance(config, Mapping):
            raise TypeError(f"config must be a dict, not {config!r}")
        space = as_space(self._keywords["space"])
        seed = secrets.randbits(32)  # of the values that are left out: the journal keeps the values, not the seed
        whole = space.complete(dict(config), Streams(seed)("enqueue"))
        plain = cast(Config, space.plain(whole))
        self._additions.put(Enqueued(plain, saved, resources=needed(self._keywords["resources"], space, plain)))

    def run(self) -> Result:
        """Run to the end and return the result. The run has an event loop of its own, in a thread of its own, so this
        works inside a running event loop too.

        Raises:
            ValueError, TypeError: an argument is wrong; nothing was started.
            RunInterrupted: SIGINT or SIGTERM, a ``KeyboardInterrupt`` with the ``result`` so far and the run's
                ``path``. In a script it is a ``SystemExit`` with code 130 or 143 too.
            TrialwrightError: the run stopped because of an error; it can be resumed.
        """
        found = Found()
        thread = LoopThread(
            lambda: self._drive(found, hurried=lambda: interrupts.caught is not None, leave=thread.leave)
        )
        interrupts = Interrupts(thread.cancel)
        with interrupts.heard():
            try:
                found.result = thread.wait()
            except (asyncio.CancelledError, KeyboardInterrupt, PolicyError):
                if interrupts.caught is None:
                    raise
        if interrupts.caught is not None:
            raise interrupted(interrupts.caught, *self._left(found, interrupts.caught.name)) from None
        return cast(Result, found.result)

    async def run_async(self) -> Result:
        """As ``run``, in the running event loop. Signals are left to the program. When it is cancelled, it cleans
        up, and raises ``CancelledError``; the run can be resumed.
        """
        found = Found()
        try:
            return await self._drive(found)
        except asyncio.CancelledError:
            self._left(found, "its task was cancelled")
            raise

    def begun(self, directory: Path | None) -> None:
        """Called before anything starts, with the run's directory; None if nothing is kept. It is for subclasses."""

    def how_to_resume(self, directory: Path, again: Sequence[str]) -> str:
        """Return the code that resumes the run, which an interrupted run prints. A subclass may have code of its own.

        Args:
            directory: the run's.
            again: the keywords, besides the objective, that the journal does not hold.
        """
        code = [settings.name_of(self._keywords["objective"], "objective")]
        code += [f"{name}={settings.name_of(self._keywords[name], name)}" for name in again]
        return f"Engine.resume({str(directory)!r}, {', '.join(code)}).run()"

    async def _drive(
        self, found: Found, hurried: Callable[[], bool] = bool, leave: Callable[[BaseException], None] | None = None
    ) -> Result:
        """Run to the end.

        Args:
            found: the state of the run, for code outside the loop.
            hurried: returns whether it should end at once.
            leave: raises an error in the thread that waits for the run, which goes on without it.
        """
        found.path, failures = self._directory, list[str]()
        patience = Patience(self._keywords["hook_warning_s"], self._keywords["hook_timeout_s"])
        watchdog = Watchdog(patience, _CALL_HOOKS, say, lambda: hurried() or found.is_late(), leave)
        used = {"Engine": self, **{name: catalogue.own(self._keywords[name]) for name in _OBJECTS}}
        with in_use(used), QUICK_SWITCHING.changed(), RARE_COLLECTIONS.changed(), watchdog:
            arguments = check(self._keywords)
            self._additions.open()
            store, found.path, past = self._open(arguments)
            async with Ending(failures.append) as ending:
                if arguments.page and found.path is not None:
                    # Before the journal, so that it ends after it, and has seen the last state.
                    ending.step("the page", PageBeside(found.path, say).close)
                ending.step("the journal", lambda: asyncio.to_thread(store.close))
                if found.path is not None and arguments.link is not None:
                    link_to(found.path, arguments.link)
                self.begun(found.path)
                result = await self._run(arguments, store, found, past)
        return replace(result, warnings=(*result.warnings, *failures))

    def _left(self, found: Found, why: str) -> tuple[str, Result | None, Path | None]:
        """Print how to resume a run that was interrupted. Return that text, the result so far, and the run's
        directory."""
        text = why
        if found.path is not None:
            text = f"the run can be resumed: {self.how_to_resume(found.path, settings.again(self._keywords))}"
            say(text)
            text = f"{why}; {text}"
        return text, found.so_far(f"interrupted: {why}"), found.path

    async def _run(self, arguments: Arguments, store: Store, found: Found, past: Store | None) -> Result:
        meter, wanted = Meter(), arguments.plan.samples
        if arguments.verbose > 0 and isinstance(arguments.searcher, Auto):
            say(f"searcher {arguments.searcher.reason}")
        if arguments.verbose > 0 and arguments.why_scheduler:
            say(f"scheduler {arguments.why_scheduler}")
        samples, optional = arguments.samples(self._first_samples), self.optional_metrics
        arguments = replace(arguments, plan=replace(arguments.plan, samples=samples, optional_metrics=optional))
        experiment, began_s, leftover = replay(arguments, past)
        if past is not None and found.path is not None:
            await asyncio.to_thread(checkpoints.sweep, found.path, experiment.needed_checkpoints)
        for doubt in arguments.space.doubts:
            experiment.warn(doubt)
        if self._more:
            leftover.events += more_samples(experiment, wanted)
        if self._retry is not None:
            leftover.events += retries(experiment, self._retry)
        if experiment.is_paused:  # a resume continues the run
            leftover.events.append(ContinueRequested(None))
        leftover.events += self._additions.take()
        async with Ending(experiment.warn) as ending:
            asking = ending.enter("the searcher's process", wiring.asking(arguments, experiment))
            run = wiring.executor_run(asking, experiment, meter, found.path, began_s)
            controller = wiring.controller_of(
                asking, experiment, store, run, meter=meter, additions=self._additions, turns=leftover.turns
            )
            found.make = partial(wiring.result_of, arguments, experiment, controller, store)
            found.is_late = lambda: (experiment.plan.time_budget_s or math.inf) <= controller.now()
            await controller.drive(leftover)
        return found.make("")

    def _open(self, arguments: Arguments) -> tuple[Store, Path | None, Store | None]:
        """Return the store to write to, the run's directory, and the store to replay from."""
        if self._directory is not None:
            store = SqliteStore.open(self._directory)
            return store, self._directory, store
        chosen = {"scheduler": arguments.scheduler} if arguments.why_scheduler else {}  # the same for each resume
        told = settings.write({**self._keywords, **chosen, "seed": arguments.plan.seed, "name": arguments.name})
        if arguments.storage is None:
            return MemoryStore(told), None, None
        directory = arguments.storage.resolve() / run_id(arguments.name)
        return SqliteStore.create(directory, told), directory, None


_OBJECTS = ("searcher", "scheduler", "stop", "callbacks", "progress", "executor")  # may remember things of a run
_CALL_HOOKS = (check, InboxReader.read)  # these call user code on the loop, besides the experiment


def _meant(name: str) -> str:
    """Return the keyword of an Engine for what another library calls this, or the one with the most similar name."""
    if name in NOT_NEEDED:
        return f": {NOT_NEEDED[name]}"
    meant = ELSEWHERE.get(name)
    return f"; did you mean {meant}=...?" if meant else nearest(name, _KEYWORDS)


_KEYWORDS = frozenset(signature(Engine).parameters) - {"objective"}


def run_id(name: str) -> str:
    """Return a new name for a run's directory: harmless characters of the user's name, the time, and a random part."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return "-".join(filter(None, [harmless(name, 40), stamp, secrets.token_hex(3)]))
