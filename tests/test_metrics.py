"""What may be reported."""

import datetime as dt
import enum
import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trialwright import Engine, report, space
from trialwright.executors import Local
from trialwright.executors.processes import Processes
from trialwright.metrics import clean, require

# Casts ----------------------------------------------------------------------------------------------------------------


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (1.5, 1.5),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (1e308, 1e308),
        (5e-324, 5e-324),
        (3, 3),
        (-(2**63), -(2**63)),
        (2**63, 2.0**63),
        (True, True),
        (None, None),
        ("text", "text"),
        (Loud("text"), "text"),
        ("", ""),
        (Decimal("0.1"), 0.1),
        (Decimal("Infinity"), math.inf),
        (Fraction(1, 4), 0.25),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.float16(0.5), 0.5),
        (np.int64(7), 7),
        (np.uint8(7), 7),
        (np.bool_(True), True),
        (np.str_("text"), "text"),
        (np.array(0.5), 0.5),
        (np.array([0.5]), 0.5),
        (np.array([[7]]), 7),
    ],
)
def test_a_value_is_kept_as_plain_python(given, kept):
    (value,) = clean({"x": given}).values()
    assert value == kept
    assert type(value) is type(kept)


def test_nan_is_kept():
    for given in (math.nan, np.float32("nan"), Decimal("NaN"), np.array(math.nan)):
        (value,) = clean({"x": given}).values()
        assert type(value) is float
        assert math.isnan(value)


def test_minus_zero_stays_minus_zero():
    (value,) = clean({"x": -0.0}).values()
    assert math.copysign(1, value) == -1  # type: ignore[arg-type]


def test_a_tensor_of_one_element_is_a_number():
    torch = pytest.importorskip("torch")
    row = clean({"loss": torch.tensor(0.5, requires_grad=True), "n": torch.tensor([3]), "ok": torch.tensor(True)})
    assert row == {"loss": 0.5, "n": 3, "ok": True}
    assert [type(value) for value in row.values()] == [float, int, bool]
    with pytest.raises(TypeError, match=r"'loss' must be a number, not 'tensor\(\[0., 0.\]\)'"):
        require(clean({"loss": torch.zeros(2)}), ("loss",))


class Colour(enum.Enum):
    RED = 1


class Unprintable:
    def __repr__(self) -> str:
        raise ZeroDivisionError


class Hostile:
    def item(self) -> object:
        return self

    def __getattr__(self, name: str) -> object:
        raise ZeroDivisionError(name)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02 00:00:00+00:00"),
        (dt.timedelta(seconds=1), "0:00:01"),
        (Path("/x"), "/x"),
        (Colour.RED, "Colour.RED"),
        (1j, "1j"),
        (np.complex64(1), "(1+0j)"),
        (b"x", "b'x'"),
        ({1}, "{1}"),
        ([1, 2], "[1, 2]"),
        (np.zeros(2), "[0. 0.]"),
        (int, "<class 'int'>"),
        (object(), None),
        (Unprintable(), None),
        (Hostile(), None),
        (list(range(1000)), None),
        (["x" * 2000], None),
    ],
    ids=lambda item: type(item).__name__,
)
def test_what_is_no_metric_is_kept_as_its_string_or_omitted_and_said(given, kept):
    notes: dict[str, str] = {}
    assert clean({"loss": 1.0, "a": {"x": given}}, notes) == {"loss": 1.0, "a/x": kept}
    fate = "left out" if kept is None else "kept as its string"
    assert notes == {"a/x": f"metric 'a/x' is a {type(given).__name__}, not a number, string, or None: it is {fate}"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (10**400, "'a/x' is too large for a float"),
        (-(10**5000), "'a/x' is too large for a float: <int>"),
        (Fraction(10**400), "'a/x' is too large for a float"),
        ("x" * 70_000, "'a/x' is a string of 70000 characters; at most 65536 are kept"),
    ],
    ids=lambda item: type(item).__name__,
)
def test_what_is_too_large_is_refused_with_its_path(given, text):
    with pytest.raises(ValueError, match=text):
        clean({"a": {"x": given}})


def test_nested_dicts_are_joined_with_a_slash():
    assert clean({"a": {"b": {"c": 1}, "d": 2}, "e": {}}) == {"a/b/c": 1, "a/d": 2}


@pytest.mark.parametrize("report", [[1], 0.5, None, "loss"])
def test_a_report_is_a_dict(report):
    with pytest.raises(TypeError, match="a report must be a dict of metrics, not"):
        clean(report)


def test_a_name_that_is_no_string_is_made_one_and_said():
    notes: dict[str, str] = {}
    assert clean({"a": {3: 1, None: 2}, Colour.RED: 3}, notes) == {"a/3": 1, "a/None": 2, "Colour.RED": 3}
    assert notes["a/3"] == "metric 'a/3' was reported under 3, which is not a string"
    assert notes.keys() == {"a/3", "a/None", "Colour.RED"}
    with pytest.raises(TypeError, match="metric names are strings; a key is a object"):
        clean({"a": {object(): 1}})


@pytest.mark.parametrize(
    "given",
    [
        {"a/b": 1, "a": {"b": 2}},
        {"a/b": {"c": 1}, "a": {"b/c": 2}},
        {"a": {"b": 1, "b/c": 2}, "a/b/c": 3},
        {1: 1, "1": 2},
    ],
)
def test_two_values_of_one_name_are_refused_by_name(given):
    name = "1" if 1 in given else "a/b"
    with pytest.raises(ValueError, match=f"metric '{name}.*' is reported twice"):
        clean(given)


def test_names_have_a_length():
    assert clean({"k" * 256: 1})
    with pytest.raises(ValueError, match="at most 256 characters; 'kkk.*has 257"):
        clean({"k" * 257: 1})


def test_nesting_has_a_depth():
    deep: dict[str, Any] = {"x": 1}
    for _ in range(16):
        deep = {"a": deep}
    assert clean(deep) == {"a/" * 16 + "x": 1}
    with pytest.raises(ValueError, match="nested 16 deep; 'a/a/"):
        clean({"a": deep})


def test_a_dict_that_holds_itself_is_too_deep():
    endless: dict[str, Any] = {}
    endless["a"] = endless
    with pytest.raises(ValueError, match="nested 16 deep"):
        clean(endless)


def test_there_is_a_number_of_keys():
    assert len(clean({str(number): number for number in range(10_000)})) == 10_000
    with pytest.raises(ValueError, match="10000 keys, not 10001"):
        clean({str(number): number for number in range(10_001)})


def test_a_missing_objective_is_named_with_the_nearest_name():
    with pytest.raises(ValueError, match="lacks the metric 'accuracy'; did you mean 'acuracy'?"):
        require({"acuracy": 0.5, "loss": 1.0}, ("accuracy",))
    with pytest.raises(ValueError, match="lacks the metric 'loss'; there are 'a', 'b'"):
        require({"a": 0.5, "b": 1.0}, ("loss",))


@pytest.mark.parametrize("value", [None, "0.5"])
def test_an_objective_is_a_number(value):
    with pytest.raises(TypeError, match=f"'loss' must be a number, not {value!r}"):
        require({"loss": value}, ("loss",))


def test_an_objective_may_be_nan():
    require({"loss": math.nan}, ("loss",))


# On every executor ----------------------------------------------------------------------------------------------------


def reports_all_kinds(config: dict[str, Any]) -> Iterator[dict[str, object]]:
    for step in range(3):
        yield {"loss": config["x"], "at": dt.date(2026, 1, 1 + step), "table": {7: step}, "raw": object()}


async def reports_in_a_task(config: dict[str, Any]) -> None:
    await report({"loss": config["x"], "at": dt.date(2026, 1, 3), "table": {7: 2}, "raw": object()})


@pytest.mark.parametrize(
    ("objective", "executor"),
    [
        (reports_all_kinds, Local()),
        (reports_in_a_task, Local()),
        (reports_all_kinds, Processes(2)),  # as on Ray: the slots are the same
    ],
    ids=["local", "task", "processes"],
)
def test_a_report_with_more_than_metrics_completes_its_trial_with_one_warning_a_name(objective, executor):
    what = {"x": space.uniform(0, 1)}
    result = Engine(objective, what, metric="loss", num_samples=3, executor=executor, storage=None, verbose=0).run()
    assert [trial.outcome for trial in result] == ["completed"] * 3
    assert all(trial.metrics["at"] == "2026-01-03" and trial.metrics["table/7"] == 2 for trial in result)
    said = [text for text in result.warnings if text.startswith("metric")]
    assert len(said) == 3
    assert {text.split("'")[1] for text in said} == {"at", "table/7", "raw"}
