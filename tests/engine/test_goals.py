"""Several objectives, outcome constraints, and what is known before a run, from a user's side."""

import math

import pytest

from trialwright import Engine, report, space
from trialwright.core.scores import violations
from trialwright.engine.arguments import outcome_constraints
from trialwright.messages import Boundary, Suggestion
from trialwright.searchers import Random

WHAT = {"x": space.uniform(0, 1)}


def tune(objective, what=WHAT, **keywords):
    settings = {"metric": "a", "executor": "local", "storage": None, "verbose": 0, "seed": 0, "num_samples": 20}
    return Engine(objective, what, **{**settings, **keywords}).run()


class Notes(Random):
    """Learns, in that it notes what it is shown."""

    learns = True

    def setup(self, problem):
        self.problem, self.shown = problem, []
        return super().setup(problem)

    def suggest(self, history, requests, rng):
        self.shown.append(history)
        drawn = super().suggest(history, requests, rng)
        return [Suggestion(each.config) for each in drawn]


class TestStrings:
    @pytest.mark.parametrize(
        ("text", "boundary"),
        [
            ("memory <= 8e9", Boundary("memory", "<=", 8e9)),
            (" test accuracy>=-0.5 ", Boundary("test accuracy", ">=", -0.5)),
        ],
    )
    def test_a_metric_a_comparison_and_a_number_make_a_constraint(self, text, boundary):
        assert outcome_constraints([text]) == (boundary,)

    @pytest.mark.parametrize("text", ["memory", "memory < 3", "memory <= much", "memory <= nan", "<= 3", 3, None])
    def test_anything_else_is_refused_with_the_form_that_is_wanted(self, text):
        with pytest.raises(ValueError, match="'metric <= number'"):
            outcome_constraints([text])

    def test_a_single_text_is_no_list(self):
        with pytest.raises(TypeError, match="a list of strings"):
            outcome_constraints("memory <= 3")

    def test_a_violation_is_how_far_a_report_is_beyond(self):
        constraints = outcome_constraints(["a <= 3", "b >= 2"])
        assert violations(constraints, {"a": 5, "b": 0.5}) == (2, 1.5)
        assert all(map(math.isnan, violations(constraints, {"a": "much"})))


class TestOutcomeConstraints:
    def test_the_best_trial_meets_them(self):
        result = tune(lambda config: {"a": config["x"], "b": config["x"]}, outcome_constraints=["b >= 0.5"])
        assert 0.5 <= result.best_metrics["a"] == min(t.metrics["a"] for t in result if t.metrics["b"] >= 0.5)
        assert result.best("best").id == result.best().id

    def test_where_no_trial_meets_them_none_is_best_and_that_is_said(self):
        result = tune(lambda config: {"a": config["x"], "b": config["x"]}, outcome_constraints=["b >= 2"])
        with pytest.raises(ValueError, match="with b >= 2"):
            result.best()
        assert result.pareto_front() == []

    def test_searchers_see_how_far_each_trial_is_beyond(self):
        searcher = Notes()
        tune(
            lambda config: {"a": 1.0, "b": 5.0},
            searcher=searcher,
            outcome_constraints=["b <= 3"],
            mode="max",
            num_samples=3,
            max_concurrent_trials=1,
        )
        assert (searcher.problem.objectives, searcher.problem.constraints) == (1, 1)
        assert searcher.shown[-1].trials[0].values == [(-1.0, 2.0)]


class TestSeveralObjectives:
    def test_the_front_is_what_nothing_dominates(self):
        points = [(0, 3), (1, 1), (3, 0), (2, 2), (1, 3), (1, 1), (math.nan, 0)]
        result = tune(
            lambda config: dict(zip("ab", points[config["i"]], strict=True)),
            {"i": space.grid_search(list(range(len(points))))},
            metric=["a", "b"],
            num_samples=1,
        )
        assert [trial.id for trial in result.pareto_front()] == [0, 1, 2, 5]

    def test_each_has_its_own_mode(self):
        result = tune(
            lambda config: {"a": config["x"], "b": config["x"]}, metric=["a", "b"], mode=["min", "max"], num_samples=9
        )
        assert len(result.pareto_front()) == 9


class TestWhatIsKnownAlready:
    def test_searchers_that_learn_see_it_before_the_first_trial(self):
        searcher = Notes()
        tune(lambda config: {"a": config["x"]}, searcher=searcher, earlier=[({"x": 0.5}, {"a": 7})], mode="max")
        (known,) = searcher.shown[0].trials
        assert (known.id, known.config, known.values, known.outcome.kind) == (-1, {"x": 0.5}, [(-7.0,)], "completed")

    def test_the_result_of_another_run_will_do(self):
        first, searcher = tune(lambda config: {"a": config["x"]}, num_samples=4), Notes()
        result = tune(lambda config: {"a": config["x"]}, searcher=searcher, earlier=first, num_samples=2)
        assert len(searcher.shown[0].trials) == 4
        assert len(result) == 2

    def test_a_resumed_run_knows_it_too(self, tmp_path):
        earlier = [({"x": 0.5}, {"a": 7, "b": math.inf})]
        result = tune(lambda config: {"a": config["x"]}, earlier=earlier, storage=tmp_path, searcher=Notes())
        searcher = Notes()

        def again(config):
            report(a=config["x"])

        more = Engine.resume(result.path, again, searcher=searcher, num_samples=21, executor="local", verbose=0).run()
        assert len(more) == 21
        assert searcher.shown[0].trials[0].values == [(7.0,)]

    def test_what_is_none_of_the_space_is_refused(self):
        with pytest.raises(ValueError, match=r"earlier\[0\]: x: 7 is outside"):
            tune(report, earlier=[({"x": 7}, {"a": 1})])
        with pytest.raises(ValueError, match="earlier must be a Result, or a list"):
            tune(report, earlier=[{"x": 7}])
