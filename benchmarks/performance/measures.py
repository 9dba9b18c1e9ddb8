"""One function a row of the table. Each is run in a process of its own, and returns one figure.

All are of whole runs with the journal on disk; what starts before the first trial is left out, but in ``start``.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import speed
from trialwright import Engine, Result, load, report, space
from trialwright.schedulers import MedianStopping

ONE = {"x": space.uniform(0, 1)}
THREE = {"a": space.uniform(0, 1), "b": space.uniform(0, 1), "c": space.randint(0, 10)}
WARM_UP = 100


def four_results(config: dict[str, float]) -> None:
    """A trial of four results of two metrics."""
    for step in range(1, 5):
        report(loss=config["a"] / step, accuracy=config["b"])


def tenth_of_a_second(config: dict[str, float]) -> dict[str, float]:
    """A trial that takes 0.1 s."""
    time.sleep(0.1)
    return {"loss": config["x"]}


def timed(config: dict[str, float]) -> dict[str, float]:
    """A trial that says when it ran."""
    return {"loss": config["x"], "at": time.time()}


def round_trips(config: dict[str, float]) -> dict[str, float]:
    """A trial that measures how long each of its reports waits for its verdict, in milliseconds."""
    waits = []
    for _ in range(2_000):
        began = time.perf_counter()
        report(loss=config["x"])
        waits.append((time.perf_counter() - began) * 1e3)
    waits = sorted(waits[WARM_UP:])
    return {"loss": 0.0, "p50": waits[len(waits) // 2], "p99": waits[len(waits) * 99 // 100]}


@contextmanager
def _run(objective: Callable[..., object], what: dict[str, Any], **settings: Any) -> Iterator[Result]:  # noqa: ANN401 - an Engine's
    settings = {"searcher": "random", "max_concurrent_trials": 2, "verbose": 0, **settings}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        yield Engine(objective, what, metric="loss", storage=directory, **settings).run()


def _verdicts(executor: str) -> float:
    """Verdicts a second, of two trials whose every report waits for one of the median rule."""
    count = 20_000
    rule, what = MedianStopping(grace_period=1), {**ONE, "reports": count // 2}
    with _run(speed.chatter, what, num_samples=2, executor=executor, scheduler=rule) as result:
        spans = [(trial.started or 0.0, trial.ended or 0.0) for trial in result]
    return count / (max(ended for _, ended in spans) - min(started for started, _ in spans))


def _latency_ms(which: str) -> float:
    """How long ``report()`` waits for its verdict where nothing else goes on."""
    with _run(
        round_trips, ONE, num_samples=1, executor="processes", scheduler=MedianStopping(grace_period=1)
    ) as result:
        return float(result[0].metrics[which])


def _ray_tune_verdicts() -> float:
    """The same of Ray Tune, which asks its scheduler at every report."""
    from ray import tune
    from ray.tune.schedulers import MedianStoppingRule

    def objective(config: dict[str, float]) -> None:
        for _ in range(1_000):
            tune.report({"loss": config["x"]})

    rule = MedianStoppingRule(grace_period=1, metric="loss", mode="min")
    return 2_000 / speed._ray_tune(objective, 2, {"x": 0.5}, scheduler=rule)  # noqa: SLF001 - the same way to run it


def _optuna() -> float:
    """Trials a second of Optuna's random search, in memory."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, count = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)), 10_000
    began = time.perf_counter()
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=count)
    return count / (time.perf_counter() - began)


def _growth() -> float:
    """The driver's CPU time for a trial from the 50,000th to the 100,000th on, over that from the 1,000th to the
    2,000th on."""
    marks: dict[int, float] = {}

    def marked(config: dict[str, float]) -> dict[str, float]:
        return {"loss": config["x"]}

    for count in (1_000, 2_000, 50_000, 100_000):
        gc.collect()
        began = time.process_time()
        with _run(marked, ONE, num_samples=count, executor="processes"):
            marks[count] = time.process_time() - began
    late = (marks[100_000] - marks[50_000]) / 50_000
    return late / ((marks[2_000] - marks[1_000]) / 1_000)


def _memory() -> float:
    """Bytes of the driver's resident memory for each of 100,000 finished trials of 3 parameters and 4 results, with
    the result that its user holds."""
    with _run(four_results, THREE, num_samples=200, executor="processes"):
        pass
    gc.collect()
    before = _resident()
    with _run(four_results, THREE, num_samples=100_000, executor="processes") as result:
        return (_resident() - before) / len(result)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _journal(what: str) -> float:
    """Of a run of trials of 3 parameters and 4 results of 2 metrics: bytes a trial, seconds to load, to resume."""
    count = {"bytes": 20_000, "load": 20_000, "resume": 100_000}[what]
    with _run(four_results, THREE, num_samples=count, executor="processes") as result:
        path = result.path
        assert path is not None  # it is kept
        if what == "bytes":
            return sum(file.stat().st_size for file in path.glob("journal.sqlite*")) / count
        del result
        gc.collect()
        began = time.perf_counter()
        if what == "load":
            load(path)
        else:
            Engine.resume(path, four_results, executor="processes", verbose=0).run()
        return time.perf_counter() - began


def _million() -> float:
    """Seconds that a run of a million trials takes, as a whole."""
    began = time.perf_counter()
    with _run(speed.nothing, ONE, num_samples=1_000_000, executor="processes"):
        return time.perf_counter() - began


def _useful(run: Callable[[int], float]) -> float:
    """The share of two slots' time that trials of 0.1 s get."""
    count = 400
    return 100 * 0.1 * count / (2 * run(count))


def _useful_s(count: int) -> float:
    with _run(tenth_of_a_second, ONE, num_samples=count, executor="processes") as result:
        spans = [(trial.started or 0.0, trial.ended or 0.0) for trial in result]
    return max(ended for _, ended in spans) - min(started for started, _ in spans)


def _start(executor: str) -> float:
    """Seconds from the call of ``run()`` to the first result."""
    began = time.time()
    with _run(timed, ONE, num_samples=1, executor=executor) as result:
        return float(result[0].metrics["at"]) - began


def _ray_alone() -> float:
    """Seconds that Ray takes to start, and to run one task."""
    began = time.time()
    import ray

    def when() -> float:
        return time.time()

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    return float(ray.get(ray.remote(when).remote())) - began


def _import() -> float:
    """Seconds that ``import trialwright`` takes, less those of Python itself."""
    return _python("import trialwright") - _python("pass")


def _python(code: str) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own
        times.append(time.perf_counter() - began)
    return statistics.median(times)


OURS: dict[str, Callable[[], float]] = {
    "trials": lambda: speed.trials("ray", 50_000),
    "trials, local": lambda: speed.trials("local", 50_000),
    "million": _million,
    "asha": lambda: speed.asha("ray", 10_000),
    "results": lambda: speed.results("ray", 1_000_000),
    "verdicts": lambda: _verdicts("ray"),
    "latency, p50": lambda: _latency_ms("p50"),
    "latency, p99": lambda: _latency_ms("p99"),
    "growth": _growth,
    "memory": _memory,
    "journal": lambda: _journal("bytes"),
    "load": lambda: _journal("load"),
    "resume": lambda: _journal("resume"),
    "useful": lambda: _useful(_useful_s),
    "start, processes": lambda: _start("processes"),
    "start, ray": lambda: _start("ray"),
    "import": _import,
}
PEERS: dict[str, Callable[[], float]] = {
    "trials": lambda: speed.ray_tune_trials(300),
    "trials, local": _optuna,
    "asha": lambda: speed.ray_tune_asha(100),
    "results": lambda: speed.ray_tune_results(2_000),
    "verdicts": _ray_tune_verdicts,
    "useful": lambda: _useful(lambda count: speed._ray_tune(tenth_of_a_second, count, {"x": 0.5})),  # noqa: SLF001
    "start, ray": _ray_alone,
}
