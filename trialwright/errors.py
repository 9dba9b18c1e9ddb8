"""Errors, by their cause.

*Arguments*: a bad argument or an impossible space. Built-in ``ValueError`` and ``TypeError``, raised before the first
trial, with every problem found at once.

*Trials*: user code raised, a worker died, a metric was NaN. Never an exception here: an event that ends one trial.

*This library, or the machine*: the classes below. They stop the run; the journal stays, and the run is resumable.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class TrialwrightError(Exception):
    """Something that stops a run. The run's directory stays resumable."""


class InternalError(TrialwrightError):
    """A bug in Trialwright. The message has the last transitions of the trial concerned."""


class InvalidTransition(InternalError):
    """A message for which the transition table has no row."""


class ReplayError(TrialwrightError):
    """A journal and its replay differ; the message has the first difference."""


class StorageError(TrialwrightError):
    """The journal could not be written or read. Nothing after the last commit was acknowledged."""


class RunLocked(TrialwrightError):
    """Another process drives this run; the message names its host and process."""


class ExecutorError(TrialwrightError):
    """The place where trials should run is not available, such as a cluster that cannot be reached."""


class PolicyError(TrialwrightError):
    """A scheduler, searcher, or stop rule raised, or gave an invalid answer."""


class RunInterrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM ended the run cleanly. ``run()`` raises it; in a script it is a ``SystemExit`` too.

    Args:
        text: what happened, and how to go on.
        result: the ``Result`` so far; None if nothing had begun.
        path: the run's directory; None if nothing is kept.
        code: what a script exits with: 130 or 143.
    """

    code: int | str | None  # a ``SystemExit`` has a place for it below Python

    def __init__(self, text: str, result: Any, path: Path | None, code: int) -> None:  # noqa: ANN401 - a layer above
        super().__init__(text)
        self.result, self.path, self.code = result, path, code

    def __reduce__(self) -> tuple[type[RunInterrupted], tuple[object, ...]]:
        return type(self), (*self.args, self.result, self.path, self.code)


def said(error: BaseException) -> str:
    """Return an error as one string: its class and its message, if that can be had."""
    try:
        return f"{type(error).__qualname__}: {error}".removesuffix(": ")
    except BaseException:  # the __str__ of a user's own class may raise
        return type(error).__qualname__


def named(error: BaseException) -> str:
    """Return an error as Python shows it, ``ValueError('x')``; only its class if it cannot be shown."""
    try:
        return repr(error)
    except BaseException:  # as above
        return type(error).__qualname__


def of_searcher(error: BaseException) -> PolicyError:
    """Return the error that ends a run whose searcher raised this; a ``PolicyError`` is returned as it is."""
    if isinstance(error, PolicyError):
        return error
    failure = PolicyError(f"the searcher raised {named(error)}")
    failure.__cause__ = error
    return failure


def refuse(problems: Iterable[str], subject: str) -> None:
    """Raise one ``ValueError`` that lists all problems; do nothing when there are none."""
    lines = list(problems)
    if lines:
        raise ValueError(f"{subject}: {lines[0]}" if len(lines) == 1 else "\n  - ".join([f"{subject}:", *lines]))


def import_instead(given: object) -> str:
    """Return, for an object or class of Ray's, a hint what to import instead; an empty string for any other."""
    for kind in (given if isinstance(given, type) else type(given)).__mro__:
        package, _, module = kind.__module__.partition(".")
        if package == "ray" and module.startswith(("tune", "train", "air")):
            return f"; this one is Ray's: from trialwright.{module} import {kind.__name__}"
    return ""


def guess(given: object, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name; an empty string if none is close."""
    close = difflib.get_close_matches(given, sorted(known), n=1, cutoff=0.5) if isinstance(given, str) else []
    return f"; did you mean {close[0]!r}?" if close else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, else the list of them."""
    names = sorted(known)
    return guess(name, names) or f"; there are {', '.join(map(repr, names))}"
