"""What users call things, what the engine does, and that nothing is lost between them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trialwright.metrics import clean
from trialwright.tune import names
from trialwright.tune.pretty import pretty_print

NAMES = ["training_iteration", "time_total_s", "step", "_step", "__step", "time_s", "_auto", "_nests", "loss", "a/b"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_as_it_was(name):
    assert names.from_engine(names.to_engine(name)) == name


def test_no_two_names_become_the_same():
    assert len(set(map(names.to_engine, NAMES))) == len(NAMES)


def test_counted_metrics_have_the_engine_s_names_inside():
    assert [names.to_engine(name) for name in ("training_iteration", "time_total_s")] == ["step", "time_s"]


def test_a_step_of_the_user_s_own_is_not_the_counted_one():
    assert names.to_engine("step") not in ("step", "time_s")
    assert names.to_engine("step/inner").startswith("_step/")


keys = st.sampled_from(["step", "a", "b/c", "b", "c[]", "_step", "time_s", "x y", "_auto"])
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
metrics = st.recursive(
    numbers | st.text(max_size=5) | st.booleans(),
    lambda inner: (
        st.dictionaries(st.sampled_from(["p", "q", "step", "0", "p/q", "p[]", ""]), inner, max_size=3)
        | st.lists(inner, max_size=12)
    ),
)


@given(st.dictionaries(keys, metrics, max_size=5))
def test_a_report_comes_back_as_it_was_nested_with_lists_and_what_is_empty(report):
    try:
        row = clean(names.escape(report))
    except ValueError as error:
        assume("is reported twice" not in str(error))
        raise
    assert names.unescape(row) == report


@pytest.mark.parametrize(
    "report",
    [
        {"ptl/val_loss": 2.0, "ptl": {"epoch": 7}},
        {"ptl": {"epoch": 7, "val/loss": 1, "val": {"acc": 2}}},
        {"a/b": {"c": 1}, "a": {"b": {"d": 2}}},
        {"a": {"b": {}}, "a/b": 1},
        {"x[]": {"0": 1}, "x": [2]},
    ],
)
def test_a_name_with_a_slash_beside_a_dict_comes_back_under_its_own_name(report):
    assert names.unescape(clean(names.escape(report))) == report


def test_a_nested_metric_is_found_by_its_joined_name():
    result = names.unescape(clean(names.escape({"val": {"loss": 1, "a/b": [2, {"c": 3}]}, "a/b": 4})))
    assert [result[name] for name in ("val/loss", "val/a/b/0", "val/a/b/1/c", "a/b")] == [1, 2, 3, 4]
    assert "val/loss" in result
    assert result.get("val/lost", 5) == 5
    with pytest.raises(KeyError, match="val/lost"):
        result["val/lost"]
    assert result == {"val": {"loss": 1, "a/b": [2, {"c": 3}]}, "a/b": 4}


def test_an_own_training_iteration_that_is_no_number_is_refused_by_that_name():
    with pytest.raises(TypeError, match="own 'training_iteration' must be a number, not 'first'"):
        names.escape({"training_iteration": "first"})


def test_a_fact_that_a_metric_hides_is_kept_beside_it():
    facts = {"trial_id": "85955_00000", "config": {"lr": 1}}
    result = names.result_of({"trial_id": "mine", "config/lr": 2}, **facts)
    assert (result["trial_id"], result["trial/trial_id"], result["config/lr"]) == ("mine", "85955_00000", 2)
    assert names.flatten(result) | {"config/lr": 2, "trial/config/lr": 1} == names.flatten(result)


def test_arrays_and_tuples_come_back_as_lists():
    row = clean(names.escape({"a": np.arange(4).reshape(2, 2), "b": (1, None, 3), "c": np.float32(0.5)}))
    row = {name: value for name, value in row.items() if value is not None}  # so does a frame
    assert names.unescape(row) == {"a": [[0, 1], [2, 3]], "b": [1, None, 3], "c": 0.5}


def test_a_result_has_the_automatic_metrics_of_ray_tune():
    row = names.Stamp().on(names.escape({"score": 1.0, "step": 7})) | {"step": 3, "time_s": 0.5}
    result = names.result_of(row, trial_id="85955_00000", experiment_id="85955", done=True)
    assert (result["training_iteration"], result["time_total_s"], result["step"], result["score"]) == (3, 0.5, 7, 1.0)
    assert (result["done"], result["trial_id"], result["iterations_since_restore"]) == (True, "85955_00000", 1)
    kinds = {"hostname": str, "pid": int, "date": str, "timestamp": int, "time_this_iter_s": float, "node_ip": str}
    assert {name: type(result[name]) for name in kinds} == kinds
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", result["date"])


def test_what_a_user_reports_goes_before_what_is_automatic():
    row = names.Stamp().on({"timestamp": 5, "done": False})
    assert names.result_of(row, done=True) | {"x": 1} == {**names.result_of(row), "timestamp": 5, "x": 1}


class TestPrettyPrint:
    def test_shows_what_the_book_shows(self):
        result = {
            "done": True,
            "experiment_tag": "0_bias=0.73356,weight=0.16088",
            "hostname": "mac",
            "more_metrics": {},
            "score": 1.5999446700996236,
            "step": 29,
            "trial_id": "85955_00000",
            "config": {"bias": 0.7},
        }
        assert pretty_print(result) == (
            "done: true\nexperiment_tag: 0_bias=0.73356,weight=0.16088\nhostname: mac\nmore_metrics: {}\n"
            "score: 1.5999446700996236\nstep: 29\ntrial_id: '85955_00000'\n"
        )

    def test_shows_nested_values_and_leaves_out_excluded_names(self):
        assert pretty_print({"a": {"b": 1, "c": "it's"}, "d": None, "e": 2}, exclude=["e"]) == (
            "a:\n  b: 1\n  c: 'it''s'\n"
        )
