"""Notices an objective that reports to Ray Tune: half of its imports were changed. Ray itself would let it pass."""

from __future__ import annotations

import inspect
import sys

from trialwright.reporting import in_trial

_SESSION = "ray.train._internal.session"  # where Ray keeps the session that its ``report`` asks for
_CALLS = ("report", "get_checkpoint")


class _None:
    """Stands in for the None that Ray keeps there. It is false as well, but to a call from a trial of ours."""

    def __bool__(self) -> bool:
        frame = inspect.currentframe()
        caller = {} if frame is None or frame.f_back is None else frame.f_back.f_locals
        if caller.get("fn_name") in _CALLS and in_trial():
            raise TypeError(_text(str(caller["fn_name"])))
        return False


def watch() -> bool:
    """Have each such call raise from now on; tell whether it will: Ray may not have been imported yet."""
    module = sys.modules.get(_SESSION)
    if module is not None and getattr(module, "_session", module) is None:
        vars(module)["_session"] = _None()
    return module is not None


def check() -> None:
    """Raise if there was such a call in this process before it could be noticed: Ray warned of it, once.

    Raises:
        TypeError: there was.
    """
    key = getattr(sys.modules.get(_SESSION), "SESSION_MISUSE_LOG_ONCE_KEY", None)
    warned = getattr(sys.modules.get("ray.util.debug"), "_logged", ())
    for call in _CALLS:
        if key and f"{key}-{call}" in warned:
            raise TypeError(_text(call))


def _text(call: str) -> str:
    return (
        f"the objective called {call}() of ray.tune, which this run does not hear: from trialwright import tune, and "
        f"call tune.{call}()"
    )
