"""A library in a process of another interpreter."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trialwright import Engine, InEnvironment, space
from trialwright.engine.catalogue import from_plain, to_plain
from trialwright.history import History
from trialwright.integrations import HyperOpt
from trialwright.messages import Request
from trialwright.searchers import Problem
from trialwright.space import Space
from trialwright.streams import Streams

APART = Path(__file__).parents[2] / ".nox" / "nevergrad" / "bin" / "python"
QUIET = {"metric": "loss", "executor": "local", "verbose": 0, "seed": 0}
WHAT = {
    "lr": space.loguniform(1e-4, 1e-1),
    "units": space.lograndint(16, 512),
    "steps": space.quniform(0, 1, 0.25),
    "normal": space.randn(10, 2),
    "size": space.ordinal(["s", "m", "l"]),
    "model": space.choice([{"kind": "tree", "depth": space.randint(1, 9)}, "dummy"]),
}


def loss(config):
    if config["size"] == "m":
        raise ValueError("m")
    return {"loss": config["lr"] * config["units"] + config["steps"]}


def there(name="hyperopt", **options):
    pytest.importorskip("hyperopt")
    return InEnvironment(sys.executable, name, **options)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_suggests_what_the_library_suggests_here_and_a_resumed_run_continues(tmp_path):
    keywords = {**QUIET, "storage": tmp_path, "max_concurrent_trials": 1}
    options = {"n_initial_points": 4, "points": [{"units": 64}]}
    here = Engine(loss, WHAT, searcher=HyperOpt(**options), num_samples=12, **keywords).run()
    half = Engine(loss, WHAT, searcher=there(**options), num_samples=8, **keywords).run()
    whole = Engine.resume(half.path, loss, num_samples=12, executor="local", verbose=0).run()
    assert [trial.config for trial in whole] == [trial.config for trial in here]


@pytest.mark.skipif(not APART.exists(), reason="nox -s nevergrad makes the other environment")
def test_a_library_that_only_another_environment_has_is_asked_there_and_a_resumed_run_continues(tmp_path):
    keywords = {**QUIET, "storage": tmp_path, "max_concurrent_trials": 1}
    searcher = InEnvironment(APART, "nevergrad", optimizer="TwoPointsDE", optimizer_kwargs={"budget": 40})
    whole = Engine(loss, WHAT, searcher=searcher, num_samples=14, **keywords).run()
    half = Engine(loss, WHAT, searcher=searcher, num_samples=9, **keywords).run()
    resumed = Engine.resume(half.path, loss, num_samples=14, executor="local", verbose=0).run()
    assert [trial.config for trial in resumed] == [trial.config for trial in whole]


def test_the_process_ends_with_the_run(tmp_path):
    engine = Engine(lambda config: {"loss": config["x"]}, {"x": space.uniform(0, 1)}, searcher=there(), num_samples=2,
                    storage=None, **QUIET)  # fmt: skip
    engine.run()
    children = subprocess.run(
        ["ps", "-o", "args", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
    )
    assert "other_side" not in children.stdout


def test_the_process_ends_when_the_searcher_is_closed_or_the_program_is_killed():
    searcher = there()
    searcher.setup(Problem(Space(WHAT)))
    pid = searcher._library._process.pid
    assert is_running(pid)
    searcher.close()
    assert not is_running(pid)

    program = (
        "import sys; from trialwright import InEnvironment, space; from trialwright.searchers import Problem; "
        "each = InEnvironment(sys.executable, 'hyperopt'); "
        "each.setup(Problem(space.Space({'x': space.uniform(0, 1)}))); "
        "print(each._library._process.pid, flush=True); import os; os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    while is_running(int(killed.stdout)):  # it reads the end of its pipe; pytest's timeout is the limit
        time.sleep(0.05)


def test_what_goes_wrong_there_is_raised_here_with_the_last_line_of_the_traceback():
    with pytest.raises(ValueError, match=r"in .*python.*: ValueError: BayesOpt: kind must be"):
        there("bayesopt", kind="nonsense").setup(Problem(Space({"x": space.uniform(0, 1)})))
    searcher = there("bayesopt", random_search_steps=0, earlier=[({"x": 0.5}, (1.0,))], patience="3")
    searcher.setup(Problem(Space({"x": space.uniform(0, 1)})))
    with pytest.raises(TypeError, match="in .*python.*: TypeError: 'str'"):
        searcher.suggest(History(), [Request(0, sample=0)], Streams(0))


def test_a_process_that_was_killed_is_named_with_its_status():
    searcher = there()
    searcher.setup(Problem(Space(WHAT)))
    searcher._library._process.kill()
    with pytest.raises(RuntimeError, match="ended with status -9"):
        searcher.suggest(History(), [Request(0, sample=0)], Streams(0))


def test_a_library_that_is_not_there_is_named(tmp_path):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    with pytest.raises(ImportError, match=r"bare.*No module named 'numpy'"):
        InEnvironment(bare / "bin" / "python", "hyperopt").setup(Problem(Space(WHAT)))


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"no library has the name 'hyperot'.*hyperopt"):
        InEnvironment("python", "hyperot")
    with pytest.raises(TypeError, match="nonsense"):
        InEnvironment("python", "hyperopt", nonsense=1)
    with pytest.raises(ValueError, match="'/no/python' cannot be started"):
        InEnvironment("/no/python", "hyperopt").setup(Problem(Space(WHAT)))
    with pytest.raises(TypeError, match="takes no space of its own"):
        there(space={"x": (0, 1)}).setup(Problem(Space({})))
    with pytest.raises(TypeError, match="JSON"):
        there("optuna", sampler=object()).setup(Problem(Space(WHAT)))


def test_the_journal_keeps_its_arguments():
    given = InEnvironment("python", "hyperopt", points=[{"units": 64}], gamma=0.3, seed=4)
    assert from_plain(to_plain(given)) == InEnvironment(
        "python", "hyperopt", points=({"units": 64},), gamma=0.3, seed=4
    )
