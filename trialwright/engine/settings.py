"""The arguments of a run as the journal keeps them, and the keywords of an Engine made again from that.

Data is kept: numbers, names, dicts of these, spaces without functions in them, schedulers and searchers of ours. What
is not data (the objective, functions, objects of other classes) cannot be read back safely: only its name is kept, and
a resume must give it again. The executor is kept in the same way, but a resume may give another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from trialwright.codec import read_plain, to_plain
from trialwright.engine import catalogue
from trialwright.engine.arguments import as_pairs
from trialwright.messages import Config, Plain
from trialwright.space import Space
from trialwright.space.plain import data_of, plain_data

Keywords = dict[str, object]

HERE = (
    "objective",
    "executor",
    "storage",
    "link",
    "callbacks",
    "verbose",
    "progress",
    "hook_warning_s",
    "hook_timeout_s",
    "page",
)  # belongs to a process or a machine: never kept


def write(keywords: Mapping[str, object]) -> dict[str, Plain]:
    """Return what the journal keeps of an Engine's keywords: ``{"data": {...}, "again": [names of what is not data],
    "executor": ...}``."""
    data: dict[str, Plain] = {}
    missing: list[Plain] = []
    for name, value in keywords.items():
        if name in HERE:
            continue
        try:
            data[name] = _SPECIAL.get(name, (to_plain, read_plain))[0](value)
        except TypeError:
            missing.append(name)
    executor: Plain = None
    try:
        executor = catalogue.executor_to_plain(keywords.get("executor"))
    except TypeError:
        missing.append("executor")
    return {"data": data, "again": missing, "executor": executor}


def again(keywords: Mapping[str, object]) -> list[str]:
    """Return the names of the keywords that a resume must be given, besides the objective."""
    return cast("list[str]", write(keywords)["again"])


def name_of(given: object, instead: str) -> str:
    """Return the name that an object is likely to have in the user's program; ``instead`` if it has none."""
    name = getattr(given, "__name__", None)
    return name if isinstance(name, str) and name.isidentifier() else instead


def read(settings: Mapping[str, Plain], given: Mapping[str, object]) -> Keywords:
    """Return an Engine's keywords from what the journal kept and what is given now.

    Raises:
        ValueError: something that the journal does not keep is not given again, or an argument differs from the run's.
    """
    data = cast("dict[str, Plain]", settings["data"])
    problems = [
        f"{name} is not plain data, so the journal does not hold it: pass it to resume() as it was passed to the run"
        for name in cast("list[str]", settings["again"])
        if name not in given
    ]
    for name in sorted(given.keys() & data.keys()):
        if name == "num_samples":  # it may be raised: ``replay.more_samples`` checks it
            continue
        now = write({name: given[name]})["data"]  # compared as written: equal domains are different objects
        if now != {name: data[name]}:
            problems.append(
                f"{name} was {data[name]!r} and cannot become {given[name]!r}: a resumed run is the same run"
            )
    if problems:
        raise ValueError("cannot resume: " + "; ".join(problems))
    kept = {name: _SPECIAL.get(name, (to_plain, read_plain))[1](value) for name, value in data.items()}
    if settings.get("executor") is not None:
        kept["executor"] = catalogue.executor_from_plain(settings["executor"])
    return {**kept, **given}


def _space(given: object) -> Plain:
    space = given if isinstance(given, Space) else Space(cast("Mapping[str, object]", given))
    data = space.to_plain()
    if data is None:
        raise TypeError("the space holds functions, objects, or constraints")
    return cast(Plain, data)


def _stop(given: object) -> Plain:
    if given is None:
        return None
    if isinstance(given, list | tuple):
        return [_stop(item) for item in given]
    if not isinstance(given, Mapping):
        raise TypeError("a stop rule with code in it")
    return {metric: to_plain(list(value) if isinstance(value, tuple) else value) for metric, value in given.items()}


def _read_stop(data: Plain) -> object:
    if isinstance(data, list):
        return [_read_stop(item) for item in data]
    if not isinstance(data, dict):
        return None
    return {metric: tuple(value) if isinstance(value, list) else read_plain(value) for metric, value in data.items()}


def _points(given: object) -> Plain:
    return cast(Plain, plain_data(list(cast("Iterable[object]", given))))


def _earlier(given: object) -> Plain:
    return to_plain([[plain_data(config), metrics] for config, metrics in as_pairs(given)])


def _read_earlier(data: Plain) -> object:
    return [[data_of(config), metrics] for config, metrics in cast("list[list[Plain]]", read_plain(data))]


_SPECIAL: dict[
    str, tuple[Callable[[object], Plain], Callable[[Plain], object]]
] = {  # keyword -> how to write, and to read
    "space": (_space, lambda data: Space.from_plain(cast(Config, data))),
    "searcher": (catalogue.to_plain, catalogue.from_plain),
    "scheduler": (catalogue.to_plain, catalogue.from_plain),
    "stop": (_stop, _read_stop),
    "earlier": (_earlier, _read_earlier),
    "points_to_evaluate": (_points, lambda data: data_of(read_plain(data))),
}
