"""The command line: ``trialwright bench my.py:MyScheduler --against asha hyperband``."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from trialwright.bench.compare import compare_schedulers, compare_searchers
from trialwright.bench.comparison import Comparison
from trialwright.bench.methods import METHODS
from trialwright.errors import nearest

PROGRAM = "python -m trialwright.bench"
EXAMPLE = f"""example:
  {PROGRAM} my.py:MyScheduler --against asha hyperband --tasks crossing-curves lcdb-kr-vs-kp --workers 4 16
  {PROGRAM} my.py:MySearcher --against gp tpe --evaluations 50"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print the tables, write files; return the exit code: 2 if the command was wrong, 1 if a run failed."""
    given = vars(_parser().parse_args(arguments))
    directory = given["directory"]
    try:
        found = compare(given.pop("method"), given.pop("against"), **given)
    except (ValueError, TypeError, OSError, ImportError) as error:
        if getattr(error, "__notes__", ()):  # in a run: of the user's code, whose traceback is wanted
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{found.table()}\n\n{found.pairwise()}")
    for path in found.save(directory):
        print(f"written: {path}", file=sys.stderr)
    return 0


def compare(method: Sequence[str], against: Sequence[str], **settings: Any) -> Comparison:  # noqa: ANN401 - of two kinds
    """Compare what a command names.

    Args:
        method: names, or ``FILE.py:NAME`` of a class, an object, or a function that makes a scheduler.
        against: the same; schedulers if the methods are, else searchers.
        settings: keywords of ``compare_schedulers`` and ``compare_searchers``; those that are None are left out.

    Raises:
        ValueError: there is no such file or name in it; or a setting is one of the other kind.
    """
    methods = {name.rpartition(":")[2]: _object(name) for name in (*method, *against)}
    given = {name: value for name, value in settings.items() if value is not None}
    if any(_searches(each) for each in methods.values()):
        of_others = given.keys() & {"budget", "ask_s"}
        run: Any = compare_searchers
    else:
        of_others = given.keys() & {"evaluations"}
        run = compare_schedulers
    if of_others:
        raise ValueError(f"{', '.join(sorted(of_others))}: not a setting of {run.__name__}")
    return run(methods, progress=_progress, **given)  # type: ignore[no-any-return] # both return one


def _searches(given: object) -> bool:
    """Return whether a method is a searcher: a name that is none of a scheduler's, or what can suggest."""
    return given.lower() not in METHODS if isinstance(given, str) else hasattr(given, "suggest")


def _object(named: str) -> Any:  # noqa: ANN401 - the user's
    file, colon, name = named.rpartition(":")
    if not colon:
        return named
    module = _module(Path(file))
    if not hasattr(module, name):
        raise ValueError(f"{file} has no {name!r}{nearest(name, [each for each in vars(module) if each[0] != '_'])}")
    return getattr(module, name)


def _module(file: Path) -> ModuleType:
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    if file.stem in sys.modules and getattr(sys.modules[file.stem], "__file__", None) == str(file):
        return sys.modules[file.stem]
    specification = importlib.util.spec_from_file_location(file.stem, file)
    if specification is None or specification.loader is None:
        raise ValueError(f"{file} must be a file of Python, FILE.py:NAME")
    module = sys.modules[file.stem] = importlib.util.module_from_spec(specification)
    sys.path.insert(0, str(file.parent.resolve()))  # what lies beside it can be imported, as for `python FILE.py`
    specification.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)  # other processes cannot import it
    return module


def _progress(done: int, count: int, run: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{done} of {count}: {run}", end="\n" if done == count else "", file=sys.stderr)
    elif done == count:
        print(f"{count} runs were made", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Compare schedulers on learning curves, or searchers on functions.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "method", nargs="+", help="FILE.py:NAME of a class, an object, or a function; or a name of ours"
    )
    parser.add_argument("--against", nargs="+", default=[], metavar="METHOD", help="the same; often names of ours")
    parser.add_argument(
        "--tasks", nargs="+", metavar="TASK", help="names of built-in tasks, and paths of tables or runs"
    )
    parser.add_argument("--workers", nargs="+", type=int, help="how many trials run at a time; all are compared")
    parser.add_argument("--seeds", type=int, help="how many runs of each method on each task")
    parser.add_argument("--budget", type=float, help="of schedulers: full trainings, over all workers")
    parser.add_argument("--ask-s", type=float, help="of schedulers: virtual seconds that a searcher's answer takes")
    parser.add_argument("--evaluations", type=int, help="of searchers: how many in each run")
    parser.add_argument("--processes", type=int, help="how many runs are made side by side")
    parser.add_argument("--directory", type=Path, default=Path("bench"), help="for runs and results  [default: bench]")
    return parser
