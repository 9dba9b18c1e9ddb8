"""A trial as Ray Tune's users know it: what callbacks, loggers, stoppers, schedulers, and reporters get.

The engine numbers its trials and hands out snapshots of them (``TrialInfo``). A ``Trial`` here is one object for the
whole life of a trial, so that it can be a key of a dict; it takes in each newer snapshot. Each callback has trials of
its own, because each runs in its own thread.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2s
from pathlib import Path
from typing import Any, ClassVar

from trialwright.callbacks import TrialInfo
from trialwright.nested import flatten
from trialwright.on_demand import OnDemand
from trialwright.schedulers import TrialView
from trialwright.space.values import fresh
from trialwright.trial_result import TrialResult
from trialwright.tune import names
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.resources import PlacementGroupFactory
from trialwright.tune.spaces import format_vars

_STATUS = {"waiting": "PENDING", "running": "RUNNING", "stopping": "RUNNING", "paused": "PAUSED", "ended": "TERMINATED"}


@dataclass
class RunFacts:
    """What all trials of a run have in common.

    Args:
        name: of what is tuned.
        directory: the run's, as soon as it is known; five letters of each trial's id come from its name, so that a
            resumed run has the same.
        varied: the paths of the parameters that vary (``model/lr``); None if not known: then all count.
        metric: what is optimised, by the user's name for it.
        mode: "min" or "max".
        num_samples: how many trials there will be; None if not known.
        stop: the stop rule as the user gave it.
        trial_name_creator: what makes ``str(trial)``, if the user gave it.
        max_failures: how often each may fail.
        needs: says of a config what a trial of it asks for; None if that is not known.
        resolve: makes of a config as the engine keeps it the one that the objective gets.
    """

    name: str = "trial"
    directory: str | None = None
    varied: frozenset[str] | None = None
    metric: str | None = None
    mode: str | None = None
    num_samples: int | None = None
    stop: object = None
    trial_name_creator: Callable[[Trial], str] | None = None
    max_failures: int = 0
    needs: Callable[[dict[str, Any]], PlacementGroupFactory] | None = None
    resolve: Callable[[dict[str, Any]], dict[str, Any]] = fresh
    _drawn: str = field(default_factory=lambda: secrets.token_hex(3)[:5], repr=False)

    def locate(self, directory: object) -> None:
        """Take in the run's directory, which is None if nothing is kept; one that is known already stays."""
        if self.directory is None and directory is not None:
            self.directory = str(directory)

    @property
    def run(self) -> str:
        """Five hexadecimal digits that name the run."""
        return self._drawn if self.directory is None else run_digits(self.directory)

    def trial_id(self, number: int) -> str:
        """Return what users call the trial of this number: ``85955_00000``."""
        return f"{self.run}_{number:05d}"


def run_digits(directory: str | Path) -> str:
    """Return five hexadecimal digits for a run's directory: those that end its name, or a digest of it."""
    found = re.search(r"-([0-9a-f]{5})[0-9a-f]?$", Path(directory).name)
    return found.group(1) if found else blake2s(Path(directory).name.encode(), digest_size=3).hexdigest()[:5]


class Trial:
    """One trial. Equal to any other of the same id."""

    PENDING: ClassVar[str] = "PENDING"
    RUNNING: ClassVar[str] = "RUNNING"
    PAUSED: ClassVar[str] = "PAUSED"
    TERMINATED: ClassVar[str] = "TERMINATED"
    ERROR: ClassVar[str] = "ERROR"

    def __init__(self, facts: RunFacts, info: TrialInfo) -> None:
        self.facts = facts
        self.info = info
        self.trial_id = facts.trial_id(info.id)
        self.resized: PlacementGroupFactory | None = None  # what it asks for since its resources were changed
        self.view: TrialView | None = None  # as the engine's schedulers see it, where a scheduler is asked
        self._result: dict[str, Any] | None = None
        self._follows = False  # every report is noted; the snapshot's may be a later one
        self._tag: tuple[int, str] | None = None  # for which attempt: only the next may have another config

    @classmethod
    def of_result(cls, facts: RunFacts, result: TrialResult) -> Trial:
        """Make a trial of a run that is over.

        Args:
            facts: what is common to the run's trials.
            result: what is known of this one.
        """
        info = TrialInfo(
            id=result.id,
            config=result.config,
            state=result.state,
            outcome=result.outcome,
            attempt=result.attempts,
            step=result.step,
            metrics=result.metrics,
            error=result.error,
            checkpoint=None if result.saved is None else str(Path(result.saved.path)),
            directory=None if result.directory is None else str(result.directory),
        )
        return cls(facts, info)

    def update(self, info: TrialInfo) -> Trial:
        """Take in a newer snapshot; return the trial."""
        self.info = info
        if not self._follows:
            self._result = None
        return self

    def note(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Take the next report in, and return it as users see it; it is ``last_result`` until another one is noted.

        Args:
            row: the report, with the engine's names.
        """
        self._follows, self._result = True, self._seen(row)
        return self._result

    @property
    def last_result(self) -> dict[str, Any]:
        """Its last report, with the automatic metrics; only these where it has not reported yet."""
        if self._result is None:
            self._result = self._seen(self.info.metrics)
        if self.info.outcome is not None and not self._result["done"]:
            self._result = names.Shown(self._result, done=True)  # a copy: callbacks were given the report as it was
        return self._result

    def _seen(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return names.result_of(
            row,
            trial_id=self.trial_id,
            experiment_id=self.facts.run,
            experiment_tag=self.experiment_tag,
            config=self.info.config,
        )

    # What it is -----------------------------------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """What the engine calls it."""
        return self.info.id

    @property
    def trainable_name(self) -> str:
        return self.facts.name

    @property
    def config(self) -> dict[str, Any]:
        """What the objective gets."""
        return self.info.config

    @property
    def evaluated_params(self) -> dict[str, Any]:
        """What varies, by its path: ``{"model/lr": 0.1}``."""
        varied = self.facts.varied
        found = flatten(self.config, varied or ())
        return found if varied is None else {path: found[path] for path in found if path in varied}

    @property
    def experiment_tag(self) -> str:
        """What varies, as a string that can be a file name: ``0_bias=0.73356,weight=0.16088``."""
        if self._tag is None or self._tag[0] != self.info.attempt:
            self._tag = self.info.attempt, tag_of(self.number, self.evaluated_params)
        return self._tag[1]

    @property
    def max_failures(self) -> int:
        """How often it may fail."""
        return self.facts.max_failures

    @property
    def placement_group_factory(self) -> PlacementGroupFactory | None:
        """What it asks for; None where that is not known, as of a run that is read from the disk."""
        return self.resized or (None if self.facts.needs is None else self.facts.needs(self.config))

    @property
    def custom_trial_name(self) -> str | None:
        creator = self.facts.trial_name_creator
        if creator is None:
            return None
        try:
            self.facts.trial_name_creator = None  # it may well use str(trial)
            return str(creator(self))
        finally:
            self.facts.trial_name_creator = creator

    # Where it stands ------------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """PENDING, RUNNING, PAUSED, TERMINATED, or ERROR."""
        failed = (self.info.outcome or "").startswith(("failed", "lost"))
        return self.ERROR if failed else _STATUS[self.info.state]

    def is_finished(self) -> bool:
        """Tell whether it has ended, well or badly."""
        return self.status in (self.TERMINATED, self.ERROR)

    @property
    def has_reported_at_least_once(self) -> bool:
        return self.info.step > 0

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What it saved last."""
        return None if self.info.checkpoint is None else Checkpoint.from_saved(self.info.checkpoint)

    def has_checkpoint(self) -> bool:
        """Tell whether it has saved one."""
        return self.info.checkpoint is not None

    # Where its files are --------------------------------------------------------------------------------------------

    @property
    def local_path(self) -> str | None:
        """The directory of its files; None where nothing is kept."""
        return self.info.directory

    path = logdir = local_path

    @property
    def storage(self) -> Storage:
        """The paths of its files, by the names that Ray Tune's storage has."""
        return Storage(self.facts.directory, self.info.directory)

    @property
    def local_experiment_path(self) -> str | None:
        return self.facts.directory

    local_dir = local_experiment_path

    def init_local_path(self) -> None:
        """Make its directory, unless it is there."""
        if self.local_path is not None:
            Path(self.local_path).mkdir(parents=True, exist_ok=True)

    init_logdir = init_local_path

    @property
    def error_file(self) -> str | None:
        """The file with what went wrong, if something has and a logger has written it."""
        file = Path(self.local_path or "", "error.txt")
        return str(file) if self.info.error and self.local_path and file.is_file() else None

    def get_error(self) -> str | None:
        """Return what went wrong last, if something has."""
        return self.info.error or None

    # As a value -----------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        return self.custom_trial_name or f"{self.trainable_name}_{self.trial_id}".replace("/", "_")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trial) and other.trial_id == self.trial_id

    def __hash__(self) -> int:
        return hash(self.trial_id)


@dataclass(frozen=True)
class Storage:
    """Where the files of a trial and of its run are; None where nothing is kept.

    Args:
        experiment_fs_path: the run's directory.
        trial_fs_path: the trial's.
    """

    experiment_fs_path: str | None
    trial_fs_path: str | None

    @property
    def trial_working_directory(self) -> str | None:
        """The trial's directory: trials write to the storage themselves."""
        return self.trial_fs_path


class TrialBook:
    """The trials of a run, one object each, for one callback or the like."""

    def __init__(self, facts: RunFacts) -> None:
        self.facts = facts
        self._trials: dict[int, Trial] = {}

    def see(self, info: TrialInfo) -> Trial:
        """Return the trial of this snapshot, which it takes in."""
        trial = self._trials.get(info.id)
        if trial is None:
            trial = self._trials[info.id] = Trial(self.facts, info)
        return trial if trial.info is info else trial.update(info)

    def all(self, infos: Sequence[TrialInfo]) -> Sequence[Trial]:
        """Return all trials, made only when they are looked at."""
        return OnDemand(infos, self.see)


def tag_of(number: int, settings: Mapping[str, Any]) -> str:
    """Return a trial's tag: its number, and what varies by its path, as a string that can be a file name."""
    paths = {tuple(path.split("/")): value for path, value in settings.items()}
    return "_".join(filter(None, [str(number), format_vars(paths)]))
