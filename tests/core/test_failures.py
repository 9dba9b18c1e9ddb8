"""Why trials failed: by kind, with the user's own last frame."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trialwright import Engine, Local, Processes, report, space
from trialwright.core.limits import own_frame


class Shown:
    """A display that keeps the last snapshot."""

    def update(self, snapshot):
        pass

    def close(self, snapshot):
        self.failures = snapshot.failures


def run(objective, choices, **keywords):
    shown = Shown()
    keywords = {"executor": Local(cpus=1), "metric": "loss", "storage": None, "verbose": 0, **keywords}
    definition = {"how": space.grid_search(choices)}
    result = Engine(objective, definition, searcher="grid", progress=shown, seed=0, **keywords).run()
    return result, shown.failures


def fails(config):
    if config["how"] == "in a library":
        json.loads("{")
    if config["how"] != "not":
        raise RuntimeError(f"out of memory: {config['how']} bytes")
    report(loss=1.0)


def line_of(code):
    lines = Path(__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if code in line)


@pytest.mark.parametrize("executor", [Local(cpus=1), Processes(cpus=1)], ids=["local", "processes"])
def test_failures_are_counted_by_kind_with_the_first_error_and_the_users_own_last_frame(executor):
    result, failures = run(fails, [7, 8, "not", "in a library", 9], executor=executor)
    memory, library = failures
    assert (memory.error, memory.trial, memory.count) == ("RuntimeError: out of memory: 7 bytes", 0, 3)
    assert memory.where == f"{__file__}:{line_of('raise RuntimeError')}, in fails"
    assert library.where == f"{__file__}:{line_of('json.loads')}, in fails"
    assert (library.trial, library.count) == (3, 1)
    assert len(result.errors) == 4


def test_the_file_of_a_function_that_is_sent_to_another_process_is_named_too():
    def objective(config):
        raise ValueError("here")

    _, [failure] = run(objective, [1], executor=Processes(cpus=1))
    assert failure.where == f"{__file__}:{line_of('raise ValueError')}, in objective"


def test_a_failure_that_was_tried_again_counts_too():
    seen = []

    def objective(config):
        seen.append(1)
        if len(seen) < 3:
            raise ValueError(len(seen))
        report(loss=1.0)

    result, [failure] = run(objective, ["one"], max_failures=-1)
    assert result.errors == []
    assert (failure.error, failure.count) == ("ValueError: 1", 2)


def test_what_ours_raised_is_known_by_its_text():
    def objective(config):
        pass

    _, [failure] = run(objective, [1, 2])
    assert (failure.where, failure.count) == ("", 2)
    assert "no result" in failure.error


TRACEBACK = """Traceback (most recent call last):
  File "/home/me/train.py", line 3, in train
    fit()
  File "/home/me/model.py", line 9, in fit
    torch.ones()
  File "/usr/lib/python3.12/site-packages/torch/ops.py", line 99, in ones
    raise RuntimeError
"""


@pytest.mark.parametrize(
    ("traceback", "where"),
    [
        (TRACEBACK, "/home/me/model.py:9, in fit"),
        (f"{TRACEBACK}\nDuring handling\n\n{TRACEBACK.replace('9', '8')}", "/home/me/model.py:8, in fit"),
        (
            '  File "/v/lib64/python3.11/json/raw.py", line 5, in raw',
            "/v/lib64/python3.11/json/raw.py:5, in raw",
        ),
        ('  File "/tmp/ipykernel_7/1.py", line 2\n    x = = 1', "/tmp/ipykernel_7/1.py:2"),
        ('  | File "/a b/x.py", line 2, in <lambda>', "/a b/x.py:2, in <lambda>"),
        ("RuntimeError: out of memory", ""),
        ("", ""),
    ],
)
def test_the_own_frame_is_the_last_that_is_in_no_library(traceback, where):
    assert own_frame(traceback) == where
