"""What Ray Tune's signatures have, the layer has: each parameter is honoured, or refused by name, or in the tables of
``docs/ray-tune.md``, which are made here."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from functools import cache, reduce
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

from trialwright import PBT, Perturb, tune
from trialwright.tune.conversion import Job
from trialwright.tune.schedulers import PB2, PopulationBasedTraining
from trialwright.tune.settings import ResumeType, settings_of

pytestmark = pytest.mark.filterwarnings("default")  # Ray Tune warns of its own deprecated parts
PAGE = Path(__file__).parents[2] / "docs" / "ray-tune.md"
LAYER = Path(tune.__file__).parent

MIRRORED = {  # module -> what of it is mirrored
    "air.integrations.mlflow": ("MLflowLoggerCallback", "setup_mlflow"),
    "air.integrations.wandb": ("WandbLoggerCallback", "setup_wandb"),
    "tune": (
        *("Tuner", "Tuner.restore", "Tuner.can_restore", "Tuner.fit", "Tuner.get_results", "run", "run_experiments"),
        *("TuneConfig", "RunConfig", "FailureConfig", "CheckpointConfig", "SyncConfig", "ResumeConfig", "Experiment"),
        *("register_trainable", "register_env", "with_parameters", "with_resources", "PlacementGroupFactory"),
        *("create_searcher", "create_scheduler", "report", "get_checkpoint", "get_context", "ExperimentAnalysis"),
        *("ResultGrid.get_best_result", "ResultGrid.get_dataframe", "Result.from_path", "Result.get_best_checkpoint"),
        *("Checkpoint", "Trainable", "Callback", "CLIReporter", "JupyterNotebookReporter", "ProgressReporter"),
        *("uniform", "quniform", "loguniform", "qloguniform", "randn", "qrandn", "randint", "qrandint"),
        *("lograndint", "qlograndint", "choice", "sample_from", "grid_search"),
    ),
    "tune.schedulers": (
        *("FIFOScheduler", "AsyncHyperBandScheduler", "ASHAScheduler", "HyperBandScheduler"),
        *("PopulationBasedTraining", "TrialScheduler", "MedianStoppingRule", "PopulationBasedTrainingReplay"),
        *("ResourceChangingScheduler", "HyperBandForBOHB"),
    ),
    "tune.schedulers.pb2": ("PB2",),
    "tune.schedulers.resource_changing_scheduler": ("DistributeResources", "DistributeResourcesToTopJob"),
    "tune.search": ("BasicVariantGenerator", "ConcurrencyLimiter", "Repeater", "Searcher"),
    "tune.search.ax": ("AxSearch",),
    "tune.search.hebo": ("HEBOSearch",),
    "tune.search.hyperopt": ("HyperOptSearch",),
    "tune.search.nevergrad": ("NevergradSearch",),
    "tune.search.optuna": ("OptunaSearch",),
    "tune.search.bayesopt": ("BayesOptSearch",),
    "tune.search.bohb": ("TuneBOHB",),
    "tune.search.zoopt": ("ZOOptSearch",),
    "tune.stopper": (
        *("MaximumIterationStopper", "TrialPlateauStopper", "ExperimentPlateauStopper", "TimeoutStopper"),
        *("CombinedStopper", "FunctionStopper", "NoopStopper", "Stopper"),
    ),
    "tune.logger": ("LoggerCallback", "CSVLoggerCallback", "JsonLoggerCallback", "TBXLoggerCallback", "pretty_print"),
    "tune.logger.aim": ("AimLoggerCallback",),
}
EVERY = [f"{module}:{name}" for module, names in MIRRORED.items() for name in names]
CLASSES = (  # of which the methods are compared too
    *("Tuner", "ResultGrid", "ExperimentAnalysis", "Checkpoint", "Trainable", "Callback", "PlacementGroupFactory"),
    *("search:Searcher", "schedulers:TrialScheduler", "stopper:Stopper", "logger:LoggerCallback"),
)


class Refused(NamedTuple):
    """A value that a parameter does not take, and what to do instead."""

    where: str
    parameter: str
    value: object
    instead: str
    rest: dict[str, object]


def score(config):
    return {"score": 1.0}


_CONFIG = {"hyperparam_mutations": {"x": tune.uniform(0, 1)}}
_SAME_RUN = "nothing: a resumed run is the same run"
_OWN = "nothing: trials write to the storage themselves"
_RESIZING = "tune.schedulers.resource_changing_scheduler"
_KEPT = "a trial's files lie in its directory in the storage"
_DISK = "a directory on a disk that is mounted"
_WANDB = "air.integrations.wandb:WandbLoggerCallback"
_IN_TRIAL = "send them from the trial: `run = setup_wandb(config)`"
REFUSED = [
    Refused(_WANDB, "upload_checkpoints", True, _IN_TRIAL, {}),
    Refused(_WANDB, "save_checkpoints", True, _IN_TRIAL, {}),
    Refused(_WANDB, "video_kwargs", {"fps": 4}, _IN_TRIAL, {}),
    Refused(_WANDB, "image_kwargs", {"caption": "x"}, _IN_TRIAL, {}),
    Refused("tune:run", "restore", "/x", "load it in `setup`", {"run_or_experiment": score}),
    Refused("tune:run", "storage_filesystem", object(), _DISK, {"run_or_experiment": score}),
    Refused(
        "tune:run_experiments",
        "concurrent",
        True,
        "one after another; each may use the whole machine",
        {"experiments": []},
    ),
    Refused("tune:Experiment", "restore", "/x", "load it in `setup`", {"name": "x", "run": score}),
    Refused("tune:Experiment", "storage_filesystem", object(), _DISK, {"name": "x", "run": score}),
    Refused("tune:RunConfig", "storage_filesystem", object(), _DISK, {}),
    Refused(
        "tune:RunConfig",
        "log_to_file",
        "x.txt",
        'the trial\'s files `stdout` and `stderr`; `"local"` refuses `True` too: use `executor="processes"`',
        {},
    ),
    Refused("tune:SyncConfig", "sync_period", 10, _OWN, {}),
    Refused("tune:SyncConfig", "sync_timeout", 10, _OWN, {}),
    Refused("tune:ResumeConfig", "finished", ResumeType.RESUME, _SAME_RUN, {}),
    Refused("tune:ResumeConfig", "unfinished", ResumeType.SKIP, _SAME_RUN, {}),
    Refused("tune:Tuner.restore", "resume_unfinished", False, _SAME_RUN, {"path": "x", "trainable": score}),
    Refused("tune:Tuner.restore", "storage_filesystem", object(), _DISK, {"path": "x", "trainable": score}),
    Refused("tune:Tuner.can_restore", "storage_filesystem", object(), _DISK, {"path": "x"}),
    Refused("tune:Result.from_path", "storage_filesystem", object(), _DISK, {"path": "x"}),
    Refused("tune:Checkpoint", "filesystem", object(), _DISK, {"path": "x"}),
    Refused("tune:ExperimentAnalysis", "storage_filesystem", object(), _DISK, {"experiment_checkpoint_path": "x"}),
    Refused("tune:ExperimentAnalysis", "trials", [], "nothing: the run has them", {"experiment_checkpoint_path": "x"}),
    Refused(
        "tune:register_trainable", "warn", False, "nothing: no warning is given", {"name": "x", "trainable": score}
    ),
    Refused("tune:Trainable", "storage", object(), "`self.logdir`", {}),
    Refused("tune:PlacementGroupFactory", "strategy", "SPREAD", "`PACK`: one machine", {"bundles": [{"CPU": 1}]}),
    Refused("tune.schedulers:PopulationBasedTraining", "require_attrs", False, "report the metric", _CONFIG),
    Refused(
        "tune.schedulers.pb2:PB2", "require_attrs", False, "report the metric", {"hyperparam_bounds": {"x": [0, 1]}}
    ),
    Refused("tune.search.ax:AxSearch", "ax_client", object(), "`param_space`", {}),
    Refused("tune.search.bohb:TuneBOHB", "space", {"x": (0, 1)}, "`param_space`", {}),
    Refused(f"{_RESIZING}:DistributeResourcesToTopJob", "metric", "loss", "nothing: the run's metric decides", {}),
    Refused(f"{_RESIZING}:DistributeResourcesToTopJob", "mode", "min", "nothing: the run's metric decides", {}),
]
IDLE = {  # accepted, and nothing changes: there is nothing that it could change
    ("air.integrations.mlflow:setup_mlflow", "rank_zero_only"): "a trial is one process: it has no ranks",
    ("air.integrations.wandb:setup_wandb", "rank_zero_only"): "a trial is one process: it has no ranks",
    ("tune:SyncConfig", "sync_artifacts"): _KEPT,
    ("tune:SyncConfig", "sync_artifacts_on_checkpoint"): _KEPT,
    ("tune:RunConfig", "sync_config"): _KEPT,
    ("tune.schedulers:PopulationBasedTraining", "log_config"): "the journal always has it",
    ("tune.schedulers.pb2:PB2", "log_config"): "the journal always has it",
    ("tune.schedulers:MedianStoppingRule", "min_time_slice"): "no trial is paused for lack of others to compare with",
    (f"{_RESIZING}:DistributeResources", "add_bundles"): "a trial's resources are booked as one sum",
    ("tune.search.bayesopt:BayesOptSearch", "verbose"): "the package prints nothing here",
}
OTHER_DEFAULTS = {
    ("tune:Tuner", "trainable"),  # must be given
    ("tune:report", "metrics"),  # may be given by name
    ("tune:run_experiments", "concurrent"),  # refused if True
}
NOT_THERE = {
    "Trainable": ("get_auto_filled_metrics", "is_actor"),
}

INTERNAL = {"storage"}  # of Trainable.reset, which only the machinery calls


# Looking --------------------------------------------------------------------------------------------------------------


@cache
def of(package, where):
    module, _, name = where.partition(":")
    return reduce(getattr, name.split("."), import_module(f"{package}.{module}"))


@cache
def theirs(where):
    pytest.importorskip("ray.tune", exc_type=ImportError)
    return of("ray", where)


def ours(where):
    return of("trialwright", where)


def parameters(target):
    """Return what users may give: no ``self``, nothing private, nothing that stands for any number of names."""
    found = inspect.signature(target).parameters
    return {
        name: each
        for name, each in found.items()
        if name != "self" and not name.startswith("_") and each.kind is not each.VAR_KEYWORD and name not in _REST
    }


_REST = ("args", "kwargs")


def takes_any(target):
    return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(target).parameters.values())


@cache
def attributes_read():
    """Return every attribute name that the layer reads of anything, in any way."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in LAYER.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    dotted = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}
    return dotted | {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def names_read(target):
    """Return every name that a function reads, or the constructor of a class. Who reads ``locals()`` hands them on, to
    what refuses a name that it does not know: ``test_a_flat_keyword_says_a_setting`` has each of them."""
    function = target.__init__ if inspect.isclass(target) else target
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return read | set(parameters(target)) if "locals" in read else read


# The parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", EVERY)
def test_every_parameter_is_known(where):
    missing = sorted(parameters(theirs(where)).keys() - parameters(ours(where)).keys())
    assert not missing or takes_any(ours(where)), missing


@pytest.mark.parametrize("where", EVERY)
def test_every_parameter_is_read(where):
    target = ours(where)
    shared = parameters(target).keys() & parameters(theirs(where)).keys()
    if not shared:
        return
    read = attributes_read() if dataclasses.is_dataclass(target) else names_read(target)
    assert sorted(name for name in shared - read if (where, name) not in IDLE) == []


@pytest.mark.parametrize("where", EVERY)
def test_parameters_come_in_the_same_order_with_the_same_defaults(where):
    positional = [
        [name for name, each in parameters(target(where)).items() if each.kind is each.POSITIONAL_OR_KEYWORD]
        for target in (theirs, ours)
    ]
    assert takes_any(ours(where)) or positional[1][: len(positional[0])] == positional[0]
    known = parameters(ours(where))
    for name, each in parameters(theirs(where)).items():
        if name in known and (where, name) not in OTHER_DEFAULTS and "object at" not in repr(each.default):
            assert repr(known[name].default) == repr(each.default), name


@pytest.mark.parametrize("name", CLASSES)
def test_every_method_is_there_with_its_parameters(name):
    where = f"tune:{name}" if ":" not in name else f"tune.{name}"
    lacking = [each for each in methods(theirs(where)) if not hasattr(ours(where), each)]
    assert sorted(lacking) == sorted(NOT_THERE.get(name, ()))
    for method in methods(theirs(where)) - set(lacking):
        mine = getattr(ours(where), method)
        missing = parameters(getattr(theirs(where), method)).keys() - parameters(mine).keys()
        assert missing <= INTERNAL or takes_any(mine), f"{method}: {missing}"


def methods(cls):
    return {name for name, _ in inspect.getmembers(cls, inspect.isroutine) if not name.startswith("_")}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.where}-{case.parameter}")
def test_what_is_refused_is_refused_by_its_name(case):
    with pytest.raises((ValueError, TypeError), match=case.parameter):
        ours(case.where)(**case.rest, **{case.parameter: case.value})


@pytest.mark.parametrize("where", EVERY)
def test_what_a_docstring_calls_refused_is_tested_to_be(where):
    text = inspect.getdoc(ours(where)) or ""
    told = [name for name in parameters(theirs(where)) if re.search(rf"^    {name}: .*\brefused\b", text, re.MULTILINE)]
    assert set(told) <= {case.parameter for case in REFUSED if case.where == where}


def test_a_reporter_takes_no_names_that_it_does_not_know():
    with pytest.raises(TypeError, match="nonsense"):
        tune.JupyterNotebookReporter(nonsense=1)


FLAT = {  # keyword of run() or Experiment -> a value that is not its default
    "name": "mine",
    "metric": "loss",
    "mode": "min",
    "stop": {"n": 1},
    "time_budget_s": 9.0,
    "num_samples": 3,
    "resources_per_trial": {"cpu": 2},
    "storage_path": "runs",
    "search_alg": "random",
    "scheduler": "asha",
    "checkpoint_config": tune.CheckpointConfig(num_to_keep=3),
    "verbose": 2,
    "progress_reporter": tune.CLIReporter(),
    "log_to_file": True,
    "export_formats": ["h5"],
    "trial_name_creator": str,
    "trial_dirname_creator": str,
    "max_failures": 2,
    "sync_config": tune.SyncConfig(sync_artifacts=True),
    "fail_fast": True,
    "reuse_actors": True,
    "callbacks": ["x"],
    "max_concurrent_trials": 2,
    "keep_checkpoints_num": 2,
    "checkpoint_score_attr": "min-loss",
    "checkpoint_freq": 2,
    "checkpoint_at_end": True,
    "chdir_to_trial_dir": False,
    "local_dir": "runs",
    "executor": "processes",
    "seed": 1,
    "trial_resources": {"cpu": 2},
}
NO_SETTINGS = {"run_or_experiment", "run", "config", "resume", "resume_config", "raise_on_failed_trial"}


def test_a_flat_keyword_says_a_setting():
    wanted = {*parameters(tune.run), *parameters(tune.Experiment)} - NO_SETTINGS
    refused = {case.parameter for case in REFUSED if case.where in ("tune:run", "tune:Experiment")}
    assert wanted - refused == FLAT.keys()
    assert [name for name, value in FLAT.items() if settings_of({name: value}) == settings_of({})] == []
    with pytest.raises(TypeError, match="nonsense"):
        settings_of({"nonsense": 1})


# The page -------------------------------------------------------------------------------------------------------------


def short(where):
    return where.partition(":")[2]


def refused_table():
    rows = dict[str, list[str]]()
    for each in REFUSED:
        rows.setdefault(each.instead, []).append(f"`{short(each.where)}({each.parameter}=)`")
    lines = [f"| {', '.join(names)} | {instead} |" for instead, names in rows.items()]
    return "\n".join(["| refused | instead |", "|---|---|", *lines])


def idle_table():
    rows = dict[str, list[str]]()
    for (where, name), why in IDLE.items():
        rows.setdefault(why, []).append(f"`{short(where)}({name}=)`")
    lines = [f"| {', '.join(names)} | {why} |" for why, names in rows.items()]
    return "\n".join(["| accepted | has no effect, because |", "|---|---|", *lines])


@pytest.mark.parametrize("table", [refused_table, idle_table])
def test_the_page_has_the_table(table):
    assert table() in PAGE.read_text(encoding="utf-8"), f"docs/ray-tune.md should have:\n\n{table()}"


def test_the_page_names_the_methods_that_are_not_there():
    page = PAGE.read_text(encoding="utf-8")
    assert [name for names in NOT_THERE.values() for name in names if f"`{name}`" not in page] == []


# A parameter that is read may still do nothing: this one is honoured by three parts together --------------------------


def test_what_a_population_mutates_is_searched_and_varied():
    mutations = {"rate": tune.uniform(0, 1)}
    scheduler = PopulationBasedTraining(metric="score", mode="max", hyperparam_mutations=mutations)
    keywords = Job(score, {"x": 1}, tune.TuneConfig(scheduler=scheduler)).keywords()
    assert [parameter.path for parameter in keywords["space"].parameters if parameter.column is not None] == ["rate"]
    assert isinstance(keywords["searcher"], Perturb)
    assert isinstance(keywords["scheduler"], PBT)


def test_what_pb2_varies_is_searched_and_varied():
    scheduler = PB2(metric="score", mode="max", hyperparam_bounds={"rate": [0, 1]})
    keywords = Job(score, {"x": 1}, tune.TuneConfig(scheduler=scheduler)).keywords()
    assert [parameter.path for parameter in keywords["space"].parameters if parameter.column is not None] == ["rate"]
    assert (type(keywords["searcher"]).__module__, keywords["searcher"].bounds) == (
        "trialwright.searchers.pb2",
        {"rate": (0, 1)},
    )
    assert isinstance(keywords["scheduler"], PBT)
