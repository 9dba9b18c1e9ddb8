"""Pictures in files, by what ``trialwright.plots`` offers, and as characters."""

import json

import pytest

import trialwright
from trialwright.cli.draw import kind_of, kinds


def test_the_curves_of_the_best_trials_are_drawn(call, digits):
    best = trialwright.load(digits).best_trial
    first, *others = json.loads(call("curves", "digits", "--trials", 3, "--json").output)
    assert first == {"name": f"trial {best.id}", "x": [1, 2, 3, 4], "y": [row["loss"] for row in best.history]}
    assert len(others) == 2
    assert f"● trial {best.id}  ○" in call("curves", "digits").output


def test_the_history_goes_by_the_end_of_trials_and_has_the_best_so_far(call):
    best, trials = json.loads(call("plot", "digits", "history", "--json").output)
    assert best["y"] == [min(trials["y"][: place + 1]) for place in range(12)]
    assert "● best so far  ○ trials" in call("plot", "digits", "history").output


def test_of_a_metric_without_a_direction_there_is_no_best(call):
    [trials] = json.loads(call("plot", "digits", "history", "--metric", "accuracy", "--json").output)
    assert set(trials["y"]) <= {0.25, 0.5, 0.75, 1.0}


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("html", b"<!doctype html>")])
def test_a_picture_is_drawn_into_a_file(call, tmp_path, suffix, start):
    file = tmp_path / f"picture.{suffix}"
    assert call("plot", "digits", "rung", "-o", file, "x=step").exit_code == 0
    assert file.read_bytes().lower().startswith(start)


def test_curves_are_drawn_into_a_file(call, tmp_path):
    assert call("curves", "digits", "-o", tmp_path / "c.png", "--metric", "accuracy").exit_code == 0
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["optimization_histroy"], "did you mean 'optimization_history'"),
        (["parallel_coordinates"], "give a file, such as -o parallel_coordinates.png"),
        (["rung_survival", "-o", "x.png", "y=3"], "rung_survival has no 'y'"),
        (["history", "--metric", "nothing"], "the trials have no 'nothing'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, arguments, why):
    result = call("plot", "digits", *arguments)
    assert (result.exit_code, why in result.output) == (2, True)


def test_every_picture_of_a_result_is_a_kind():
    assert {"learning_curves", "optimization_history", "parallel_coordinates", "rung_survival"} <= kinds().keys()
    assert kind_of("parallel-coordinates") == "parallel_coordinates"
