"""Reporters with Ray Tune's interface: they are really used."""

from __future__ import annotations

import math
import sys

import pytest

from tests.tune.objectives import failing, objective, run
from trialwright.progress import Snapshot
from trialwright.tune.reporter import CLIReporter, JupyterNotebookReporter, ProgressReporter, to_engine
from trialwright.tune.trial import RunFacts

FACTS = {
    "name": "objective",
    "varied": frozenset({"weight", "bias"}),
    "metric": "score",
    "mode": "min",
    "num_samples": 3,
}


class Recorder(ProgressReporter):
    """Reports every tenth time that it is asked, and at the end."""

    def __init__(self):
        self.asked, self.reports, self.told = 0, [], None

    def setup(self, start_time=None, total_samples=None, metric=None, mode=None, **kwargs):
        self.told = (total_samples, metric, mode)

    def should_report(self, trials, done=False):  # noqa: FBT002 - Ray Tune's interface
        self.asked += 1
        return done or self.asked % 10 == 0

    def report(self, trials, done, *sys_info):
        self.reports.append(
            (done, [(trial.trial_id, trial.status, trial.last_result.get("score")) for trial in trials], sys_info)
        )


def reported(reporter, function, tmp_path, **keywords):
    result = run(function, tmp_path, callbacks=[to_engine(reporter, RunFacts(**FACTS))], **keywords)
    assert not result.warnings
    return result


def test_a_users_reporter_is_asked_and_reports(tmp_path):
    reporter = Recorder()
    reported(reporter, objective, tmp_path)
    assert reporter.told == (3, "score", "min")
    assert reporter.asked > 90
    assert [done for done, *_ in reporter.reports].count(True) == 1


def test_the_last_report_has_every_trial_as_it_ended(tmp_path):
    reporter = Recorder()
    result = reported(reporter, objective, tmp_path)
    done, trials, sys_info = reporter.reports[-1]
    assert done
    assert {status for _, status, _ in trials} == {"TERMINATED"}
    assert sorted(score for *_, score in trials) == sorted(trial.metrics["score"] for trial in result)
    assert str(result.path) in sys_info[-1]


def test_a_table_is_printed(tmp_path, capsys):
    result = reported(CLIReporter(max_report_frequency=1000), objective, tmp_path)
    out = capsys.readouterr().out
    last = out[out.rindex("== Status ==") :]
    best = result.best("last")  # as in Ray Tune
    assert "3 of 3 trials: 3 TERMINATED" in last
    assert f"with score={best.metrics['score']}" in last
    assert last.count("TERMINATED") == 4
    assert "bias" in last


def text_of(tmp_path, capsys, function=objective, **settings):
    reported(CLIReporter(max_report_frequency=1000, **settings), function, tmp_path)
    out = capsys.readouterr().out
    return out[out.rindex("== Status ==") :]


def test_columns_can_be_chosen_and_named(tmp_path, capsys):
    text = text_of(tmp_path, capsys, metric_columns={"score": "points"}, parameter_columns=["weight"])
    header = next(line for line in text.splitlines() if line.startswith("trial"))
    assert header.split() == ["trial", "status", "weight", "points"]


def test_columns_can_be_added(tmp_path, capsys):
    reporter = CLIReporter(max_report_frequency=1000)
    reporter.add_metric_column("score", "points")
    with pytest.raises(ValueError, match="score"):
        reporter.add_metric_column("score")
    reported(reporter, objective, tmp_path)
    assert "points" in capsys.readouterr().out


def test_a_column_gets_a_title_only_beside_columns_with_titles():
    for given in (None, {"loss": "cost"}):
        CLIReporter(metric_columns=given, parameter_columns=given).add_metric_column("score", "points")
    listed = CLIReporter(metric_columns=["loss"], parameter_columns=["lr"])
    listed.add_metric_column("score")
    for add in (listed.add_metric_column, listed.add_parameter_column):
        with pytest.raises(ValueError, match="title 'points': the .* columns were given as a list"):
            add("other", "points")


def test_trials_can_be_sorted(tmp_path, capsys):
    text = text_of(tmp_path, capsys, sort_by_metric=True, metric_columns=["score"], parameter_columns=[])
    scores = [float(line.split()[-1]) for line in text.splitlines() if line.startswith("objective_")]
    assert scores == sorted(scores)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_trial_without_a_finite_value_is_never_the_best_and_stands_last(tmp_path, capsys, bad):
    values = iter([bad, 1.5, bad])
    reporter = CLIReporter(max_report_frequency=1000, sort_by_metric=True, metric_columns=["score"])
    reported(reporter, lambda config: {"score": next(values)}, tmp_path)
    text = capsys.readouterr().out.rpartition("== Status ==")[2]
    assert "with score=1.5" in text
    shown = [float(line.split()[-1]) for line in text.splitlines() if line.startswith("objective_")]
    assert list(map(math.isfinite, shown)) == [True, False, False]


def test_errors_are_listed(tmp_path, capsys):
    assert text_of(tmp_path, capsys, failing).count("RuntimeError: no luck") == 3


def test_rows_are_limited_while_the_run_continues():
    from trialwright.callbacks import TrialInfo
    from trialwright.tune.trial import Trial

    facts = RunFacts("f")
    trials = [Trial(facts, TrialInfo(n, {"x": n}, "running", None, 1, 0, {}, "", None, None)) for n in range(30)]
    reporter = CLIReporter(max_progress_rows=4)
    assert "... 26 more trials" in reporter._text(trials, False)
    assert "more trials" not in reporter._text(trials, True)


def test_without_intermediate_tables_only_the_last_has_one():
    reporter = CLIReporter(print_intermediate_tables=False)
    assert "status" not in reporter._text([], False)
    assert "status" in reporter._text([], True)


def test_long_values_are_cut_off_but_not_names(tmp_path, capsys):
    text = text_of(tmp_path, capsys, max_column_length=6, metric_columns=["date"], parameter_columns=["weight"])
    assert "objective_" in text


def test_a_reporter_may_be_told_by_hand_what_a_run_tells_it(capsys):
    reporter = CLIReporter()
    assert reporter.set_search_properties("score", "max")
    assert not reporter.set_search_properties("loss", "min")
    reporter.set_total_samples(7)
    reporter.set_start_time(0.0)
    reporter.report([], done=False)
    assert "0 of 7 trials" in capsys.readouterr().out
    assert CLIReporter.DEFAULT_COLUMNS["training_iteration"] == "iter"


def test_there_is_a_report_a_period():
    reporter = CLIReporter(max_report_frequency=1000)
    assert [reporter.should_report([]), reporter.should_report([]), reporter.should_report([], done=True)] == [
        True,
        False,
        True,
    ]


def test_a_snapshot_of_the_engine_is_shown_with_the_trials(tmp_path):
    recorder = Recorder()
    reporting = to_engine(recorder, RunFacts(**FACTS))
    reporting.update(Snapshot("a run", states={"running": 7}))
    run(objective, tmp_path, callbacks=[reporting])
    assert "7 running" in recorder.reports[-1][2][0]


def test_a_notebooks_reporter_shows_its_tables_as_ipython_does(capsys):
    pytest.importorskip("IPython")
    JupyterNotebookReporter(overwrite=False).report([], True)
    assert "== Status ==" in capsys.readouterr().out


def test_a_notebooks_reporter_says_that_it_needs_a_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)  # as where it is not installed
    with pytest.raises(ImportError, match="CLIReporter"):
        JupyterNotebookReporter(overwrite=False).report([], True)


def test_what_is_no_reporter_is_refused():
    with pytest.raises(TypeError, match="progress_reporter"):
        to_engine(print, RunFacts())
    with pytest.raises(ValueError, match="mode"):
        CLIReporter(mode="most")
