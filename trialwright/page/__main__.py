"""``python -m trialwright.page RUN``: show a run, or all runs in a directory, in a browser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from trialwright.page import serve


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the page until the process is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m trialwright.page", description=__doc__)
    parser.add_argument("where", nargs="?", metavar="RUN|DIRECTORY", help="a run, or a directory of runs")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; any that is free by default")
    parser.add_argument("--control", action="store_true", help="the page may stop trials, and enqueue new ones")
    parser.add_argument("--until-eof", action="store_true", help="end when the standard input ends")
    given = parser.parse_args(arguments)
    until = sys.stdin.buffer.read if given.until_eof else None
    try:
        serve(given.where, port=given.port, control=given.control, tell=_tell, until=until)
    except (ValueError, ImportError, OSError) as error:
        parser.exit(2, f"error: {error}\n")


def _tell(address: str) -> None:
    print(address, flush=True)  # noqa: T201 - this is what the command is for


if __name__ == "__main__":
    main()
