"""A run's directory in this layer: its link, its notes, and how to read them again."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, cast

from trialwright.engine import settings
from trialwright.engine.arguments import Arguments
from trialwright.engine.engine import Engine
from trialwright.loading import load_trials, resolver
from trialwright.messages import Plain
from trialwright.space import Space
from trialwright.storage import place as places
from trialwright.storage.base import Store
from trialwright.storage.files import keep
from trialwright.storage.sqlite import SqliteStore
from trialwright.tune import names, spaces
from trialwright.tune.callbacks import Callback
from trialwright.tune.config import NameOf
from trialwright.tune.records import Records
from trialwright.tune.trial import RunFacts, Trial

NOTES = "tune.json"  # in a run's directory: what only this layer must know to go on with it


_GIVEN_IN = {  # where Tuner.restore is given what the journal does not hold
    "space": "param_space",
    "searcher": "tune_config",
    "scheduler": "tune_config",
    "stop": "run_config",
    "executor": "run_config",
}


class LinkedEngine(Engine):
    """An engine that makes a link to its run's directory, by a name that people know, before anything starts."""

    _optional_metrics = frozenset({names.DONE})
    facts: RunFacts = RunFacts()
    link: str | None = None
    named = True  # by the user: the link to an earlier run of this name is turned round
    notes: Mapping[str, Any] = {}
    trainable: object = None  # as the user gave it

    def _open(self, arguments: Arguments) -> tuple[Store, Path | None, Store | None]:
        store, directory, past = super()._open(arguments)
        if directory is not None:
            self.facts.directory = str(directory)
            if self.link is not None:
                (_turn if self.named else _link)(directory, self.link)
                keep(directory / NOTES, json.dumps(self.notes))
        return store, directory, past

    def _how_to_resume(self, directory: Path) -> str:
        given = self.trainable
        code = [repr(given) if isinstance(given, str) else settings.name_of(given, "trainable")]
        again = dict.fromkeys(_GIVEN_IN[name] for name in settings.again(self._keywords) if name in _GIVEN_IN)
        code += [f"{name}={name}" for name in again]
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
                link = directory.parent.parent / harmless(str(self._creator(trial)))
                link.symlink_to(directory.relative_to(link.parent))


def harmless(name: str) -> str:
    """Return what of a name may be the name of a link."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "run"


def _link(directory: Path, name: str) -> None:
    """Make a link beside a run's directory, under this name or the next that is free."""
    for place in count(1):
        link = directory.with_name(name if place == 1 else f"{name}-{place}")
        with suppress(OSError):  # some disks have no links; the run can do without
            try:
                link.symlink_to(directory.name)
            except FileExistsError:
                continue
        return


def _turn(directory: Path, name: str) -> None:
    """The same, but turn the link of an earlier run of this name round."""
    link, draft = directory.with_name(name), directory.with_name(f".{directory.name}.link")
    if link.exists() and not link.is_symlink():
        return
    with suppress(OSError):  # some disks have no links; the run can do without
        draft.symlink_to(directory.name)
        draft.replace(link)


def is_run(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is a run in this directory."""
    return places.is_run(Path(path))


def check_run(directory: Path) -> None:
    """Refuse a directory without a run.

    Raises:
        ValueError: it has none.
    """
    places.find_run(directory)


def told_of(directory: Path) -> dict[str, Plain]:
    """Return the settings of the run in this directory: its engine's keywords, as far as they are data."""
    return SqliteStore.open(directory, read_only=True).settings


def read_notes(directory: Path) -> dict[str, Any]:
    """Return what this layer noted when the run began."""
    file = directory / NOTES
    try:
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
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
    path = Path(directory).resolve()
    check_run(path)
    store, notes = SqliteStore.open(path, read_only=True), read_notes(path)
    store.check()
    data = cast("dict[str, Any]", store.settings["data"])
    metrics, modes = data.get("metric") or [None], data.get("mode") or [None]
    space = Space.from_plain(data["space"]) if "space" in data else None
    if param_space is not None:
        space = spaces.as_space(param_space)
    facts = RunFacts(
        name=str(notes.get("trainable") or data.get("name") or "trial"),
        directory=str(path),
        varied=None if space is None else spaces.varied(space),
        metric=None if metrics[0] is None else names.from_engine(metrics[0]),
        mode=modes[0],
    )
    return Records(load_trials(store, path, resolver(store, space, "param_space")), facts, path)
