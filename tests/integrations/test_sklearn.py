"""The search as an estimator of scikit-learn: its own checks of estimators, and what is ours."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

import trialwright
from trialwright import ASHA, PBT, HyperBand, SearchCV, space

X, Y = make_classification(120, 8, random_state=0)
C = {"C": space.loguniform(1e-3, 1e3)}
ALPHA = {"alpha": space.loguniform(1e-6, 1e-1)}


def search(estimator=None, over=None, **keywords):
    keywords = {"num_samples": 4, "seed": 0, "cv": 4, **keywords}
    return SearchCV(estimator or LogisticRegression(), over or C, **keywords)


def not_for_us(estimator):
    """What GridSearchCV does not pass either: the check wants a warning of a column for y, and Ridge takes columns."""
    return {"check_supervised_y_2d": "Ridge takes columns"} if isinstance(estimator.estimator, Ridge) else {}


def checked(estimator, over, **keywords):
    return search(estimator, over, cv=2, num_samples=2, error_score="raise", **keywords)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # a warning that is raised would be another error than the one that is checked
@parametrize_with_checks(
    [
        checked(Ridge(), {"alpha": space.loguniform(0.1, 1)}),
        checked(make_pipeline(PCA(), LogisticRegression()), {"logisticregression": {"C": space.loguniform(0.1, 1)}}),
        checked(SGDClassifier(random_state=0), {"alpha": space.loguniform(1e-4, 1e-2)}, passes=5),
    ],
    expected_failed_checks=not_for_us,
)
def test_it_is_an_estimator(estimator, check):
    check(estimator)


def test_without_a_scheduler_the_results_are_those_of_grid_search():
    values, cv = [0.01, 1.0, 100.0], KFold(4, shuffle=True, random_state=0)
    ours = search(SVC(), {"C": space.grid_search(values)}, num_samples=1, cv=cv, return_train_score=True).fit(X, Y)
    theirs = GridSearchCV(SVC(), {"C": values}, cv=cv, return_train_score=True).fit(X, Y)
    assert ours.cv_results_.keys() - {"folds"} == theirs.cv_results_.keys()
    for name, wanted in theirs.cv_results_.items():
        if "time" not in name and name != "params":
            np.testing.assert_allclose(
                np.asarray(ours.cv_results_[name], float), np.asarray(wanted, float), err_msg=name
            )
    for name in ("best_params_", "best_score_", "best_index_", "n_splits_", "multimetric_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert (ours.predict(X) == theirs.predict(X)).all()
    assert ours.score(X, Y) == theirs.score(X, Y)


class Counting(ClassifierMixin, BaseEstimator):
    """Scores what its parameter says; counts the fits of all its copies."""

    fits = 0

    def __init__(self, quality=0.0, fails=None):
        self.quality, self.fails = quality, fails

    def fit(self, X, y, sample_weight=None):  # noqa: N803 - as scikit-learn calls it
        type(self).fits += 1
        if self.fails:
            raise RuntimeError("as it was told")
        self.classes_, self.weight_ = np.unique(y), sample_weight
        return self

    def predict(self, X):  # noqa: N803 - the same
        return np.full(len(X), self.classes_[0])

    def score(self, X, y, sample_weight=None):  # noqa: N803 - the same
        return self.quality


@pytest.fixture
def fits(monkeypatch):
    monkeypatch.setattr(Counting, "fits", 0)
    return lambda: Counting.fits


QUALITY = {"quality": space.grid_search([0.9, 0.3, 0.2, 0.1])}


def test_a_scheduler_spares_folds_and_configurations_with_fewer_rank_last(fits):
    found = search(Counting(), QUALITY, num_samples=1, cv=5, refit=False, scheduler=ASHA(max_t=5, reduction_factor=2))
    found.fit(X, Y)
    assert list(found.cv_results_["folds"]) == [5, 1, 1, 1]
    assert fits() == 8
    assert found.best_params_ == {"quality": 0.9}
    assert list(found.cv_results_["rank_test_score"]) == [1, 2, 3, 4]
    assert np.isnan(found.cv_results_["split1_test_score"][1:]).all()


def test_paused_trials_continue_with_the_next_fold(fits):
    scheduler = ASHA(max_t=5, reduction_factor=2, promote=True)
    found = search(Counting(), QUALITY, num_samples=1, cv=5, refit=False, scheduler=scheduler).fit(X, Y)
    assert fits() == found.cv_results_["folds"].sum()


def test_passes_end_early_and_the_best_is_made_of_as_many():
    found = search(SGDClassifier(random_state=0), ALPHA, num_samples=6, passes=9, scheduler="asha").fit(X, Y)
    passes = found.cv_results_["passes"]
    assert found.best_estimator_.t_ == 1 + len(X) * passes[found.best_index_]
    assert {trial.step for trial in found.result_} == {1, 9} or min(trial.step for trial in found.result_) < 9


@pytest.mark.parametrize("scheduler", [HyperBand(max_t=9), PBT(interval=2)])
def test_passes_can_be_paused_and_cloned(scheduler):
    found = search(SGDClassifier(random_state=0), ALPHA, num_samples=5, passes=9, scheduler=scheduler).fit(X, Y)
    assert found.best_score_ > 0.5
    assert not found.result_.errors


def test_a_class_that_a_fold_lacks_is_known_from_the_first_pass_on():
    y = np.repeat([0, 1, 2], 40)
    found = search(
        SGDClassifier(random_state=0), ALPHA, passes=2, cv=KFold(3),  # each fold is one class
        scoring=lambda estimator, *_: len(estimator.classes_),
    ).fit(X, y)  # fmt: skip
    assert list(found.cv_results_["mean_test_score"]) == [3.0] * 4


def test_several_scores_are_kept_and_one_is_optimised():
    found = search(scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss").fit(X, Y)
    assert found.multimetric_
    assert found.best_index_ == found.cv_results_["mean_test_neg_log_loss"].argmax()
    assert found.result_.metric == "mean_test_neg_log_loss"
    assert {"mean_test_accuracy", "rank_test_neg_log_loss"} <= found.cv_results_.keys()


def test_a_function_may_choose_the_best():
    found = search(refit=lambda results: int(results["mean_test_score"].argmin())).fit(X, Y)
    assert found.best_params_ == found.cv_results_["params"][found.best_index_]
    assert found.cv_results_["rank_test_score"][found.best_index_] == found.cv_results_["rank_test_score"].max()


def test_a_step_of_a_pipeline_may_be_searched_with_its_own_parameters():
    steps = make_pipeline(StandardScaler(), SVC())
    svc = space.choice([{"kernel": "rbf", "gamma": space.loguniform(1e-3, 1)}, {"kernel": "poly", "degree": 2}])
    found = search(steps, {"standardscaler": space.choice([MinMaxScaler(), "passthrough"]), "svc": svc}, num_samples=8)
    found.fit(X, Y)
    gamma, degree = found.cv_results_["param_svc__gamma"], found.cv_results_["param_svc__degree"]
    assert (gamma.mask != degree.mask).all()
    assert set(found.best_params_) <= {"standardscaler", "svc__kernel", "svc__gamma", "svc__degree"}


def test_failures_are_rows_without_scores_and_a_warning():
    over = {"fails": space.grid_search([True, False]), "quality": 0.5}
    with pytest.warns(FitFailedWarning, match="(?s)1 of 2 configurations failed.*as it was told"):
        found = search(Counting(), over, num_samples=1).fit(X, Y)
    assert np.isnan(found.cv_results_["mean_test_score"][0])
    assert list(found.cv_results_["rank_test_score"]) == [2, 1]
    assert found.best_params_["fails"] is False


def test_all_failures_are_an_error_and_raise_gives_the_estimators_own():
    with pytest.raises(ValueError, match="4 of 4 configurations failed"):
        search(Counting(fails=True), {"quality": space.uniform(0, 1)}).fit(X, Y)
    with pytest.raises(RuntimeError, match="as it was told"):
        search(Counting(fails=True), {"quality": space.uniform(0, 1)}, error_score="raise").fit(X, Y)


@pytest.mark.filterwarnings("ignore:fold")
def test_a_number_stands_for_the_score_of_a_failed_fold():
    over = {"fails": space.grid_search([True, False]), "quality": 0.5}
    found = search(Counting(), over, num_samples=1, error_score=-1.0).fit(X, Y)
    assert list(found.cv_results_["mean_test_score"]) == [-1.0, 0.5]


def test_groups_go_to_the_splitter_and_weights_to_the_estimator():
    weights, groups = np.arange(len(X)) + 1.0, np.repeat([0, 1, 2], 40)
    found = search(Counting(), {"quality": space.uniform(0, 1)}, cv=GroupKFold(3))
    found.fit(X, Y, groups=groups, sample_weight=weights)
    assert found.n_splits_ == 3
    assert (found.best_estimator_.weight_ == weights).all()


def test_metadata_are_routed_as_they_were_requested():
    weights, groups = np.arange(len(X)) + 1.0, np.repeat([0, 1, 2], 40)
    with config_context(enable_metadata_routing=True):
        estimator = Counting().set_fit_request(sample_weight="weights")
        scoring = make_scorer(accuracy_score).set_score_request(sample_weight=False)
        over = {"quality": space.uniform(0, 1)}
        found = search(estimator, over, cv=GroupKFold(3), scoring=scoring).fit(X, Y, groups=groups, weights=weights)
    assert (found.best_estimator_.weight_ == weights).all()
    assert found.n_splits_ == 3


def test_a_seed_repeats_a_search():
    first, again = (search(searcher="tpe", num_samples=12).fit(X, Y) for _ in range(2))
    assert first.cv_results_["params"] == again.cv_results_["params"]


def test_there_need_be_no_target():
    found = search(KMeans(n_init=1, random_state=0), {"n_clusters": space.grid_search([2, 3])}, num_samples=1).fit(X)
    assert found.best_params_ == {"n_clusters": 3}
    assert found.transform(X).shape == (len(X), 3)


@pytest.mark.slow
def test_it_can_be_cloned_and_trials_can_be_in_processes(tmp_path):
    original = search(
        scoring=make_scorer(accuracy_score), executor="processes", n_jobs=2, engine_options={"storage": str(tmp_path)}
    )
    found = clone(original).fit(X, Y)
    assert len(trialwright.load(found.result_.path)) == 4
    assert not hasattr(original, "result_")


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"over": {"C": [1, 2]}}, r"space\.choice\(\[1, 2\]\)"),
        ({"over": {"D": space.uniform(0, 1)}}, "Invalid parameter 'D'"),
        ({"scheduler": "pbt"}, "passes"),
        ({"passes": 0}, "passes"),
        ({"passes": 3}, "LogisticRegression has no partial_fit"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"scoring": ["accuracy", "f1"]}, "refit"),
        ({"engine_options": {"mode": "min"}}, "mode"),
        ({"searcher": "tpee"}, "tpe"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_name(keywords, said):
    with pytest.raises(ValueError, match=said):
        search(**keywords).fit(X, Y)
