"""Hypothesis strategies for messages, made from their own annotations: a new message needs no change here."""

import dataclasses
import types
import typing

from hypothesis import strategies as st

from trialwright import messages
from trialwright.messages import Boundary, Placement, Reported
from trialwright.storage.base import TrialRow, Turn

STRINGS = st.text(max_size=8) | st.sampled_from(["kind", "float", 'a"b', "$.x[0]", "é模型🙂", "\0", "\udc80"])
FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 1e300, float("nan"), float("inf")])
METRICS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | FLOATS | STRINGS
PLAIN = st.recursive(
    METRICS, lambda item: st.lists(item, max_size=3) | st.dictionaries(STRINGS, item, max_size=3), max_leaves=6
)
SIMPLE = {int: st.integers(0, 10**6), float: FLOATS, str: STRINGS, bool: st.booleans(), type(None): st.none()}


def of(hint):  # noqa: PLR0911 - one for each way to annotate a field
    """A strategy for values that an annotation allows."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in SIMPLE:
        return SIMPLE[hint]
    if isinstance(hint, type) and issubclass(hint, Boundary):
        return st.builds(Boundary, STRINGS, st.sampled_from([">=", "<="]), FLOATS)
    if isinstance(hint, type) and issubclass(hint, Placement):
        return st.builds(Placement, STRINGS, st.dictionaries(STRINGS, SIMPLE[int], max_size=2), st.just((0, 1)))
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(of(arguments[0]), max_size=3).map(tuple)
    if origin is list:
        return st.lists(of(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(STRINGS, METRICS if arguments[1] in {float, int} else of(arguments[1]), max_size=3)
    if origin in {typing.Union, types.UnionType} and any(
        option is dict or typing.get_origin(option) is dict for option in arguments
    ):
        return st.none() | st.dictionaries(STRINGS, PLAIN, max_size=3)
    if origin in {typing.Union, types.UnionType}:
        return st.one_of([of(option) for option in arguments])
    if dataclasses.is_dataclass(hint):
        return one(hint)
    return PLAIN


def one(cls):
    """A strategy for one kind of message."""
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{field.name: of(hints[field.name]) for field in dataclasses.fields(cls)})


@st.composite
def frames(draw):
    """A frame whose columns are as long as it is."""
    length = draw(st.integers(1, 3))
    column = st.lists(METRICS, min_size=length, max_size=length)
    return Reported(
        draw(st.integers(0, 3)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 9)),
        tuple(draw(st.lists(st.floats(0, 1e6), min_size=length, max_size=length))),
        draw(st.dictionaries(STRINGS, column, max_size=3)),
        draw(st.booleans()),
        draw(st.none() | STRINGS),
    )


ALL = [item for item in vars(messages).values() if isinstance(item, type) and dataclasses.is_dataclass(item)]
EVENTS = st.one_of([one(cls) for cls in typing.get_args(messages.Event) if cls is not Reported]) | frames()
DECISIONS = st.lists(st.one_of([one(cls) for cls in typing.get_args(messages.Decision)]), max_size=2)
ROWS = st.builds(
    TrialRow,
    id=st.integers(0, 3),
    state=st.sampled_from(["RUNNING", "ENDED"]),
    outcome=st.none() | st.just("completed"),
    reason=st.text(max_size=3),
    attempt=st.integers(1, 3),
    step=st.integers(0, 9),
    config=st.dictionaries(STRINGS, PLAIN, max_size=2),
    tags=st.dictionaries(STRINGS, PLAIN, max_size=2),
    metrics=st.dictionaries(STRINGS, METRICS, max_size=2),
    checkpoint=st.none() | st.just("/a/b"),
    error=st.text(max_size=3),
    traceback=st.just(""),
    started=st.none() | st.floats(0, 9),
    ended=st.none(),
)


@st.composite
def turns(draw):
    """The turns of a run: after one whose handling failed, the next brings what was decided late, or some of it."""
    now, undecided, result = 0.0, 0, []
    for _ in range(draw(st.integers(1, 5))):
        now += draw(st.floats(0, 1e3))
        late = [draw(DECISIONS) for _ in range(undecided)]
        events = draw(st.lists(EVENTS, max_size=3))
        failed = draw(st.integers(0, len(events)) | st.just(len(events)))  # from this event on
        decisions = [draw(DECISIONS) if place < failed else None for place in range(len(events))]
        undecided = len(events) - failed
        rows = draw(st.lists(ROWS, max_size=2))
        digest = "" if undecided else draw(st.sampled_from(["", "0123456789abcdef"]))
        result.append(Turn(now, events, decisions, digest, rows, late))
    return result
