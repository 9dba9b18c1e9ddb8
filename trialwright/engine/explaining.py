"""Explanations of a run that is loaded from its journal: its decisions, with the scheduler's reasons where the journal
holds the scheduler."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import cast

from trialwright.core.trial import Descent
from trialwright.engine import settings
from trialwright.engine.arguments import Arguments, as_space
from trialwright.engine.checking import check
from trialwright.engine.engine import Engine
from trialwright.engine.replay import Explainer, decisions, explain, replayed
from trialwright.messages import Plain
from trialwright.results import Decided, Descents
from trialwright.space import Space
from trialwright.storage import formats
from trialwright.storage.sqlite import SqliteStore

_HERE: dict[str, object] = {"executor": "local", "storage": None, "verbose": 0}  # nothing is run


@dataclass(frozen=True)
class LoadedExplainer(Explainer):
    """Explains a run by its journal alone. ``given`` may have its ``space``, which the journal does
    not hold if there are functions in it."""

    store: SqliteStore
    given: Mapping[str, object]

    def __reduce__(self) -> tuple[type[LoadedExplainer], tuple[SqliteStore, dict[str, object]]]:
        """Be pickled with the journal's path. A space that holds functions is not: then reasons are missing, which is
        said."""
        kept = {name: value for name, value in self.given.items() if as_space(value).to_plain() is not None}
        return LoadedExplainer, (self.store, kept)

    def __call__(self) -> list[Decided]:
        if self.store.format < formats.FIRST:
            raise ValueError("this run has format 1, whose decisions cannot be explained")
        if not (missing := self._missing):
            return [*explain(_arguments(self.store.settings, self.given), self.store.entries())]
        text = (
            f"the decisions come without the scheduler's reasons, because the journal does not hold: "
            f"{', '.join(missing)}; the result of Engine.resume(...).run() has the reasons"
        )
        warnings.warn(text, RuntimeWarning, stacklevel=3)
        return [*decisions(self.store.entries())]

    def descents(self) -> Descents:
        """Return when each trial went on as a clone, and of which.

        Raises:
            ValueError: the journal does not hold all that the replay needs.
        """
        if self._missing or self.store.format < formats.FIRST:
            why = f"the journal does not hold: {', '.join(self._missing)}" if self._missing else "it has format 1"
            raise ValueError(
                f"the lineage of this run cannot be told, because {why}; the result of Engine.resume has it"
            )
        arguments = _arguments(self.store.settings, self.given)
        found = replayed(arguments, self.store.entries()).trials
        return {number: _resolved(trial.descents, arguments.space) for number, trial in found.items() if trial.descents}

    @property
    def _missing(self) -> list[str]:
        """The keywords that are needed and neither kept nor given."""
        again = cast("list[str]", self.store.settings["again"])
        return [name for name in again if name not in self.given and name not in _HERE]


def _resolved(descents: tuple[Descent, ...], space: Space) -> tuple[Descent, ...]:
    return tuple(each._replace(before=space.resolve(each.before)) for each in descents)


def _arguments(told: Mapping[str, Plain], given: Mapping[str, object]) -> Arguments:
    defaults = {name: each.default for name, each in signature(Engine).parameters.items()}
    kept = settings.read({**told, "again": [], "executor": None}, given)
    return check({**defaults, **kept, **_HERE, "objective": _objective, "link": None})


def _objective(config: object) -> None:
    """Stand where an objective has to: it is never called."""
