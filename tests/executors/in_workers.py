"""Objectives that misbehave in worker processes, and what can be seen of these from outside."""

import ctypes
import gc
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cloudpickle

from tests.contracts import executor as contract
from trialwright import reporting
from trialwright.executors import carriers
from trialwright.executors.wire import encode
from trialwright.messages import Reported

for module in (contract, sys.modules[__name__]):
    cloudpickle.register_pickle_by_value(module)  # workers need not be able to import the tests


# Objectives: they run in the workers ---------------------------------------------------------------------------------


def print_much(config):
    print("said by Python")  # noqa: T201
    print("complained", file=sys.stderr)  # noqa: T201
    subprocess.run(["echo", "said by a child"], check=True)
    ctypes.CDLL(None).puts(b"said by C")
    return {"loss": 1.0, "cwd": str(Path.cwd())}


def misbehave(config):
    os.chdir("/")
    os.environ["LEFT_BEHIND"] = "yes"
    os.environ.pop("HOME", None)
    os.umask(0o077)
    sys.path.append("/nowhere")
    random.seed(1)
    if signal.getsignal(signal.SIGTERM) is not None and config["main"]:
        signal.signal(signal.SIGALRM, lambda *_: None)
    sys.stdout = None


def look_around(config):
    umask = os.umask(0)
    os.umask(umask)
    here = reporting.context().directory
    return {
        "left_behind": os.environ.get("LEFT_BEHIND"),
        "home": os.environ.get("HOME"),
        "at_home": Path.cwd() == here,
        "umask": umask,
        "path": "/nowhere" in sys.path,
        "alarm": signal.getsignal(signal.SIGALRM) == signal.SIG_DFL,
        "draw": random.random(),
        "stdout": sys.stdout is not None,
        "pid": os.getpid(),
        "trial": reporting.context().trial_id,
        "cpus": reporting.context().resources["cpu"],
    }


def leave_a_thread(config):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    return {"pid": os.getpid()}


def die(config):
    reporting.report(loss=1.0)
    if config["how"] == "term":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1000)
    time.sleep(0.2)  # a report that is 0.1 s old has left
    if config["how"] == "exit":
        os._exit(3)
    if config["how"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if config["how"] == "abort":
        os.abort()
    if config["how"] == "sys":
        sys.exit(3)


def hang(config):
    child = subprocess.Popen(["sleep", "1000"])
    reporting.report(child=child.pid, pid=os.getpid())
    time.sleep(config.get("doze", 0))
    while True:
        try:
            time.sleep(1000)
        except BaseException:
            if not config["stubborn"]:
                raise


def hold_the_interpreter(config):
    reporting.report(loss=1.0)
    re.match(r"(a+)+$", "a" * 60 + "b")  # takes years, in C, without letting go of the interpreter's lock


def start_a_daemon(config):
    """In a session of its own, below a process that has ended; and then do not listen."""
    daemon = subprocess.run(
        ["setsid", "sh", "-c", "sleep 1000 >/dev/null & echo $!"], stdout=subprocess.PIPE, text=True, check=True
    )
    reporting.report(daemon=int(daemon.stdout))
    time.sleep(0.2)  # a report that is 0.1 s old has left
    hold_the_interpreter(config)


def skip_steps(config):
    """A worker that speaks past its session, as no worker of ours does."""
    wire = next(each for each in gc.get_objects() if isinstance(each, carriers.Socket))
    trial = reporting.context().trial_id
    wire.send(encode(Reported(trial, 1, config["first"], (0.1,), {"loss": [0.0]})))
    time.sleep(1000)


def have_a_child(config):
    import ray

    child = ray.remote(num_cpus=1)(lambda: os.getpid())
    reporting.report(own=os.getpid(), child=ray.get(child.remote(), timeout=60))
    if config.get("hang"):
        hang({"stubborn": True})


def devices(config):
    return {
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "pid": os.getpid(),
        "threads": os.environ["OMP_NUM_THREADS"],
    }


OBJECTIVES = contract.OBJECTIVES | {
    function.__name__: function
    for function in (
        print_much,
        misbehave,
        look_around,
        leave_a_thread,
        die,
        hang,
        have_a_child,
        devices,
        hold_the_interpreter,
        skip_steps,
        start_a_daemon,
    )
}


def objective(config):
    return OBJECTIVES[config["do"]](config)


# From outside -----------------------------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def family() -> set[int]:
    """All processes below this one, by way of their parents."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return found
