"""What only scikit-optimize has: its options, its dimensions, its optimizers under Ray Tune's name."""

import pytest

from tests.integrations.test_adapter import BRANCHES, PLANE, ask, live
from trialwright import tune
from trialwright.history import History
from trialwright.integrations import SkOpt
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.tune.search import create_searcher
from trialwright.tune.search.skopt import SkOptSearch

skopt = pytest.importorskip("skopt")


def test_a_parameter_in_a_branch_is_named():
    with pytest.raises(ValueError, match=r"model\[0\]/depth.*hyperopt"):
        SkOpt().setup(Problem(Space(BRANCHES)))


def test_other_models_and_acquisitions_can_be_had():
    options = {"base_estimator": "ET", "acq_func": "LCB", "acq_func_kwargs": {"kappa": 1.0}}
    configs, _ = live(SkOpt(n_initial_points=4, options=options), 7)
    usual, _ = live(SkOpt(n_initial_points=4), 7)
    assert (configs[0], len(configs)) == (usual[0], 7)
    assert configs[4:] != usual[4:]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"random_state": 3}, "give seed"),
        ({"initial_point_generator": "sobol"}, "drawn at random"),
        ({"acq_func": "EIps"}, "times"),
        ({"kappa": 2}, "no option 'kappa'"),
    ],
)
def test_an_option_that_cannot_be_honoured_is_refused(options, text):
    with pytest.raises(ValueError, match=text):
        SkOpt(options=options).setup(Problem(Space(PLANE)))


def test_a_lie_about_running_trials_changes_what_is_proposed_next():
    with pytest.raises(ValueError, match="cl_min"):
        SkOpt(lie="cl_magic").setup(Problem(Space(PLANE)))
    lies = [live(SkOpt(n_initial_points=4, lie=lie), 9, pending=3)[0] for lie in ("cl_min", "cl_max")]
    assert lies[0][:4] == lies[1][:4]
    assert lies[0] != lies[1]


def test_a_space_of_dimensions_is_searched():
    own = {"x": (1, 5), "in/kind": ["a", "b"], "lr": (1e-3, 1.0, "log-uniform"), "n": skopt.space.Integer(2, 9)}
    searcher = SkOpt(space=own, n_initial_points=3, points=[{"lr": 0.5}])
    configs, _ = live(searcher, 6, what={"epochs": 2}, cost=lambda config: config["x"] * config["lr"])
    assert configs[0]["lr"] == 0.5
    for config in configs:
        assert config.keys() == {"x", "in", "lr", "n", "epochs"}
        assert config["x"] in range(1, 6)
        assert 1e-3 <= config["lr"] <= 1
    with pytest.raises(ValueError, match="'x'"):
        SkOpt(space={"x": 3}).setup(Problem(Space({})))


def test_ray_tunes_name_takes_an_optimizer_with_what_it_was_told():
    optimizer = skopt.Optimizer([(0.0, 20.0), ["a", "b"]], acq_func="EI", n_initial_points=3, random_state=1)
    for x in (1.0, 4.0, 9.0):
        optimizer.tell([x, "a"], x)
    search = SkOptSearch(optimizer, ["width", "kind"], metric="loss", mode="min", points_to_evaluate=[[7, "b"]])
    adapter = search.adapter("min")
    assert (adapter.seed, adapter.n_initial_points, adapter.options) == (1, 3, {"acq_func": "EI"})
    assert adapter.earlier[0] == ({"width": 1.0, "kind": "a"}, (1.0,))
    adapter.setup(Problem(Space({})))
    assert ask(adapter, History(), 0) == {"width": 7.0, "kind": "b"}
    assert ask(adapter, History(), 1)["width"] < 4, "it knows what the optimizer was told"
    for wrong in ({"optimizer": optimizer, "space": {"x": (0, 1)}}, {"space": ["x"]}, {"convert_to_python": False}):
        with pytest.raises(ValueError, match=r"list of|convert_to_python"):
            SkOptSearch(**wrong)


def test_ray_tunes_name_tunes(tmp_path):
    points, rewards = [{"x": 1.0, "y": 1.0}, {"x": 0.0, "y": 2.0}], [-5.0, -1.0]
    search = create_searcher("skopt", points_to_evaluate=points, evaluated_rewards=rewards)
    tuner = tune.Tuner(
        lambda config: {"score": -((config["x"] - 0.3) ** 2)},
        param_space=PLANE,
        tune_config=tune.TuneConfig(metric="score", mode="max", search_alg=search, num_samples=4),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    )
    assert len(tuner.fit()) == 4
    assert search.adapter("max").earlier[1] == ({"x": 0.0, "y": 2.0}, (1.0,))


def test_gp_hedge_prefers_the_acquisition_that_has_gained_most_and_a_resumed_run_does_too():
    searcher = SkOpt(n_initial_points=4)
    _, history = live(searcher, 8, pending=1)
    resumed = SkOpt(n_initial_points=4)
    resumed.setup(Problem(Space(PLANE)))
    assert searcher.replays
    assert ask(resumed, history, 8) == ask(searcher, history, 8)
    gains = [each._library._hedge["gains_"].tolist() for each in (searcher, resumed)]
    assert gains[0] == gains[1]
    assert len(set(gains[0])) == 3, "equal ones would mean that each is chosen equally often"
    assert not SkOpt(options={"acq_func": "EI"}).replays
