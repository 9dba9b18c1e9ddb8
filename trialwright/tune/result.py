"""Ray Tune's names of metrics and files, for programs that import them (``ray.tune.result``, ``ray.air.constants``)."""

from __future__ import annotations

from trialwright.storage.place import home
from trialwright.tune.names import ANONYMOUS as DEFAULT_METRIC
from trialwright.tune.names import (
    DONE,
    EXPERIMENT_TAG,
    HOSTNAME,
    NODE_IP,
    PID,
    SHOULD_CHECKPOINT,
    TIME_THIS_ITER_S,
    TIME_TOTAL_S,
    TRAINING_ITERATION,
    TRIAL_ID,
)

# What RLlib's algorithms and older programs report; nothing here counts them.
TIMESTEPS_THIS_ITER = "timesteps_this_iter"
TIMESTEPS_TOTAL = "timesteps_total"
EPISODES_THIS_ITER = "episodes_this_iter"
EPISODES_TOTAL = "episodes_total"
EPISODE_REWARD_MEAN = "episode_reward_mean"
MEAN_ACCURACY = "mean_accuracy"
MEAN_LOSS = "mean_loss"
TIMESTAMP = "timestamp"
RAY_CHDIR_TO_TRIAL_DIR = "RAY_CHDIR_TO_TRIAL_DIR"  # a variable of the environment: see TuneConfig
CONFIG_PREFIX = "config"  # config/lr is a parameter's column in a table of results

AUTO_RESULT_KEYS = (  # what is added to each report
    TRAINING_ITERATION,
    TIME_TOTAL_S,
    EPISODES_TOTAL,
    TIMESTEPS_TOTAL,
    NODE_IP,
    HOSTNAME,
    PID,
    TIME_THIS_ITER_S,
    TIMESTAMP,
    "date",
    "time_since_restore",
    "timesteps_since_restore",
    "iterations_since_restore",
    CONFIG_PREFIX,
    "checkpoint_dir_name",
)
DEFAULT_RESULT_KEYS = (TRAINING_ITERATION, TIME_TOTAL_S, MEAN_ACCURACY, MEAN_LOSS)

# Files in a trial's directory
EXPR_RESULT_FILE = "result.json"
EXPR_PROGRESS_FILE = "progress.csv"
EXPR_PARAM_FILE = "params.json"
EXPR_PARAM_PICKLE_FILE = "params.pkl"
EXPR_ERROR_FILE = "error.txt"

DEFAULT_STORAGE_PATH = str(home())  # where runs are kept if nothing else is said

__all__ = [
    "AUTO_RESULT_KEYS",
    "CONFIG_PREFIX",
    "DEFAULT_METRIC",
    "DEFAULT_RESULT_KEYS",
    "DEFAULT_STORAGE_PATH",
    "DONE",
    "EPISODES_THIS_ITER",
    "EPISODES_TOTAL",
    "EPISODE_REWARD_MEAN",
    "EXPERIMENT_TAG",
    "EXPR_ERROR_FILE",
    "EXPR_PARAM_FILE",
    "EXPR_PARAM_PICKLE_FILE",
    "EXPR_PROGRESS_FILE",
    "EXPR_RESULT_FILE",
    "HOSTNAME",
    "MEAN_ACCURACY",
    "MEAN_LOSS",
    "NODE_IP",
    "PID",
    "SHOULD_CHECKPOINT",
    "TIMESTAMP",
    "TIMESTEPS_THIS_ITER",
    "TIMESTEPS_TOTAL",
    "TIME_THIS_ITER_S",
    "TIME_TOTAL_S",
    "TRAINING_ITERATION",
    "TRIAL_ID",
]
