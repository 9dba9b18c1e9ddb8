"""The command ``bench``: a user's scheduler or searcher is compared with others."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from trialwright.cli.command import Json, command
from trialwright.cli.printing import escaped, print_json

if TYPE_CHECKING:
    from trialwright.bench import Comparison

_LISTS = ("--against", "--tasks", "--workers")


class _WithLists(TyperCommand):
    """Takes several values after one option, as in ``--workers 4 16``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - the library's
        """As the library, which needs the option before each value."""
        return super().parse_args(ctx, [*_repeated(args)])


def _repeated(args: Sequence[str]) -> Iterator[str]:
    option = None
    for each in args:
        if each.startswith("-"):
            option = each if each in _LISTS else None
        elif option:
            yield option
        if option != each:
            yield each


@command(
    "bench",
    "trialwright bench my.py:MyScheduler --against asha hyperband --tasks crossing-curves mine.npz --workers 4 16\n"
    "trialwright bench my.py:MySearcher --against gp tpe --evaluations 50",
    cls=_WithLists,
)
def bench(
    method: Annotated[
        list[str], typer.Argument(metavar="METHOD...", help="FILE.py:NAME of a class, object, or function; or a name.")
    ],
    *,
    against: Annotated[list[str] | None, typer.Option(help="The same: asha, hyperband, gp...")] = None,
    tasks: Annotated[list[str] | None, typer.Option(help="Names of tasks; paths of tables and runs.")] = None,
    workers: Annotated[list[int] | None, typer.Option(help="How many trials run at a time: 4 16.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each method on each task.")] = None,
    budget: Annotated[float | None, typer.Option(help="Of schedulers: full trainings, over all workers.")] = None,
    ask_s: Annotated[float | None, typer.Option(help="Of schedulers: virtual seconds of a searcher's answer.")] = None,
    evaluations: Annotated[int | None, typer.Option(help="Of searchers: how many in each run.")] = None,
    processes: Annotated[int | None, typer.Option(help="How many runs are made side by side.")] = None,
    directory: Annotated[Path, typer.Option(help="For runs and results.")] = Path("bench"),
    json: Json = False,
) -> None:
    """Compare schedulers or searchers on benchmark tasks. It writes ranks, intervals, tests, and a picture. An
    interrupted comparison continues from its directory."""
    settings = {"tasks": tasks, "workers": workers, "seeds": seeds, "processes": processes}
    others = {"budget": budget, "ask_s": ask_s, "evaluations": evaluations}
    found = compared([*method, *(against or [])], directory=directory, **settings, **others)
    if json:
        print_json([line.plain() for line in found.lines()])
    else:
        print(f"{_escaped(found.table())}\n\n{_escaped(found.pairwise())}")
    for path in found.save(directory):
        print(f"written: {path}", file=sys.stderr)


def compared(named: Sequence[str], **settings: Any) -> Comparison:  # noqa: ANN401 - of two kinds
    """Compare what a command names: schedulers, or searchers if one of them is a searcher.

    Args:
        named: names, or ``FILE.py:NAME``.
        settings: keywords of ``compare_schedulers`` and ``compare_searchers``; those that are None are left out.

    Raises:
        ValueError: there is no such file or name in it; or a setting is one of the other kind.
    """
    from trialwright import bench as comparing  # here: other commands start without the searchers' libraries
    from trialwright.cli.experiment import load_object  # here, as above

    methods = {name.rpartition(":")[2]: load_object(name, Path()) if ":" in name else name for name in named}
    given = {name: value for name, value in settings.items() if value not in (None, [])}
    searches = any(map(_searches, methods.values()))
    run: Any = comparing.compare_searchers if searches else comparing.compare_schedulers
    if wrong := sorted(given.keys() & ({"budget", "ask_s"} if searches else {"evaluations"})):
        kind = "searchers" if searches else "schedulers"
        raise ValueError(f"{', '.join(wrong)} cannot be given where {kind} are compared")
    return run(methods, progress=_progress, **given)  # type: ignore[no-any-return] # both return one


def _searches(given: object) -> bool:
    """Return whether a method is a searcher: a name that no scheduler has, or what can suggest."""
    from trialwright.bench.methods import METHODS

    return given.lower() not in METHODS if isinstance(given, str) else hasattr(given, "suggest")


def _escaped(text: str) -> str:
    """Return lines without control characters: names of methods and tasks are users'."""
    return "\n".join(map(escaped, text.splitlines()))


def _progress(done: int, count: int, run: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{done} of {count}: {escaped(run)}", end="\n" if done == count else "", file=sys.stderr)
    elif done == count:
        print(f"{count} runs were made", file=sys.stderr)
