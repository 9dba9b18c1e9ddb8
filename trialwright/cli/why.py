"""The command ``why``: the decisions about one trial, with the facts behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialwright import runs
from trialwright.cli import comment
from trialwright.cli.command import Json, Run, Storage, command
from trialwright.cli.printing import brief, print_json, print_pairs, print_table
from trialwright.core.trial import has_begun
from trialwright.nested import flatten
from trialwright.storage.base import TrialRow
from trialwright.trial_query import query_trials

if TYPE_CHECKING:  # it imports the searchers, and a command should answer at once
    from trialwright.results import Decided


@command("why", "trialwright why digits-2026 7\ntrialwright why digits-2026 7 --json | jq '.decisions[-1].facts'")
def why(
    run: Run,
    trial: Annotated[int, typer.Argument(help="The number of a trial.", show_default=False, min=0)],
    *,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Explain why a trial was stopped, or how it failed. It shows all decisions with their facts. The journal is
    replayed for this, as for a resume; the objective is not needed."""
    path = runs.find(run, storage)
    found = query_trials(path, where=f"id = {trial}")
    if not found:
        info = runs.describe(path)
        raise ValueError(f"there is no trial {trial} in {info.id!r}: it has {info.trials}")
    from trialwright.loading import load  # here, as above

    result = load(path)
    decided = result.explain(trial) if has_begun(found[0]) else []
    if json:
        print_json({**_about(found[0]), "decisions": [_plain(each) for each in decided]})
        return
    print_pairs(_facts(found[0]))
    print_pairs(comment.lines(path, trial))
    if decided:
        print_table(map(_line, decided), ("time", "step", "decision", "reason", "facts"))
    else:
        print_pairs([("decisions", "none: no scheduler or stop rule had to decide about this trial")])


def _about(row: TrialRow) -> dict[str, Any]:
    about = {name: getattr(row, name) for name in ("id", "state", "outcome", "reason", "attempt", "step")}
    return {**about, "error": row.error, "traceback": row.traceback, "config": runs.shown(row.config)}


def _facts(row: TrialRow) -> Iterator[tuple[str, object]]:
    yield "trial", row.id
    yield "outcome", row.outcome or row.state
    yield from ((name, text) for name, text in (("reason", row.reason), ("error", row.error)) if text)
    yield "config", flatten(runs.shown(row.config))
    yield "last report", row.metrics
    for line in row.traceback.splitlines():
        yield "traceback", line


def _line(decided: Decided) -> tuple[object, ...]:
    reason = getattr(decided.decision, "reason", "")
    facts = {name: brief(value) if isinstance(value, list) else value for name, value in decided.facts.items()}
    return (decided.now, decided.step, type(decided.decision).__name__, reason, facts)


def _plain(decided: Decided) -> dict[str, Any]:
    decision = {"kind": type(decided.decision).__name__, **asdict(decided.decision)}
    return {"time_s": decided.now, "step": decided.step, "decision": decision, "facts": decided.facts}
