"""What ``tune.run`` raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trialwright.errors import PolicyError, TrialwrightError


class TuneError(TrialwrightError):
    """Trials failed: the message says how many, and the first error."""


class RuleError(TuneError, PolicyError):
    """A scheduler, a searcher, a stopper or a callback raised, or gave an invalid answer."""


class SettingError(TuneError, ValueError):
    """An experiment has a setting that makes no sense; nothing was started."""


class SettingTypeError(TuneError, TypeError):
    """Something given is of the wrong type; nothing was started."""


class NoRunError(ValueError, FileNotFoundError):
    """There is no run in a directory. The engine raises a ``ValueError`` then, and Ray Tune a ``FileNotFoundError``."""


class TrialError(RuntimeError):
    """What a trial raised in its worker: its last line, and the traceback as a string."""

    def __init__(self, line: str, traceback: str = "") -> None:
        super().__init__(f"{line}\n\n{traceback}" if traceback else line)
        self.line, self.traceback = line, traceback


@contextmanager
def rules_as_tune_errors() -> Iterator[None]:
    """Raise a ``PolicyError`` as a ``TuneError`` too: that is what programs for Ray Tune catch."""
    try:
        yield
    except PolicyError as error:
        raise RuleError(str(error)) from error


@contextmanager
def no_run_as_no_file() -> Iterator[None]:
    """Raise the ``ValueError`` of ``find_run`` as a ``FileNotFoundError`` too."""
    try:
        yield
    except ValueError as error:
        raise NoRunError(str(error)) from error


@contextmanager
def settings_as_tune_errors() -> Iterator[None]:
    """Raise a ``ValueError`` as a ``TuneError`` too, as Ray Tune does for experiments that are dicts."""
    try:
        yield
    except TuneError:
        raise
    except ValueError as error:
        raise SettingError(str(error)) from error
