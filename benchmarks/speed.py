"""How fast the engine is, with objectives that do nothing: ``python -m benchmarks.speed trials`` and ``results``; and
how fast its searchers are: ``python -m benchmarks.speed ask`` (benchmarks/asking.py says what that is), how much they
hold up the loop: ``lag`` (benchmarks/lag.py), how fast simulations are: ``simulate`` (benchmarks/simulating.py), and
what a scheduler's decision costs: ``schedulers`` (benchmarks/deciding.py), and whole runs beside Optuna's: ``default``
(benchmarks/default.py).

``trials``: trials a second, each of one returned result. ``results``: reports a second that two trials can make.
``asha``: trials a second of up to four reports, which ASHA stops at 1, 2 or 4; ``--commit-s`` makes each commit take so
much longer, as on a slower disk. All count from the first start of a trial to the last end, so that starting Ray (about
three seconds) is left out, and everything else is in: the journal on disk, the ledger, the searcher. ``--peer`` runs
Ray Tune on the same objectives in the same run, if ``ray[tune]`` is installed.

These machines are noisy: the median of ``--repeats`` runs is what counts, and a ratio more than a rate.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import asking, deciding, default, lag, simulating
from trialwright import ASHA, Callback, Engine, report, space
from trialwright.errors import StorageError
from trialwright.loggers import FileLogger
from trialwright.storage.base import Turn
from trialwright.storage.writer import Writer

SPACE: dict[str, object] = {"x": space.uniform(0, 1)}


@dataclass(frozen=True)
class Row:
    """One line of the table: ``rate`` is the median of the runs, a second."""

    what: str
    system: str
    count: int
    rate: float
    lowest: float
    highest: float


def nothing(config: dict[str, float]) -> dict[str, float]:
    """A trial that is over at once."""
    return {"loss": config["x"]}


def short(config: dict[str, float]) -> None:
    """A trial of four reports."""
    for _ in range(4):
        report(loss=config["x"])


def chatter(config: dict[str, float]) -> None:
    """A trial that does nothing but report."""
    for _ in range(int(config["reports"])):
        report(loss=config["x"])


def trials(executor: str, count: int, callbacks: Sequence[Callback] = ()) -> float:
    """Return trials a second."""
    return _rate(count, nothing, SPACE, num_samples=count, executor=executor, callbacks=callbacks)


def results(executor: str, count: int, callbacks: Sequence[Callback] = ()) -> float:
    """Return reports a second, of two trials side by side."""
    space = {**SPACE, "reports": count // 2}
    return _rate(count, chatter, space, num_samples=2, executor=executor, callbacks=callbacks)


def asha(executor: str, count: int, callbacks: Sequence[Callback] = ()) -> float:
    """Return trials a second under ASHA."""
    scheduler = ASHA(max_t=4, reduction_factor=2)
    return _rate(count, short, SPACE, num_samples=count, executor=executor, callbacks=callbacks, scheduler=scheduler)


def slow_down(commit_s: float) -> None:
    """Have every commit take so much longer: what depends on the disk shows, and what does not."""
    commit = Writer._commit  # noqa: SLF001 - a disk cannot be asked to be slow

    def slowly(writer: Writer, turns: list[Turn]) -> StorageError | None:
        time.sleep(commit_s)
        return commit(writer, turns)

    Writer._commit = slowly  # type: ignore[assignment]  # noqa: SLF001 - the same


def _rate(count: int, objective: Callable[..., object], space: Mapping[str, object], **keywords: Any) -> float:  # noqa: ANN401 - an Engine's
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:  # a logger may still be writing
        engine = Engine(
            objective,
            space,
            metric="loss",
            searcher="random",  # as Ray Tune's: a model of the loss of 5,000 trials takes longer than they do
            storage=directory,
            max_concurrent_trials=2,
            verbose=0,
            **keywords,
        )
        result = engine.run()
        return count / _span_s([(trial.started or 0.0, trial.ended or 0.0) for trial in result])


def _span_s(times: list[tuple[float, float]]) -> float:
    return max(ended for _, ended in times) - min(started for started, _ in times)


def ray_tune_trials(count: int) -> float:
    """Return Ray Tune's trials a second: its own loop, workers reused, loggers off."""
    return count / _ray_tune(nothing, count, {"x": 0.5})


def ray_tune_results(count: int) -> float:
    """Return Ray Tune's reports a second, of two trials side by side."""
    from ray import tune

    def objective(config: dict[str, float]) -> None:
        for _ in range(int(config["reports"])):
            tune.report({"loss": config["x"]})

    return count / _ray_tune(objective, 2, {"x": 0.5, "reports": count // 2})


def ray_tune_asha(count: int) -> float:
    """Return Ray Tune's trials a second under its ASHA."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    def objective(config: dict[str, float]) -> None:
        for _ in range(4):
            tune.report({"loss": config["x"]})

    scheduler = ASHAScheduler(max_t=4, grace_period=1, reduction_factor=2, metric="loss", mode="min")
    return count / _ray_tune(objective, count, {"x": tune.uniform(0, 1)}, scheduler=scheduler)


def _ray_tune(
    objective: Callable[..., object],
    count: int,
    config: dict[str, Any],
    **settings: Any,  # noqa: ANN401 - of a TuneConfig
) -> float:
    os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0"}
    import ray
    from ray import tune

    if not ray.is_initialized():
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as directory:
        tuner = tune.Tuner(
            objective,
            param_space=config,
            tune_config=tune.TuneConfig(num_samples=count, reuse_actors=True, max_concurrent_trials=2, **settings),
            run_config=tune.RunConfig(storage_path=directory, verbose=0),
        )
        began = time.perf_counter()
        tuner.fit()
        return time.perf_counter() - began


OURS = {"trials": trials, "results": results, "asha": asha}
PEER = {"trials": ray_tune_trials, "results": ray_tune_results, "asha": ray_tune_asha}
COUNTS = {  # what, where -> how many; Ray Tune gets fewer, because it would take minutes
    ("trials", "ray"): 50_000,
    ("trials", "processes"): 50_000,
    ("trials", "local"): 50_000,
    ("trials", "ray log"): 5_000,
    ("trials", "processes log"): 5_000,
    ("trials", "local log"): 5_000,
    ("trials", "ray tune"): 300,
    ("asha", "ray"): 3_000,
    ("asha", "processes"): 3_000,
    ("asha", "local"): 3_000,
    ("asha", "ray log"): 3_000,
    ("asha", "processes log"): 3_000,
    ("asha", "local log"): 3_000,
    ("asha", "ray tune"): 100,
    ("results", "ray"): 500_000,
    ("results", "processes"): 500_000,
    ("results", "local"): 500_000,
    ("results", "ray log"): 500_000,
    ("results", "processes log"): 500_000,
    ("results", "local log"): 500_000,
    ("results", "ray tune"): 2_000,
}


def measure(what: str, system: str, repeats: int) -> Row:
    """Run one benchmark some times."""
    count = COUNTS[what, system]
    callbacks = [FileLogger("csv", "json")] if system.endswith(" log") else []

    def once() -> float:
        return PEER[what](count) if system == "ray tune" else OURS[what](system.removesuffix(" log"), count, callbacks)

    rates = [once() for _ in range(repeats)]
    return Row(what, system, count, statistics.median(rates), min(rates), max(rates))


def main() -> None:
    """Parse the command line, run, print a table or JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument(
        "what",
        nargs="*",
        choices=[*OURS, "ask", "default", "lag", "simulate", "schedulers", []],
        default=[],
        help="trials, results, asha, ask, default, lag, simulate, schedulers; the first two by default",
    )
    parser.add_argument("--searchers", nargs="+", default=(), help="ask: only these")
    parser.add_argument("--executor", choices=["ray", "processes", "local"], action="append", help="all by default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--commit-s", type=float, default=0.0, help="seconds that each commit takes longer")
    parser.add_argument("--loggers", action="store_true", help="once more with CSV and JSON files")
    parser.add_argument("--peer", action="store_true", help="Ray Tune too")
    parser.add_argument("--peer-python", type=Path, help="simulate: an interpreter that has Syne Tune")
    parser.add_argument("--calls", action="store_true", help="simulate: count calls as well")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.commit_s:
        slow_down(options.commit_s)
    systems = options.executor or ["ray", "processes", "local"]
    systems += [f"{system} log" for system in systems] if options.loggers else []
    systems += ["ray tune"] if options.peer else []
    wanted = [what for what in options.what or ("trials", "results") if what in OURS]
    rows = [measure(what, system, options.repeats) for what in wanted for system in systems]
    others: list[asking.Row | default.Row | lag.Row | simulating.Row | deciding.Row] = []
    if "ask" in options.what:
        others += asking.table(options.repeats, options.searchers)
    if "default" in options.what:
        others += default.table(options.repeats)
    if "lag" in options.what:
        others += lag.table(options.repeats)
    if "simulate" in options.what:
        others += simulating.table(options.repeats, options.peer_python, with_calls=options.calls)
    if "schedulers" in options.what:
        others += deciding.table(options.repeats)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "date": time.strftime("%Y-%m-%d")}
    if options.json:
        print(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows] + [asdict(row) for row in others]}))
        return
    print(f"{machine['cpus']} CPUs, Python {machine['python']}, {machine['date']}; medians of {options.repeats} runs")
    for row in rows:
        print(
            f"{row.what:8} {row.system:9} {row.rate:11,.0f}/s ({row.lowest:,.0f}-{row.highest:,.0f}), n = {row.count:,}"
        )
    print(*others, sep="\n")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
