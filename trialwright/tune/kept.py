"""A run's directory in this layer: its links, its notes, and how to read them again."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from trialwright.engine.engine import Engine
from trialwright.engine.settings import name_of
from trialwright.loading import load_trials, resolver
from trialwright.space import Space
from trialwright.storage.place import can_be_named, find_run, harmless
from trialwright.storage.sqlite import SqliteStore
from trialwright.tune import names, spaces
from trialwright.tune.callbacks import Callback
from trialwright.tune.records import Records
from trialwright.tune.settings import NameOf
from trialwright.tune.trial import RunFacts, Trial

_GIVEN_IN = {  # where Tuner.restore is given what the journal does not hold
    "space": "param_space",
    "searcher": "tune_config",
    "scheduler": "tune_config",
    "stop": "run_config",
    "executor": "run_config",
}


class TuneEngine(Engine):
    """An engine that tells this layer where its run is kept, and people how this layer resumes it."""

    optional_metrics = frozenset({names.DONE})
    facts: RunFacts = RunFacts()
    trainable: object = None  # as the user gave it

    def begun(self, directory: Path | None) -> None:
        """Note the directory: the ids of trials come from its name."""
        self.facts.directory = None if directory is None else str(directory)

    def how_to_resume(self, directory: Path, again: Sequence[str]) -> str:
        """Return the code that resumes the run."""
        code = [repr(self.trainable) if isinstance(self.trainable, str) else name_of(self.trainable, "trainable")]
        code += [f"{name}={name}" for name in dict.fromkeys(_GIVEN_IN[each] for each in again if each in _GIVEN_IN)]
        return f"tune.Tuner.restore({str(directory)!r}, {', '.join(code)}).fit()"


class TrialLinks(Callback):
    """Makes a link to the directory of each trial, by a name that the user makes.

    Args:
        creator: makes the name, of which as much is taken as is harmless.
    """

    def __init__(self, creator: NameOf) -> None:
        self._creator = creator

    def on_trial_start(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """Make the link; if there is something of that name already, leave it alone."""
        if trial.local_path is not None:
            directory = Path(trial.local_path)
            with suppress(OSError):
                link = directory.parent.parent / link_name(str(self._creator(trial)))
                link.symlink_to(directory.relative_to(link.parent))


def link_name(name: str) -> str:
    """Return the name as that of a link: as it is, if a file can have it."""
    return name if can_be_named(name) else harmless(name) or "run"


def told_of(directory: Path) -> dict[str, Any]:
    """Return what the run in this directory was told: its engine's keywords, as far as they are data."""
    return cast("dict[str, Any]", SqliteStore.open(directory, read_only=True).settings["data"])


def notes_of(directory: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what this layer noted when the run began, in the journal or, of older runs, in a file."""
    file = directory / "tune.json"
    try:
        return dict(told.get("notes") or (json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}))
    except (OSError, ValueError, TypeError) as error:
        warnings.warn(f"{file} cannot be read, and the run is read without it: {error}", RuntimeWarning, stacklevel=2)
        return {}


def load(directory: str | os.PathLike[str], param_space: Mapping[str, Any] | Space | None = None) -> Records:
    """Read the results of a run from its journal, whether it is over or not.

    Args:
        directory: the run's.
        param_space: its space, where that holds what is no data; without it these parameters are missing.

    Raises:
        ValueError: there is no run, or this is not its space.
        StorageError: its journal is damaged.
    """
    path = find_run(Path(directory).resolve())
    store = SqliteStore.open(path, read_only=True)
    store.check()
    told = cast("dict[str, Any]", store.settings["data"])
    metrics, modes = told.get("metric") or [None], told.get("mode") or [None]
    space = Space.from_plain(told["space"]) if "space" in told else None
    if param_space is not None:
        space = spaces.as_space(param_space)
    facts = RunFacts(
        name=str(notes_of(path, told).get("trainable") or told.get("name") or "trial"),
        directory=str(path),
        varied=None if space is None else spaces.varied(space),
        metric=None if metrics[0] is None else names.from_engine(metrics[0]),
        mode=modes[0],
    )
    return Records(load_trials(store, path, resolver(store, space, "param_space")), facts, path)
