"""Code of the user's may raise anything at all: SystemExit, and errors that cannot be shown."""

from __future__ import annotations

import pytest

from trialwright import ASHA, Callback, Engine, Local, Processes, Random, Simulated, report, space
from trialwright.errors import PolicyError, named, said
from trialwright.messages import Suggestion
from trialwright.workloads import CrossingCurves


class Unsayable(BaseException):
    def __str__(self):
        return self.args[0] + 1

    __repr__ = __str__


ERRORS = {"exits": SystemExit(3), "is interrupted": KeyboardInterrupt(), "cannot say what": Unsayable("x")}
any_error = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)


class Searcher(Random):
    process_from = None

    def __init__(self, error):
        self._error = error

    def suggest(self, *_):
        raise self._error


class SearcherInProcess(Searcher):
    process_from = 0


class UnloadableSearcher(Random):
    process_from = 0

    def __setstate__(self, state):
        raise SystemExit(3)


class Scheduler(ASHA):
    error: BaseException

    def on_report(self, trial, report):
        raise self.error


class Watching(Callback):
    def __init__(self, error):
        self._error = error

    def on_trial_start(self, **info):
        raise self._error


class Display:
    def __init__(self, error):
        self._error = error

    def update(self, snapshot):
        raise self._error

    close = update


def objective(config):
    report(loss=config["x"])


def run(objective=objective, **keywords):
    keywords = {"executor": Local(cpus=2), "storage": None, **keywords}
    definition = getattr(objective, "space", {"x": space.uniform(0, 1)})
    return Engine(objective, definition, metric="loss", num_samples=2, verbose=0, seed=0, **keywords).run()


@any_error
@pytest.mark.parametrize("kind", [Searcher, SearcherInProcess])
def test_whatever_a_searcher_raises_is_named_and_ends_the_run(kind, error):
    with pytest.raises(PolicyError, match=f"the searcher raised .*{type(error).__name__}") as raised:
        run(searcher=kind(error))
    assert type(raised.value.__cause__) in (type(error), RuntimeError)


@any_error
def test_whatever_a_searcher_raises_ends_a_simulation(error):
    with pytest.raises(PolicyError, match=f"the searcher raised {type(error).__name__}"):
        run(CrossingCurves(), searcher=Searcher(error), executor=Simulated())


def test_a_searcher_whose_loading_exits_is_asked_in_the_thread():
    result = run(searcher=UnloadableSearcher())
    assert [trial.outcome for trial in result] == ["completed"] * 2
    assert any("SystemExit(3)" in warning for warning in result.warnings)


@any_error
def test_whatever_a_scheduler_or_a_stop_rule_raises_is_named_and_ends_the_run(error):
    def rule(trial, metrics):
        raise error

    scheduler = Scheduler()
    scheduler.error = error
    for keywords in ({"scheduler": scheduler}, {"stop": rule}):
        with pytest.raises(PolicyError, match=f"while handling .*{type(error).__name__}") as raised:
            run(**keywords)
        assert raised.value.__cause__ is error


@any_error
def test_whatever_a_callback_or_the_display_raises_becomes_a_warning_that_names_it(error):
    result = run(callbacks=[Watching(error)], progress=Display(error))
    assert [trial.outcome for trial in result] == ["completed"] * 2
    assert sum(type(error).__name__ in warning for warning in result.warnings) >= 2


@any_error
@pytest.mark.parametrize("executor", [lambda: Local(cpus=2), lambda: Processes(2)], ids=["local", "processes"])
def test_whatever_an_objective_raises_fails_its_trial_with_type_and_traceback(executor, error):
    def raises(config):
        raise error

    for trial in run(raises, executor=executor()):
        assert trial.outcome == "failed"
        assert trial.error.startswith(type(error).__name__)
        assert "in raises" in trial.traceback


def test_an_async_objective_whose_error_cannot_say_what_fails_its_trial():
    async def raises(config):
        raise Unsayable("x")

    assert {(trial.outcome, trial.error) for trial in run(raises)} == {("failed", "Unsayable")}


def test_an_error_is_named_even_if_it_cannot_be_shown():
    assert [named(Unsayable("x")), said(Unsayable("x"))] == ["Unsayable", "Unsayable"]
    assert [named(ValueError("x")), said(ValueError("x"))] == ["ValueError('x')", "ValueError: x"]


class Suggesting(Random):
    process_from = None

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def suggest(self, history, requests, generator):
        return [self.answer for _ in requests]


class SuggestingInProcess(Suggesting):
    process_from = 0


NO_DATA = [Suggestion({"x": object()}), Suggestion({"x": {1}}), Suggestion({"x": 0.5}, {"tag": 1j}), {"x": 0.5}, 0.5]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [*((Suggesting, answer) for answer in NO_DATA), *((SuggestingInProcess, answer) for answer in NO_DATA[2:4])],
)
def test_a_suggestion_that_is_no_data_is_the_searchers_fault_and_not_the_disks(tmp_path, kind, answer):
    with pytest.raises(PolicyError, match="the searcher .*suggest"):
        run(searcher=kind(answer), storage=tmp_path)
    if isinstance(answer, Suggestion):
        with pytest.raises(PolicyError, match="the searcher .*not plain data"):
            run(CrossingCurves(), searcher=Suggesting(answer), executor=Simulated())
