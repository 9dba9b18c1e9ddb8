"""``python -m trialwright.loggers <run's directory> csv json tensorboard``: write the log files of a run.

With ``--follow`` it keeps writing while the run goes on, until its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from pathlib import Path

from trialwright.loggers.following import Follower
from trialwright.loggers.formats import KINDS, check
from trialwright.loggers.rows import Naming

PERIOD_S = 0.5


def main() -> None:
    """Parse the command line and write."""
    parser = argparse.ArgumentParser(prog="python -m trialwright.loggers", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("kinds", nargs="+", choices=KINDS)
    parser.add_argument("--naming", type=json.loads, default={}, help=argparse.SUPPRESS)
    parser.add_argument("--follow", action="store_true", help="until standard input ends")
    options = parser.parse_args()
    try:
        check(options.kinds)
        follower = Follower(options.directory, options.kinds, Naming(**options.naming))
        if options.follow:
            os.nice(5)  # the run goes first
            print("begun", flush=True)  # noqa: T201 - for the process that started this
            _follow(follower)
        else:
            follower.write()
        for note in follower.notes:
            print(note, file=sys.stderr)  # noqa: T201 - as above
    except Exception as error:  # the process that started this one shows a single line to its user
        sys.exit(f"{type(error).__name__}: {error}")


def _follow(follower: Follower) -> None:
    over = threading.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    going_on = True
    while going_on:
        going_on = not over.wait(PERIOD_S)  # what is committed once it is over is all that there will be
        follower.write()


if __name__ == "__main__":
    main()
