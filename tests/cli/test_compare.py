"""Runs beside each other."""

import json

from trialwright import runs


def test_runs_are_compared_by_their_best_also_after_equally_many_trials(call, home):
    first, second = json.loads(call("compare", "digits", "ruled", "--json").output)
    [path] = home.glob("digits-*")
    assert first["best"] == runs.describe(path).best.value
    assert first["best of first 2"] == runs.best_after(runs.describe(path), 2).value
    assert second["best of first 2"] == second["best"]
    assert first["settings"]["scheduler"]["name"] == "asha"
    assert second["settings"]["scheduler"] == "fifo"
    assert "searcher" not in first["settings"], "it is the same"
    assert call("compare", "digits", "ruled").output.startswith("run\tstate\ttrials\tmetric\tbest\tbest of first 2\t")


def test_runs_with_other_metrics_and_single_runs_are_refused(call):
    other, single = call("compare", "digits", "bad"), call("compare", "digits")
    assert (other.exit_code, single.exit_code) == (2, 2)
    assert "different first metrics" in other.output
