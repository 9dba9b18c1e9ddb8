"""Starts a run in a process of its own, which outlives the terminal."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialwright.errors import TrialwrightError
from trialwright.storage import place

LOG = "driver.log"
_LINES = 20  # of the log, that the error of a run that did not begin has


def start(job: Mapping[str, Any], verbose: int) -> Path:
    """Start a job in the background; return the run's directory once it has begun. What the process prints goes into
    ``driver.log`` there.

    Raises:
        ValueError: the run keeps nothing: it could not be found again.
        TrialwrightError: it did not begin; the message has the end of what it printed.
    """
    root = _root(job)
    place.make_directory(root)
    log = root / f".{secrets.token_hex(6)}.log"
    with log.open("w", encoding="utf-8") as stream:
        reader, writer = os.pipe()
        process = subprocess.Popen(  # noqa: S603 - it is this Python
            [sys.executable, "-m", "trialwright", "run", "-", f"--verbose={verbose}", f"--announce={writer}"],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal's signals are not for it
            pass_fds=[writer],
            text=True,
        )
    os.close(writer)
    assert process.stdin is not None
    with process.stdin:
        process.stdin.write(json.dumps(job))
    with os.fdopen(reader, "rb") as pipe:
        told = os.fsdecode(pipe.read())
    if not told:
        text = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES:])
        log.unlink()
        raise TrialwrightError(f"the run did not begin:\n{text}")
    log.rename(Path(told) / LOG)
    process.returncode = 0  # it goes on by itself: Python shall not warn that it was not waited for
    return Path(told)


def _root(job: Mapping[str, Any]) -> Path:
    """Return the directory for the log until the run's own is known: on the same disk."""
    if "resume" in job:
        return Path(job["resume"])
    if "storage" not in job:
        return place.home()
    if job["storage"] is None:
        raise ValueError("a detached run needs a storage: with none it could not be found again")
    return Path(job["storage"]).expanduser()
