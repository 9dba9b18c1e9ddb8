"""Paths: which module here has the names of each module of Ray Tune, and what to use instead of names that are missing.

Ray Tune has a module for nearly each of its classes; Trialwright has fewer. An import from one of ``MIRRORED`` gets the
same objects from where they are. An import of one of ``MISSING``, or from one, fails and says what to use instead.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import NoReturn

from trialwright.engine.catalogue import UNAVAILABLE

ROOT = "trialwright."

MIRRORED = {  # path -> where it is here; both below trialwright
    "air.checkpoint": "tune.checkpoint",
    "air.config": "tune.settings",
    "air.constants": "tune.result",
    "air.integrations": "tune.trackers",
    "air.integrations.mlflow": "tune.trackers",
    "air.integrations.wandb": "tune.trackers",
    "air.session": "tune.session",
    "train.constants": "tune.result",
    "train.huggingface": "tune.integration.transformers",
    "train.huggingface.transformers": "tune.integration.transformers",
    "train.lightgbm": "tune.integration.lightgbm",
    "train.lightning": "tune.integration.pytorch_lightning",
    "train.tensorflow": "tune.integration.keras",
    "train.tensorflow.keras": "tune.integration.keras",
    "train.xgboost": "tune.integration.xgboost",
    "tune.analysis": "tune.results",
    "tune.analysis.experiment_analysis": "tune.results",
    "tune.callback": "tune.callbacks",
    "tune.context": "tune.session",
    "tune.execution": "tune.resources",
    "tune.execution.placement_groups": "tune.resources",
    "tune.experiment": "tune.run",
    "tune.experiment.experiment": "tune.run",
    "tune.experiment.trial": "tune.trial",
    "tune.impl": "tune.settings",
    "tune.impl.config": "tune.settings",
    "tune.logger": "tune.callbacks",
    "tune.logger.aim": "tune.trackers",
    "tune.logger.csv": "tune.callbacks",
    "tune.logger.json": "tune.callbacks",
    "tune.logger.logger": "tune.callbacks",
    "tune.logger.mlflow": "tune.trackers",
    "tune.logger.tensorboardx": "tune.callbacks",
    "tune.logger.wandb": "tune.trackers",
    "tune.progress_reporter": "tune.reporter",
    "tune.result_grid": "tune.results",
    "tune.schedulers.async_hyperband": "tune.schedulers.rules",
    "tune.schedulers.hb_bohb": "tune.schedulers.rules",
    "tune.schedulers.hyperband": "tune.schedulers.rules",
    "tune.schedulers.median_stopping_rule": "tune.schedulers.rules",
    "tune.schedulers.pb2": "tune.schedulers.population",
    "tune.schedulers.pbt": "tune.schedulers.population",
    "tune.search.ax.ax_search": "tune.search.ax",
    "tune.search.bayesopt.bayesopt_search": "tune.search.bayesopt",
    "tune.search.bohb.bohb_search": "tune.search.bohb",
    "tune.search.concurrency_limiter": "tune.search.wrappers",
    "tune.search.flaml.flaml_search": "tune.search.flaml",
    "tune.search.hebo.hebo_search": "tune.search.hebo",
    "tune.search.hyperopt.hyperopt_search": "tune.search.hyperopt",
    "tune.search.nevergrad.nevergrad_search": "tune.search.nevergrad",
    "tune.search.optuna.optuna_search": "tune.search.optuna",
    "tune.search.repeater": "tune.search.wrappers",
    "tune.search.sample": "tune.spaces",
    "tune.search.skopt.skopt_search": "tune.search.skopt",
    "tune.search.variant_generator": "tune.spaces",
    "tune.search.zoopt.zoopt_search": "tune.search.zoopt",
    "tune.stopper.experiment_plateau": "tune.stopper",
    "tune.stopper.function_stopper": "tune.stopper",
    "tune.stopper.maximum_iteration": "tune.stopper",
    "tune.stopper.noop": "tune.stopper",
    "tune.stopper.stopper": "tune.stopper",
    "tune.stopper.timeout": "tune.stopper",
    "tune.stopper.trial_plateau": "tune.stopper",
    "tune.suggest": "tune.search",
    "tune.suggest.ax": "tune.search.ax",
    "tune.suggest.bayesopt": "tune.search.bayesopt",
    "tune.suggest.bohb": "tune.search.bohb",
    "tune.suggest.flaml": "tune.search.flaml",
    "tune.suggest.hebo": "tune.search.hebo",
    "tune.suggest.hyperopt": "tune.search.hyperopt",
    "tune.suggest.nevergrad": "tune.search.nevergrad",
    "tune.suggest.optuna": "tune.search.optuna",
    "tune.suggest.skopt": "tune.search.skopt",
    "tune.suggest.zoopt": "tune.search.zoopt",
    "tune.syncer": "tune.settings",
    "tune.track": "tune.session",
    "tune.trainable.trainable_fn_utils": "tune.session",
    "tune.tune": "tune.run",
    "tune.tune_config": "tune.settings",
    "tune.utils.util": "tune.utils",
}

_INSIDE = "it belongs to Ray Tune's own machinery; docs/extending.md says how Trialwright is extended"
_TRAINER = "a trial is a function here: train in it with the library itself, and call tune.report()"
_COMET = (
    "use MLflowLoggerCallback, WandbLoggerCallback, or AimLoggerCallback; or call comet_ml in a tune.LoggerCallback"
)
_REPORTING = "call tune.report() in a callback of the library's own"
_SEARCH = "use search_alg={!r}, or ask the library through trialwright.integrations.Adapter"
_DOMAIN = "use trialwright.space.{}, or the function that makes one"
_DICTS = "nested results are dicts here; pandas and result.metrics_dataframe have them flat"

MISSING = {  # path, of a module or (behind a colon) of a name in one -> what to use instead; holds for what is below
    "air:ScalingConfig": _TRAINER,
    "air.integrations": _REPORTING,
    "air.integrations.comet": _COMET,
    "train": _TRAINER,
    "train:ScalingConfig": _TRAINER,
    "train:get_dataset_shard": _TRAINER,
    "tune.automl": "there is nothing in it",
    "tune.cli": "tune.ExperimentAnalysis(path).dataframe() has a run's trials, and so has its journal.sqlite",
    "tune.constants": "only TUNE_DISABLE_AUTO_CALLBACK_LOGGERS and TUNE_DISABLE_STRICT_METRIC_CHECKING are read",
    "tune.execution": _INSIDE,
    "tune.experiment.config_parser": _INSIDE,
    "tune.experimental": _INSIDE,
    "tune.impl": _INSIDE,
    "tune.integration": _TRAINER,
    "tune.logger.comet": _COMET,
    "tune.registry:is_function_trainable": "inspect.isclass distinguishes functions from classes",
    "tune.registry:register_input": "RLlib's own, which reads it from ray.tune.registry",
    "tune.schedulers.pb2_utils": _INSIDE,
    "tune.schedulers.util": _INSIDE,
    "tune.search:SearchAlgorithm": "subclass tune.search.Searcher",
    "tune.search:SearchGenerator": "subclass tune.search.Searcher",
    "tune.search:UNDEFINED_METRIC_MODE": "TuneConfig refuses a metric without a mode itself",
    "tune.search:UNDEFINED_SEARCH_SPACE": "what a searcher does not suggest is drawn from param_space",
    "tune.search:UNRESOLVED_SEARCH_SPACE": "what a searcher does not suggest is drawn from param_space",
    "tune.search.bohb:BOHB": "TuneBOHB has the engine's own model; trialwright.HpBandSter asks HpBandSter's",
    "tune.search.dragonfly": f"{UNAVAILABLE['dragonfly']}: {_SEARCH.format('bayesopt')}",
    "tune.search.search_algorithm": "subclass tune.search.Searcher",
    "tune.search.search_generator": "subclass tune.search.Searcher",
    "tune.search.sigopt": f"{UNAVAILABLE['sigopt']}: {_SEARCH.format('bayesopt')}",
    "tune.search.util": _INSIDE,
    "tune.trainable.function_trainable": "a function is a trainable as it is",
    "tune.trainable.metadata": _INSIDE,
    "tune.trainable:FunctionTrainable": "a function is a trainable as it is",
    "tune.trainable:wrap_function": "a function is a trainable as it is",
    "tune.utils:UtilMonitor": "read the machine's load in a tune.Callback",
    "tune.utils:date_str": "datetime.now().strftime(...)",
    "tune.utils:deep_update": _DICTS,
    "tune.utils:warn_if_slow": "the run's statistics say where the time went",
    "tune.utils.callback": _INSIDE,
    "tune.utils.file_transfer": "the storage is a directory that every machine can write to",
    "tune.utils.log": "RunConfig(verbose=0) shows nothing, and 1 the progress",
    "tune.utils.mock": _INSIDE,
    "tune.utils.mock_trainable": "write a tune.Trainable: setup and step are enough",
    "tune.utils.object_cache": _INSIDE,
    "tune.utils.release_test_util": _INSIDE,
    "tune.utils.resource_updater": _INSIDE,
    "tune.utils.serialization": _INSIDE,
}


def instead_of(path: str) -> str | None:
    """Return what to use instead of what Ray Tune has at this path, or in the module around it; None if that is not
    known."""
    path = path.replace("tune.suggest.", "tune.search.")
    while path:
        if path in MISSING:
            return MISSING[path]
        path = path.rpartition(".")[0]
    return None


def _missing_names(module: str) -> Callable[[str], NoReturn]:
    """Return a module's ``__getattr__``, which says what to use instead of names that only Ray Tune's has."""

    def refuse(name: str) -> NoReturn:
        instead = None if name.startswith("_") else instead_of(f"{module}:{name}")
        if instead is None:
            raise AttributeError(f"module {ROOT + module!r} has no attribute {name!r}")
        raise ImportError(f"{name} is not in {ROOT}{module}: {instead}")

    return refuse


class _Finder(MetaPathFinder, Loader):
    """Makes the modules of ``MIRRORED``, and refuses those of ``MISSING`` that are not there.

    It is asked first: where an older version had a package, a folder of compiled files may be left, and Python would
    take that for the module.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        name = fullname.removeprefix(ROOT)
        if name == fullname:
            return None
        if name in MIRRORED:
            return ModuleSpec(fullname, self, origin=ROOT + MIRRORED[name], is_package=True)
        instead = instead_of(name)
        if instead is not None and PathFinder.find_spec(fullname, path) is None:
            raise ModuleNotFoundError(f"{fullname} does not exist: {instead}")
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill a mirrored module with what is public where it is."""
        where = MIRRORED[module.__name__.removeprefix(ROOT)]
        found = vars(import_module(ROOT + where))
        public = {name: value for name, value in found.items() if not name.startswith("_")}
        vars(module).update(public, __doc__=found["__doc__"], __getattr__=_missing_names(where))


def install() -> None:
    """Have imports from all these paths find what they should, in this process; once is enough."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for parent in {path.rpartition(".")[0] for path in MIRRORED} - MIRRORED.keys():
        vars(import_module(ROOT + parent)).setdefault("__path__", [])  # a module that others are below is a package
    for path in MIRRORED:
        if path.count(".") == 1 and path.startswith("tune."):  # tune.result_grid is there unimported, as in Ray Tune
            import_module(ROOT + path)
    for module in {path.partition(":")[0] for path in MISSING if ":" in path}:
        vars(import_module(ROOT + module)).setdefault("__getattr__", _missing_names(module))
