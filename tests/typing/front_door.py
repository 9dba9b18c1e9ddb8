"""What a user of Ray Tune might write; a type checker must find nothing in it."""

from typing import Any

from trialwright import train, tune
from trialwright.air import RunConfig, session
from trialwright.tune.schedulers import PB2, ASHAScheduler
from trialwright.tune.schedulers.resource_changing_scheduler import DistributeResources
from trialwright.tune.schedulers.trial_scheduler import TrialScheduler
from trialwright.tune.search import ConcurrencyLimiter, Repeater
from trialwright.tune.search.basic_variant import BasicVariantGenerator
from trialwright.tune.search.bayesopt import BayesOptSearch
from trialwright.tune.search.bohb import TuneBOHB
from trialwright.tune.search.hyperopt import HyperOptSearch
from trialwright.tune.search.optuna import OptunaSearch
from trialwright.tune.search.searcher import Searcher
from trialwright.tune.utils import validate_save_restore

LIBRARIES: list[type[Searcher]] = [BayesOptSearch, HyperOptSearch, OptunaSearch, TuneBOHB]
OTHERS = [PB2, DistributeResources, ConcurrencyLimiter, Repeater, tune.suggest.Searcher, validate_save_restore]


def objective(config: dict[str, Any]) -> None:
    """Report a loss at each of three steps, in three ways."""
    for report in (session.report, train.report, tune.report):
        report({"loss": config["x"] ** 2})


def tuned(storage: str) -> float:
    """Return the least loss of six trials."""
    scheduler: TrialScheduler = ASHAScheduler(max_t=3)
    settings = tune.TuneConfig(
        metric="loss", mode="min", num_samples=6, scheduler=scheduler, search_alg=BasicVariantGenerator(), seed=0
    )
    run = RunConfig(storage_path=storage, executor="local", verbose=0)
    tuner = tune.Tuner(objective, param_space={"x": tune.uniform(-1, 1)}, tune_config=settings, run_config=run)
    loss: float = tuner.fit().get_best_result().metrics["loss"]
    return loss
