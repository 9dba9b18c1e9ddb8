"""The command ``compare``: several runs beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from trialwright import runs
from trialwright.cli.command import Json, Storage, command
from trialwright.cli.printing import print_json, print_table
from trialwright.messages import Plain
from trialwright.nested import flatten
from trialwright.runs import RunInfo

_NOT_COMPARED = ("name", "seed", "notes", "space")


@command("compare", "trialwright compare digits-2026 digits-2027\ntrialwright compare runs/a* --json")
def compare(
    run: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Paths, names, or how they begin.")],
    *,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Compare runs: best values, and the settings that differ. Best values are shown also after equally many trials."""
    found = [runs.describe(runs.find(each, storage)) for each in run]
    if len(found) < 2:
        raise ValueError("two runs at least are compared")
    if len({each.objectives[:1] for each in found}) > 1:
        told = "; ".join(f"{each.id}: {each.objectives[:1] or 'none'}" for each in found)
        raise ValueError(f"the runs have different first metrics, which cannot be compared: {told}")
    rows = compared(found)
    if json:
        print_json(rows)
    else:
        print_table([[*row.values()] for row in map(_flat, rows)], [*_flat(rows[0])])


def compared(found: Sequence[RunInfo]) -> list[dict[str, Any]]:
    """Return a row for each run."""
    count = min(run.ended for run in found)
    differing = _differing([run.settings for run in found])
    return [_row(run, count, differing) for run in found]


def _row(run: RunInfo, count: int, differing: Sequence[str]) -> dict[str, Any]:
    early = runs.best_after(run, count)
    best = run.best and {"trial": run.best.trial, "step": run.best.step, "config": run.best.config}
    return {
        "run": run.id,
        "state": run.state,
        "trials": run.trials,
        "metric": run.metric,
        "best": run.best and run.best.value,
        f"best of first {count}": early and early.value,
        "took_s": round(run.elapsed_s, 3),
        "settings": {name: run.settings.get(name) for name in differing},
        "best_trial": best,
    }


def _flat(row: dict[str, Any]) -> dict[str, object]:
    """Return a row as the table shows it."""
    about = {name: value for name, value in row.items() if name not in ("settings", "best_trial")}
    best = row["best_trial"]
    return {**about, **row["settings"], "best config": best and flatten(best["config"])}


def _differing(settings: Sequence[dict[str, Plain]]) -> list[str]:
    names = dict.fromkeys(name for each in settings for name in each if name not in _NOT_COMPARED)
    return [name for name in names if len({repr(each.get(name)) for each in settings}) > 1]
