"""Explanations of a run that is loaded from its journal: its decisions, with the scheduler's reasons where the journal
holds the scheduler."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import cast

from trialwright.engine import settings
from trialwright.engine.arguments import Arguments
from trialwright.engine.checking import check
from trialwright.engine.engine import Engine
from trialwright.engine.replay import Explainer, decisions, explain
from trialwright.messages import Plain
from trialwright.results import Decided
from trialwright.storage import formats
from trialwright.storage.sqlite import SqliteStore

_HERE: dict[str, object] = {"executor": "local", "storage": None, "verbose": 0}  # nothing is run


@dataclass(frozen=True)
class LoadedExplainer(Explainer):
    """Explains a run by its journal alone. ``given`` are keywords of its Engine that the journal does not hold."""

    store: SqliteStore
    given: Mapping[str, object]

    def __call__(self) -> list[Decided]:
        if self.store.format < formats.FIRST:
            raise ValueError("this run has format 1, whose decisions cannot be explained")
        missing = [name for name in cast("list[str]", self.store.settings["again"]) if name not in self.given]
        missing = [name for name in missing if name not in _HERE]
        if not missing:
            return [*explain(_arguments(self.store.settings, self.given), self.store.entries())]
        text = (
            f"the decisions come without the scheduler's reasons, because the journal does not hold: "
            f"{', '.join(missing)}; the result of Engine.resume(...).run() has the reasons"
        )
        warnings.warn(text, RuntimeWarning, stacklevel=3)
        return [*decisions(self.store.entries())]


def _arguments(told: Mapping[str, Plain], given: Mapping[str, object]) -> Arguments:
    defaults = {name: each.default for name, each in signature(Engine).parameters.items()}
    kept = settings.read({**told, "again": [], "executor": None}, given)
    return check({**defaults, **kept, **_HERE, "objective": _objective, "link": None})


def _objective(config: object) -> None:
    """Stand where an objective has to: it is never called."""
