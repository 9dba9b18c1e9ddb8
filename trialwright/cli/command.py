"""What all commands share: how one is registered, its usual options, how errors end it, and how a run is named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup

from trialwright import runs
from trialwright.cli.printing import escaped
from trialwright.errors import RunInterrupted, TrialwrightError

FAILED, USAGE = 1, 2  # exit codes: the thing failed; the command was wrong

P = ParamSpec("P")

ORDER = (
    *("ls", "show", "best", "trials", "why", "curves", "plot", "compare", "comment", "export"),
    *("run", "resume", "attach", "tail", "enqueue", "add-samples", "stop", "pause", "continue"),
    *("bench", "verify", "doctor"),
)  # of the commands in the help; others come last


class _InOrder(TyperGroup):
    """Lists its commands by what they are for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - the library's own, which has no public name
        """Return the names."""
        places = {name: place for place, name in enumerate(ORDER)}
        return sorted(super().list_commands(ctx), key=lambda name: (places.get(name, len(places)), name))


app = typer.Typer(
    cls=_InOrder,
    context_settings={"max_content_width": 110},
    help="Look at runs of Trialwright, act on them, and start them.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: no boxes, in a terminal and in a pipe
    pretty_exceptions_enable=False,
)


def command(
    name: str, example: str, cls: type[TyperCommand] | None = None
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Register a command. Its errors become a line on stderr and an exit code.

    Args:
        name: of the command.
        example: lines that its help ends with.
        cls: how its arguments are read.
    """
    lines = "".join(f"\n  {line}" for line in example.splitlines())

    def register(function: Callable[P, None]) -> Callable[P, None]:
        @wraps(function)
        def guarded(*args: P.args, **keywords: P.kwargs) -> None:
            try:
                function(*args, **keywords)
            except RunInterrupted as error:  # it has said how the run is resumed
                raise typer.Exit(int(error.code or FAILED)) from error
            except BrokenPipeError:  # the reader, such as `head`, has seen enough
                _hush()
            except (ValueError, TypeError) as error:
                raise typer.Exit(_told(error, USAGE)) from error
            except (TrialwrightError, OSError, ImportError) as error:
                raise typer.Exit(_told(error, FAILED)) from error

        app.command(name, cls=cls, epilog=f"\b\nExample:{lines}")(guarded)
        return guarded

    return register


def _told(error: Exception, code: int) -> int:
    typer.echo("\n".join(map(escaped, f"error: {error}".splitlines())), err=True)
    return code


def _hush() -> None:
    """Have Python not complain, at its end, that its output cannot be flushed."""
    sys.stdout = None


def _names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the runs that a shell offers to complete a name with."""
    try:
        return [path.name for path in runs.run_paths(ctx.params.get("storage")) if path.name.startswith(incomplete)]
    except ValueError:
        return []


Run: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A path; or the name of a run in the storage home, or how it begins.",
        autocompletion=_names,
        show_default=False,
    ),
]
Storage: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Where runs are named.  [default: $TRIALWRIGHT_HOME or ~/trialwright]", show_default=False),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
