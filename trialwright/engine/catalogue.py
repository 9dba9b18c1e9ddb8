"""Names of schedulers, searchers and executors: the strings that users may give, and how the journal keeps the objects.

Some names stand for a method that is a pair: a scheduler and the searcher that it is made for.

An object of one of these classes is written as ``{"name": "asha", "options": {...}}`` and made again from that when the
run is resumed. An object of another class must be given again.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from trialwright import schedulers, searchers
from trialwright.errors import import_instead, nearest
from trialwright.executors import Executor, Local, Processes, Simulated
from trialwright.integrations import ADAPTERS, InEnvironment
from trialwright.messages import Plain
from trialwright.searchers.explore import Explorer
from trialwright.searchers.gp.maximise import Effort
from trialwright.searchers.parzen import Bandwidths
from trialwright.searchers.variants import Variants

SCHEDULERS: dict[str, type] = {
    "fifo": schedulers.FIFO,
    "freezethaw": schedulers.FreezeThaw,
    "asha": schedulers.ASHA,
    "asynchyperband": schedulers.AsyncHyperBand,
    "hyperband": schedulers.HyperBand,
    "median": schedulers.MedianStopping,
    "moasha": schedulers.MOASHA,
    "pasha": schedulers.PASHA,
    "pbt": schedulers.PBT,
}
_PARTS: dict[str, type] = {  # which have no defaults, or are parts of others
    "bandwidths": Bandwidths,
    "batched": searchers.Batched,
    "effort": Effort,
    "in_environment": InEnvironment,
    "even_share": schedulers.EvenShare,
    "pbt_replay": schedulers.PBTReplay,
    "pb2": searchers.PB2,
    "perturb": searchers.Perturb,
    "race": searchers.Race,
    "repeat": searchers.Repeat,
    "resource_changing": schedulers.ResourceChanging,
    "schedule": searchers.Schedule,
    "top_job": schedulers.TopJob,
    "variants": Variants,
}
SEARCHERS: dict[str, type] = {
    "auto": searchers.Auto,
    "random": searchers.Random,
    "grid": searchers.Grid,
    "sobol": searchers.Sobol,
    "gp": searchers.GP,
    "tpe": searchers.TPE,
    "halton": searchers.Halton,
    "lhs": searchers.LatinHypercube,
    "cmaes": searchers.CMAES,
    "dehb": searchers.DEHB,
    "nsga2": searchers.NSGA2,
    "hyper-tune": searchers.HyperTune,
    "priorband": searchers.PriorBand,
    **ADAPTERS,
}
UNAVAILABLE = {  # names of searchers that others have -> why they are not here
    "dragonfly": "dragonfly-opt 0.1.7 cannot be installed with pip, and its models need numpy.math, which NumPy 2 does "
    "not have (tried on 2026-11-30)",
    "sigopt": "SigOpt is a hosted service, whose client suggests nothing without an account (tried on 2026-11-30)",
}


class Pair(NamedTuple):
    """A scheduler, and the searcher that the method of this name has with it."""

    scheduler: Callable[[], schedulers.Scheduler]
    searcher: Callable[[], searchers.Searcher]


RANDOM_IN_BOHB = 0.1
"""A third in the paper. In virtual time a third was 6 % worse than none where curves cross less, and no part was surely
better where they cross most (docs/methods.md)."""
_HEDGED = schedulers.AsyncHyperBand(reduction_factor=3, promote=True)
PAIRS: dict[str, Pair] = {
    "mobster": Pair(lambda: schedulers.ASHA(reduction_factor=3, promote=True), searchers.GP),
    "bohb": Pair(schedulers.HyperBand, lambda: searchers.TPE(random_fraction=RANDOM_IN_BOHB)),
    "hyper-tune": Pair(
        lambda: copy.copy(_HEDGED), lambda: searchers.HyperTune(brackets=_HEDGED.count, reduction_factor=3)
    ),
    "priorband": Pair(lambda: copy.copy(_HEDGED), lambda: searchers.PriorBand(_HEDGED.count, 3)),
    "dehb": Pair(lambda: schedulers.HyperBand(reduction_factor=3), searchers.DEHB),
    "pb2": Pair(schedulers.PBT, searchers.PB2),
    "freeze-thaw": Pair(schedulers.FreezeThaw, searchers.GP),
}


def _on_ray(**options: object) -> Executor:
    from trialwright.executors.on_ray import OnRay  # here, not above: it imports Ray, which takes seconds

    return OnRay(**options)  # type: ignore[arg-type]  # as it was told


EXECUTORS: dict[str, Callable[..., Executor]] = {"ray": _on_ray, "processes": Processes, "local": Local}
_EXECUTORS = EXECUTORS | {"simulated": Simulated}
_SCHEDULERS_BY_NAME = SCHEDULERS | {name: pair.scheduler for name, pair in PAIRS.items()}
_KNOWN: dict[str, type] = SCHEDULERS | SEARCHERS | _PARTS


def scheduler(given: str | schedulers.Scheduler) -> schedulers.Scheduler:
    """Return the scheduler of this name, or of the pair of this name, with its defaults; or the object itself.

    Raises:
        ValueError: there is no scheduler of this name; the message names the nearest one.
        TypeError: it is not a scheduler.
    """
    return cast(
        schedulers.Scheduler,
        _find("scheduler", given, _SCHEDULERS_BY_NAME, ("on_start", "on_report", "on_end", "next")),
    )


def searcher(
    given: str | searchers.Searcher, scheduler: schedulers.Scheduler, name: object = None
) -> searchers.Searcher:
    """Return the searcher of this name, or the object; one that also answers what the scheduler asks for.

    Args:
        given: a name or an object. Where the scheduler was named as a pair, "auto" is the pair's own searcher.
        scheduler: that it goes with.
        name: of the scheduler, if it was named.

    Raises:
        ValueError: there is no searcher of this name (the message names the nearest one), or the pair needs another
            kind of searcher.
        TypeError: it is not a searcher.
    """
    if isinstance(given, str) and given.lower() in PAIRS.keys() - SEARCHERS.keys():
        raise ValueError(f"searcher={given!r} is not known: give it as scheduler={given!r}")
    if isinstance(given, str) and given.lower() in UNAVAILABLE:
        raise ValueError(f"searcher={given!r} is not available: {UNAVAILABLE[given.lower()]}: use searcher='gp'")
    found = cast(searchers.Searcher, _find("searcher", given, SEARCHERS, ("setup", "suggest")))
    asks = hasattr(scheduler, "on_resume")  # before it is unwrapped: what is inside another one is not asked
    found = _of_pair(name, found) if isinstance(name, str) and name.lower() in PAIRS else found
    while isinstance(scheduler, schedulers.ResourceChanging):
        scheduler = scheduler.base
    _check_brackets(found, scheduler)
    if hasattr(scheduler, "on_resume"):
        return _adviser(found, scheduler, asks=asks)
    if isinstance(scheduler, schedulers.PBTReplay):
        return searchers.Schedule([config for _, config in scheduler.policy])
    if isinstance(scheduler, schedulers.PBT) and not isinstance(found, Explorer):
        return searchers.Perturb(found)
    return found


def _adviser(found: searchers.Searcher, scheduler: schedulers.Scheduler, *, asks: bool) -> searchers.Searcher:
    """Return a searcher that can say which paused trial goes on."""
    name = type(scheduler).__name__
    if not asks:
        raise ValueError(f"{name} asks the searcher which trial goes on: it cannot be inside another scheduler")
    if isinstance(found, searchers.Auto):
        return searchers.GP()
    if not getattr(found, "answers_next", False):
        what = f"{type(found).__name__} cannot answer: use searcher='gp'"
        raise ValueError(f"{name} asks the searcher which paused trial goes on, and {what}")
    return found


def _of_pair(name: str, found: searchers.Searcher) -> searchers.Searcher:
    """Return the searcher of a pair: the user's, if it is of the right kind."""
    own_one = PAIRS[name.lower()].searcher()
    if isinstance(found, searchers.Auto):
        return own_one
    if isinstance(found, type(own_one)):
        return found
    kind, made = type(own_one).__name__, type(scheduler(name)).__name__
    raise ValueError(
        f"scheduler={name!r} is a method with the searcher {kind}, not {type(found).__name__}: leave searcher out, "
        f"give an object of {kind}, or give scheduler={made}(...) for another searcher"
    )


def _check_brackets(searcher: searchers.Searcher, scheduler: schedulers.Scheduler) -> None:
    """Refuse a searcher that names brackets which the scheduler does not have."""
    named = searcher.brackets if isinstance(searcher, searchers.PriorBand | searchers.HyperTune) else 1
    there = scheduler.count if isinstance(scheduler, schedulers.ASHA) else 1
    if named not in (1, there):  # with 1 it leaves the bracket to the scheduler
        one, other = type(searcher).__name__, type(scheduler).__name__
        raise ValueError(
            f"{one}(brackets={named}) names the bracket of each trial, but the scheduler {other} has {there}"
        )


def executor(given: object) -> Executor:
    """Return the executor of this name, or the object itself.

    Raises:
        ValueError: there is no executor of this name; the message names the nearest one.
        TypeError: it is not an executor.
    """
    if isinstance(given, str):
        if given not in EXECUTORS:
            raise ValueError(f"executor={given!r} is not known{nearest(given, EXECUTORS)}")
        return EXECUTORS[given]()
    if not all(callable(getattr(given, method, None)) for method in ("open", "do", "events", "close", "now")):
        raise TypeError(f"executor must be {' or '.join(map(repr, EXECUTORS))} or an object, not {given!r}")
    return cast(Executor, given)


def _find(role: str, given: object, known: Mapping[str, Callable[[], object]], methods: tuple[str, ...]) -> object:
    if isinstance(given, str):
        if given.lower() not in known:
            raise ValueError(f"{role}={given!r} is not known{nearest(given.lower(), known)}")
        return known[given.lower()]()
    lacking = [method for method in methods if not callable(getattr(given, method, None))]
    if lacking or isinstance(given, type):  # a class has all the methods, and would fail at the first call
        reason = "give an object of it" if isinstance(given, type) else f"it has no {', '.join(lacking)}"
        raise TypeError(f"{role} must be a name or an object, not {given!r}: {reason}{import_instead(given)}")
    return own(given)


def own(given: object) -> object:
    """Return a copy of a scheduler or searcher of ours, and of those in it, for one run; any other object as it is."""
    if type(given) not in _KNOWN.values():
        return given
    # A scheduler keeps the state of its run: a second run with the same object would start from the end of the first.
    made = copy.copy(given)
    vars(made).update({name: own(value) for name, value in vars(given).items()})
    return made


def to_plain(given: object) -> Plain:
    """Describe a scheduler or searcher of ours.

    Raises:
        TypeError: it is not one of ours, or has an option that is not plain data.
    """
    names = {cls: name for name, cls in _KNOWN.items()}
    if type(given) in names:
        fields = dataclasses.fields(cast("type[schedulers.FIFO]", type(given)))
        told = {f.name: getattr(given, f.name) for f in fields}
        if isinstance(given, InEnvironment):  # which takes the library's options as its own keywords
            told |= told.pop("options")
        return {"name": names[type(given)], "options": {key: to_plain(value) for key, value in told.items()}}
    if isinstance(given, tuple | list):
        return [to_plain(item) for item in given]
    if isinstance(given, dict) and given.keys() != {"name", "options"}:  # which would be read back as an object
        return {str(key): to_plain(item) for key, item in given.items()}
    if given is None or isinstance(given, str | bool | int | float):
        return given
    raise TypeError(f"{given!r} is not plain data")


def from_plain(described: Plain) -> object:
    """Make the object that ``to_plain`` described."""
    if isinstance(described, dict) and described.keys() == {"name", "options"}:
        options = cast("dict[str, Plain]", described["options"])
        return _KNOWN[str(described["name"])](**{key: from_plain(item) for key, item in options.items()})
    if isinstance(described, dict):
        return {key: from_plain(item) for key, item in described.items()}
    return tuple(map(from_plain, described)) if isinstance(described, list) else described


def executor_to_plain(given: object) -> Plain:
    """Describe an executor of ours: by its name, or an object by its arguments.

    Raises:
        TypeError: it is not one of ours, or has an argument that is not plain data.
    """
    if isinstance(given, str):
        return given
    names = {("trialwright.executors.on_ray", "OnRay"): "ray"}  # not imported: it needs Ray
    names |= {(each.__module__, each.__qualname__): name for name, each in _EXECUTORS.items() if isinstance(each, type)}
    name = names.get((type(given).__module__, type(given).__qualname__))
    if name is None:
        raise TypeError(f"{given!r} is not plain data")
    return {"name": name, "options": {key: to_plain(value) for key, value in _options(given).items()}}


def executor_from_plain(described: Plain) -> object:
    """Make the executor that ``executor_to_plain`` described."""
    if not isinstance(described, dict):
        return described
    options = cast("dict[str, Plain]", described["options"])
    return _EXECUTORS[str(described["name"])](**{key: from_plain(item) for key, item in options.items()})


def _options(executor: object) -> Mapping[str, object]:
    """Return the arguments of an executor that differ from the defaults."""
    if not isinstance(executor, Local | Simulated):
        return cast("Mapping[str, object]", vars(executor)["options"])
    usual = type(executor)()
    told = {f.name: getattr(executor, f.name) for f in dataclasses.fields(executor)}
    return {name: value for name, value in told.items() if value != getattr(usual, name)}
