"""What ``trialwright doctor`` looks at: what of this machine a run needs, and what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from trialwright.storage import place

OLDEST_PYTHON = (3, 11)
LEAST_FREE = 2**30  # bytes on the disk of the runs
LEAST_SHARED = 2**28  # bytes of /dev/shm, where Ray keeps objects
NVIDIA_S = 20.0
_DISTRIBUTION = "trialwright"
_GAINS = {  # what an extra is for
    "aim": "the tracker Aim",
    "bayesopt": "the searcher bayesian-optimization",
    "botorch": "the searcher BoTorch",
    "cmaes": "the searcher cmaes",
    "hyperopt": "the searcher HyperOpt",
    "mlflow": "the tracker MLflow",
    "optuna": "the searcher Optuna",
    "pandas": "result.dataframe()",
    "plots": "pictures",
    "sklearn": "SearchCV",
    "skopt": "the searcher scikit-optimize",
    "smac": "the searcher SMAC3",
    "wandb": "the tracker Weights & Biases",
    "zoopt": "the searcher ZOOpt",
}
_TOOLS = ("benchmarks", "dev", "examples")  # extras for people who change Trialwright


class Finding(NamedTuple):
    """One thing that was looked at. "missing" is something optional; "broken" prevents runs."""

    what: str
    state: Literal["ok", "missing", "warning", "broken"]
    found: str
    mend: str = ""  # a command, or what to do


def findings(storage: Path | None, *, with_ray: bool) -> list[Finding]:
    """Return all findings.

    Args:
        storage: where runs are kept; by default the storage home.
        with_ray: import Ray, too.
    """
    home = place.home() if storage is None else storage
    found = [_python(), _own(), _cpus()]
    found += [_ray()] if with_ray else []
    return [*found, _shared_memory(), *_gpus(), *_disk(home), *_extras()]


def _python() -> Finding:
    version = f"{platform.python_version()} in {sys.prefix}"
    if sys.version_info < OLDEST_PYTHON:
        return Finding("Python", "broken", version, f"install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    if sys.prefix == sys.base_prefix:
        return Finding("Python", "warning", f"{version}, no virtual environment", "python -m venv .venv")
    return Finding("Python", "ok", version)


def _own() -> Finding:
    return Finding("Trialwright", "ok", _version(_DISTRIBUTION) or "not installed: imported from its sources")


def _cpus() -> Finding:
    count = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count
    if usable < count:
        mend = "taskset, the batch system or the container limits this process: give num_cpus or cpus"
        return Finding("CPUs", "warning", f"{usable} of {count} may be used", mend)
    return Finding("CPUs", "ok", str(count))


def _ray() -> Finding:
    """Import Ray in a process of its own: a broken one may crash."""
    code = "import ray; print(ray.__version__)"
    told = subprocess.run(  # noqa: S603 - it is this Python
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    if told.returncode == 0:
        return Finding("Ray", "ok", told.stdout.strip())
    problem = (told.stderr.strip().splitlines() or ["it cannot be imported"])[-1]
    mend = "pip install --force-reinstall 'ray>=2.55'; or executor='processes', which needs no Ray"
    return Finding("Ray", "broken", problem, mend)


def _shared_memory() -> Finding:
    try:
        free = shutil.disk_usage("/dev/shm").free  # noqa: S108 - where Ray keeps objects
    except OSError:  # not Linux
        return Finding("shared memory", "ok", "this system has no /dev/shm")
    if free < LEAST_SHARED:
        mend = "docker run --shm-size=1g ...; or mount -o remount,size=1G /dev/shm"
        return Finding("shared memory", "warning", f"{_size(free)} free: Ray is slow with so little", mend)
    return Finding("shared memory", "ok", f"{_size(free)} free")


def _gpus() -> Iterator[Finding]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        yield Finding("GPUs", "missing", "nvidia-smi was not found", "install NVIDIA's driver, if there is a GPU")
        return
    fields = "--query-gpu=name,memory.total,driver_version"
    try:
        told = subprocess.run(  # noqa: S603 - found on the path of the user
            [tool, fields, "--format=csv,noheader"], capture_output=True, text=True, check=False, timeout=NVIDIA_S
        )
    except subprocess.TimeoutExpired:
        yield Finding("GPUs", "warning", f"nvidia-smi did not answer within {NVIDIA_S:g} s", "look at: dmesg")
        return
    if told.returncode:
        problem = (told.stdout + told.stderr).strip().splitlines()
        yield Finding("GPUs", "warning", problem[0] if problem else "nvidia-smi fails", "nvidia-smi")
    for number, line in enumerate(told.stdout.splitlines() if not told.returncode else ()):
        yield Finding(f"GPU {number}", "ok", line.strip())


def _disk(home: Path) -> Iterator[Finding]:
    """Write where runs are kept, or where their directory would be made."""
    there = next((each for each in (home, *home.parents) if each.is_dir()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        mend = f"chmod u+w {there}; or export TRIALWRIGHT_HOME=ANOTHER_DIRECTORY"
        yield Finding("storage", "broken", f"{home}: {error.strerror}", mend)
        return
    free, kind = shutil.disk_usage(there).free, place.file_system(there)
    if place.is_remote(kind):
        mend = "export TRIALWRIGHT_HOME=A_LOCAL_DIRECTORY"
        yield Finding("storage", "warning", f"{home} is on a network disk ({kind})", mend)
    elif free < LEAST_FREE:
        yield Finding("storage", "warning", f"{home} has {_size(free)} left", "trialwright ls, and delete old runs")
    else:
        yield Finding("storage", "ok", f"{home}, {_size(free)} free, {kind or 'of an unknown kind'}")


def _extras() -> Iterator[Finding]:
    """Look at the libraries of each extra of this installation."""
    for extra, names in sorted(_libraries().items()):
        found = {name: _version(name) for name in names}
        told = ", ".join(f"{name} {version or 'missing'}" for name, version in found.items())
        mend = f"pip install 'trialwright[{extra}]'  # {_GAINS.get(extra, extra)}"
        yield Finding(extra, "ok", told) if all(found.values()) else Finding(extra, "missing", told, mend)


def _libraries() -> dict[str, list[str]]:
    """Return the names of the libraries that each extra needs, from the metadata of the installation."""
    try:
        requirements = importlib.metadata.requires(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    libraries: dict[str, list[str]] = {}
    for line in requirements:
        requirement, _, marker = line.partition(";")
        if "extra ==" in marker:
            extra = marker.split("extra ==")[1].strip(" '\"")
            name = requirement.split("[")[0].split(">")[0].split("=")[0].split("<")[0].strip()
            if extra not in _TOOLS:
                libraries.setdefault(extra, []).append(name)
    return libraries


def _version(name: str) -> str:
    """Return the version of an installed distribution; an empty string if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
