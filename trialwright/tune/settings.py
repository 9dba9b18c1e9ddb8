"""The settings of a run, by Ray Tune's names: in configs, or as the flat keywords of ``tune.run`` and ``Experiment``.

Each is honoured, or refused here by name with what to use instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from trialwright.engine.replay import Retry
from trialwright.errors import refuse
from trialwright.executors import Executor, Local
from trialwright.storage.place import home
from trialwright.tune.resources import Resources
from trialwright.tune.result import RAY_CHDIR_TO_TRIAL_DIR
from trialwright.tune.trial import Trial

DEPRECATED = "DEPRECATED"  # Ray Tune's default for arguments that should not be given any more
NameOf = Callable[[Trial], str]


@dataclass
class TuneConfig:
    """What to search for, and how.

    Args:
        mode: "min" or "max"; of several metrics, one each.
        metric: what to optimise, as it is reported; or several.
        search_alg: a searcher of ``tune.search``, of ``trialwright``'s own, or its name; random search by default.
        scheduler: a scheduler of ``tune.schedulers``, of ``trialwright``'s own, or its name; FIFO by default.
        num_samples: how many trials; with ``grid_search`` in the space, how often the grid is repeated; -1: no end.
        max_concurrent_trials: run no more at a time; None: as many as there is room for.
        time_budget_s: end the run after so many seconds, or a ``timedelta``.
        reuse_actors: run one trial after another in the same process, and let classes reset themselves.
        trial_name_creator: makes a trial's name, as it is shown.
        trial_dirname_creator: makes the name of a link, in the run's directory, to the trial's, which is a number.
        chdir_to_trial_dir: False: trials run in the program's working directory, not each in its own;
            ``RAY_CHDIR_TO_TRIAL_DIR=0`` in the environment says the same.
        resources_per_trial: what one trial needs: ``{"cpu": 1, "gpu": 0.5}``, or a ``PlacementGroupFactory``.
        seed: of every random draw; not in Ray Tune.

    Raises:
        ValueError: something cannot be had; the text says what to use instead.
    """

    mode: str | Sequence[str] | None = None
    metric: str | Sequence[str] | None = None
    search_alg: Any = None
    scheduler: Any = None
    num_samples: int = 1
    max_concurrent_trials: int | None = None
    time_budget_s: float | timedelta | None = None
    reuse_actors: bool = False
    trial_name_creator: NameOf | None = None
    trial_dirname_creator: NameOf | None = None
    chdir_to_trial_dir: bool | str = DEPRECATED
    resources_per_trial: Resources | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        refuse(self._problems(), "TuneConfig")

    def _problems(self) -> Iterator[str]:
        if self.chdir_to_trial_dir not in (DEPRECATED, True, False):
            yield f"chdir_to_trial_dir must be True or False, not {self.chdir_to_trial_dir!r}"
        for mode in [self.mode] if isinstance(self.mode, str) else self.mode or ():
            if mode not in ("min", "max"):
                yield f"mode must be 'min' or 'max', not {mode!r}"

    @property
    def changes_directory(self) -> bool:
        """Each trial runs in a directory of its own."""
        given = self.chdir_to_trial_dir
        return os.environ.get(RAY_CHDIR_TO_TRIAL_DIR, "1") != "0" if given == DEPRECATED else bool(given)

    @property
    def budget_s(self) -> float | None:
        """The time budget in seconds."""
        given = self.time_budget_s
        return given.total_seconds() if isinstance(given, timedelta) else given


@dataclass
class FailureConfig:
    """What to do with trials that fail.

    Args:
        max_failures: how often a trial is tried again, from its last checkpoint; -1: no end.
        fail_fast: True: end the run with the first trial that fails; "raise": and raise what that trial did.

    Raises:
        ValueError: both are given, or one is none of these.
    """

    max_failures: int = 0
    fail_fast: bool | Literal["raise"] = False

    def __post_init__(self) -> None:
        if self.fail_fast not in (True, False, "raise"):
            raise ValueError(f"fail_fast must be True, False, or 'raise', not {self.fail_fast!r}")
        if self.fail_fast and self.max_failures != 0:
            raise ValueError("max_failures must be 0 with fail_fast: a trial that is tried again does not end the run")


@dataclass
class CheckpointConfig:
    """What to keep of what trials save, and when to save classes.

    Args:
        num_to_keep: how many checkpoints of a trial to keep, besides its latest and its best; None keeps all.
        checkpoint_score_attribute: keep those that are best by this metric; by default the latest.
        checkpoint_score_order: whether the best is the "min" or the "max".
        checkpoint_frequency: save a class after so many steps; 0: never for that reason.
        checkpoint_at_end: save a class with its last result.

    Raises:
        ValueError: a number or an order that is none.
    """

    num_to_keep: int | None = None
    checkpoint_score_attribute: str | None = None
    checkpoint_score_order: str | None = "max"
    checkpoint_frequency: int = 0
    checkpoint_at_end: bool | None = None

    def __post_init__(self) -> None:
        refuse(self._problems(), "CheckpointConfig")

    def _problems(self) -> Iterator[str]:
        if self.num_to_keep is not None and self.num_to_keep < 1:
            yield f"num_to_keep must be at least 1, or None for all, not {self.num_to_keep!r}"
        if self.checkpoint_score_order not in ("min", "max"):
            yield f"checkpoint_score_order must be 'min' or 'max', not {self.checkpoint_score_order!r}"
        if self.checkpoint_frequency < 0:
            yield f"checkpoint_frequency must be at least 0, not {self.checkpoint_frequency!r}"


@dataclass
class SyncConfig:
    """How files get to the storage: a trial writes them there itself, so there is nothing to say.

    Args:
        sync_period: only its default is taken.
        sync_timeout: only its default is taken.
        sync_artifacts: a trial's own files are kept either way: they lie in its directory.
        sync_artifacts_on_checkpoint: the same.

    Raises:
        ValueError: another period or timeout.
    """

    sync_period: int = 300
    sync_timeout: int = 1800
    sync_artifacts: bool = False
    sync_artifacts_on_checkpoint: bool = True

    def __post_init__(self) -> None:
        if (self.sync_period, self.sync_timeout) != (300, 1800):
            raise ValueError("sync_period, sync_timeout: nothing is copied; trials write to the storage themselves")


class ResumeType(Enum):
    """What a resumed run does with a trial."""

    RESUME = "resume"
    RESTART = "restart"
    SKIP = "skip"


@dataclass
class ResumeConfig:
    """What a resumed run does with its trials.

    Args:
        finished: SKIP: what is complete stays so; another answer is refused.
        unfinished: RESUME: that is what going on means; another answer is refused.
        errored: SKIP; or RESUME: try them again from their last checkpoints; or RESTART: from scratch.

    Raises:
        ValueError: a refused answer.
    """

    finished: ResumeType = ResumeType.SKIP
    unfinished: ResumeType = ResumeType.RESUME
    errored: ResumeType = ResumeType.SKIP

    ResumeType = ResumeType

    def __post_init__(self) -> None:
        if (self.finished, self.unfinished) != (ResumeType.SKIP, ResumeType.RESUME):
            raise ValueError(
                "finished, unfinished: a resumed run is the same run: finished trials stay as they are, and unfinished "
                "ones go on; Engine.enqueue(config) tries a configuration once more"
            )

    @property
    def retry_failed(self) -> Retry | None:
        """From where the engine tries failed trials again."""
        return _RETRIES[self.errored]


_RETRIES: dict[ResumeType, Retry | None] = {
    ResumeType.SKIP: None,
    ResumeType.RESUME: "checkpoint",
    ResumeType.RESTART: "scratch",
}


@dataclass
class RunConfig:
    """Where a run is kept, and what goes with it.

    Args:
        name: what people call the run; a link of this name leads to the run's directory.
        storage_path: the directory in which runs are kept, also as ``file:///...``; ``$TRIALWRIGHT_HOME`` or
            ``~/trialwright`` by default.
        storage_filesystem: refused: the storage is a directory of this machine.
        failure_config: what to do with trials that fail.
        checkpoint_config: what to keep of what trials save.
        sync_config: nothing, but it may be given.
        verbose: as for ``Engine``; None is 1.
        stop: when a trial ends: ``{"accuracy": 0.95}``, ``{"loss": ("<=", 0.1)}``, a function, or a
            ``Stopper``.
        callbacks: called at every event of the run.
        progress_reporter: shows the progress instead of ours.
        log_to_file: in processes and on Ray what a trial prints is in its files ``stdout`` and ``stderr``, always:
            other names are refused, and so is True where trials are threads, which share this process's output.
        local_dir: the old name of ``storage_path``.
        executor: where trials run: "ray", "local" (threads of this process), or an object; not in Ray Tune.
        export_formats: in which forms a class writes its model when a trial ends; in Ray Tune only of ``tune.run``.

    Raises:
        ValueError: something cannot be had; the text says what to use instead.
    """

    name: str | None = None
    storage_path: str | os.PathLike[str] | None = None
    storage_filesystem: object = None
    failure_config: FailureConfig | None = None
    checkpoint_config: CheckpointConfig | None = None
    sync_config: SyncConfig | None = None
    verbose: int | None = None
    stop: Any = None
    callbacks: Sequence[Any] | None = None
    progress_reporter: Any = None
    log_to_file: bool | str | tuple[str, str] = False
    local_dir: str | os.PathLike[str] | None = None
    executor: str | Executor = "ray"
    export_formats: Sequence[str] | None = None

    def __post_init__(self) -> None:
        refuse(self._problems(), "RunConfig")
        self.storage_path = self.storage_path or self.local_dir
        self.failure_config = self.failure_config or FailureConfig()
        self.checkpoint_config = self.checkpoint_config or CheckpointConfig()

    @property
    def storage(self) -> Path:
        """The directory in which runs are kept."""
        return local_path(self.storage_path) if self.storage_path else home()

    def _problems(self) -> Iterator[str]:
        if self.storage_filesystem is not None or "://" in os.fspath(self.storage_path or "").removeprefix("file://"):
            yield "storage_filesystem, storage_path: runs are kept on a disk that is mounted here: give a directory"
        if self.storage_path is not None and self.local_dir not in (None, self.storage_path):
            yield "local_dir is the old name of storage_path: give one of them"
        if not isinstance(self.log_to_file, bool):
            yield f"log_to_file={self.log_to_file!r}: what a trial prints is in its files 'stdout' and 'stderr'"
        elif self.log_to_file and (self.executor == "local" or isinstance(self.executor, Local)):
            yield (
                "log_to_file=True: with executor='local' trials are threads, which share this process's output: "
                "with executor='processes' or 'ray' each trial has files of its own, always"
            )


def local_path(given: str | os.PathLike[str]) -> Path:
    """Return a path of this machine, which may be given as ``file:///...``."""
    return Path(os.fspath(given).removeprefix("file://")).expanduser()


def refuse_filesystem(given: object) -> None:
    """Refuse a filesystem of pyarrow's.

    Raises:
        ValueError: one is given.
    """
    if given is not None:
        raise ValueError("storage_filesystem: runs are kept on a disk that is mounted here")


_OLD_CHECKPOINTS = ("checkpoint_freq", "checkpoint_at_end", "keep_checkpoints_num", "checkpoint_score_attr")
_REFUSED = {
    "restore": "have the trainable load the checkpoint in its setup()",
}


def settings_of(keywords: Mapping[str, Any]) -> tuple[TuneConfig, RunConfig]:
    """Return the settings that flat keywords say, which are called as the fields of the configs, or have older names.

    Raises:
        ValueError: something cannot be had, or is given twice; the text says what to use instead.
        TypeError: there is no such setting.
    """
    given = dict(keywords)
    refuse([f"{name}: {why}" for name, why in _REFUSED.items() if given.pop(name, None)], "this cannot be had")
    old = given.pop("trial_resources", None)
    if old is not None and given.get("resources_per_trial") is not None:
        raise ValueError("trial_resources is the old name of resources_per_trial: give one of them")
    if old is not None:
        given["resources_per_trial"] = old
    if isinstance(given.get("sync_config"), Mapping):
        given["sync_config"] = SyncConfig(**given["sync_config"])
    given["checkpoint_config"] = _checkpoints(given.pop("checkpoint_config", None), _taken(_OLD_CHECKPOINTS, given))
    given["failure_config"] = FailureConfig(**_taken(_names(FailureConfig), given))
    tune_config = TuneConfig(**_taken(_names(TuneConfig), given))
    return tune_config, RunConfig(**given)


def _checkpoints(config: CheckpointConfig | Mapping[str, Any] | None, old: Mapping[str, Any]) -> CheckpointConfig:
    """Return what to keep of what trials save, as a config or a dict of its fields says, or the older keywords."""
    if not any(old.values()):
        return CheckpointConfig(**config) if isinstance(config, Mapping) else config or CheckpointConfig()
    if config is not None:
        raise ValueError(f"{', '.join(_OLD_CHECKPOINTS)}: say it in checkpoint_config, which is given too")
    score = old.get("checkpoint_score_attr")
    attribute = score.removeprefix("min-") if score else None
    return CheckpointConfig(
        num_to_keep=old.get("keep_checkpoints_num"),
        checkpoint_score_attribute=attribute,
        checkpoint_score_order="max" if attribute == score else "min",
        checkpoint_frequency=old.get("checkpoint_freq") or 0,
        checkpoint_at_end=old.get("checkpoint_at_end"),
    )


def _names(config: type[TuneConfig | FailureConfig]) -> list[str]:
    return [field.name for field in fields(config)]


def _taken(names: Iterable[str], given: dict[str, Any]) -> dict[str, Any]:
    """Take what has these names out of what is given."""
    return {name: given.pop(name) for name in names if name in given}
