"""Drives a run for the command line: an Engine that says where its run is, and how a command resumes it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwright.cli.experiment import keywords, load_object, value_of
from trialwright.engine.engine import Engine
from trialwright.results import Result


class CommandEngine(Engine):
    """An Engine of the command line."""

    objective_name = ""  # FILE.py:objective
    announce: int | None = None  # a file descriptor for the run's path

    def begun(self, directory: Path | None) -> None:
        """Tell the process that has started this one where the run is."""
        if self.announce is not None:
            os.write(self.announce, os.fsencode(str(directory or "")))
            os.close(self.announce)
            self.announce = None

    def how_to_resume(self, directory: Path, again: Sequence[str]) -> str:
        """Return the command, or the code if the run has settings that a command cannot give."""
        if set(again) - {"space"}:
            return super().how_to_resume(directory, again)
        space = " --space FILE.py:SPACE" if again else ""
        return f"trialwright resume {shlex.quote(str(directory))} {shlex.quote(self.objective_name)}{space}"


def drive(job: Mapping[str, Any], directory: Path, verbose: int, announce: int | None) -> Result:
    """Carry out a job to its end.

    Args:
        job: an experiment; or, to resume a run, its path as ``resume``, and what ``Engine.resume`` takes.
        directory: from which paths in it are read.
        verbose: as for the Engine.
        announce: a file descriptor to which the run's path is written when it begins.

    Raises:
        ValueError: the job is wrong.
        RunInterrupted: a signal ended it.
        TrialwrightError: as ``Engine.run``.
    """
    if "resume" in job:
        given = {name: value for name, value in job.items() if name not in ("resume", "objective")}
        given = {name: value_of(name, value, directory) for name, value in given.items()}
        objective = load_object(str(job["objective"]), directory)
        engine = CommandEngine.resume(job["resume"], objective, verbose=verbose, **given)
    else:
        if "space" not in job:
            raise ValueError("the experiment has no space: give --space FILE, or the key space")
        engine = CommandEngine(**{"verbose": verbose, **keywords(job, directory)})
    engine.objective_name, engine.announce = str(job["objective"]), announce
    return engine.run()
