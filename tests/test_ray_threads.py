"""Threads in which Ray was started, in a program of its own: if its Ray is gone, Ray ends the whole program."""

import subprocess
import sys
import threading

import pytest

from trialwright.ray_threads import spawn

PROGRAM = """
import ray
from trialwright import Engine, space

def objective(config):
    if not ray.is_initialized():
        ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    return {"loss": ray.get(ray.remote(lambda: 1).remote())}

for _ in range(2):
    engine = Engine(objective, {}, metric="loss", executor="local", storage=None, verbose=0)
    print(engine.run().best_metrics["loss"], flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ray_that_an_objective_has_started_lives_longer_than_its_run():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=500, check=False)
    assert (ended.stdout.split(), ended.returncode) == (["1", "1"], 0), ended.stderr


def test_a_thread_that_started_no_ray_ends():
    done = threading.Event()
    thread = spawn(done.set, "mine")
    thread.join(30)
    assert (done.is_set(), thread.is_alive(), thread.daemon, thread.name) == (True, False, True, "mine")
