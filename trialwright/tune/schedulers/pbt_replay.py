"""The replay of a population's schedule under Ray Tune's name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialwright import space
from trialwright.schedulers import PBTReplay, Scheduler
from trialwright.searchers import Schedule, Searcher
from trialwright.tune.schedulers.built_in import BuiltInScheduler
from trialwright.tune.trial import RunFacts

Policy = list[tuple[int, dict[str, Any]]]  # from which step on which configuration


class PopulationBasedTrainingReplay(BuiltInScheduler):
    """Takes one trial through the configurations of a population's best. See ``trialwright.schedulers.PBTReplay``.

    Args:
        policy_file: a file of JSON, a row a line: a step and the configuration from there on, as ``result.lineage``
            has them; or a policy file that Ray Tune's PBT has written.

    Raises:
        ValueError: there is no such file, or it is neither.
    """

    def __init__(self, policy_file: str) -> None:
        path = Path(policy_file).expanduser()
        if not path.is_file():
            raise ValueError(f"policy_file={policy_file!r}: there is no such file")
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            self._policy = _policy(rows)
            self._replay = PBTReplay(self._policy)
        except (ValueError, TypeError) as error:
            raise ValueError(f"policy_file={policy_file!r} holds no policy: {error}") from error

    def make(self, facts: RunFacts) -> Scheduler:
        """Return the engine's scheduler; it needs ``searcher`` and ``complete`` as well."""
        return self._replay

    def searcher(self, base: Searcher) -> Searcher:
        """Return the searcher that supplies the configurations, in place of any other."""
        return Schedule([config for _, config in self._policy])

    def complete(self, param_space: Mapping[str, Any]) -> dict[str, Any]:
        """Return the space with all that the policy sets in it."""
        return {**param_space, **_varied([config for _, config in self._policy])}


def _policy(rows: list[Any]) -> Policy:
    if all(len(row) == 2 for row in rows):
        return [(step, config) for step, config in rows]
    return _of_ray(rows)


def _of_ray(rows: list[Any]) -> Policy:
    """Read Ray Tune's rows from the last one back: whose, from whom, both steps, the old configuration, the new one.

    A row belongs to the schedule as long as it is about the trial that the row behind it was copied from.
    """
    policy: Policy = []
    first: dict[str, Any] = {}
    wanted = None
    for whose, from_whom, _, step, old, new in reversed(rows):
        if wanted not in (None, whose):
            break
        wanted, first = from_whom, old
        policy.append((step, new))
    return [(0, first), *reversed(policy)]


def _varied(configs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a space that has these configurations in it, and as little else as may be."""
    found: dict[str, Any] = {}
    for name in {name: None for config in configs for name in config}:
        values = [config[name] for config in configs if name in config]
        if all(isinstance(value, dict) for value in values):
            found[name] = _varied(values)
        else:
            distinct = list({repr(value): value for value in values}.values())
            found[name] = space.choice(distinct) if len(distinct) > 1 else distinct[0]
    return found
