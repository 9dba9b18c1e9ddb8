"""What is counted of Ray Tune's own unit tests, and what runs in their place."""

import pytest

from benchmarks.ray_unit_tests.internal import is_internal
from benchmarks.ray_unit_tests.page import File, Row, page, row
from benchmarks.ray_unit_tests.sources import Reach, rewritten

SOURCE = """
import ray
from ray import tune
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial

def helper(trial: Trial):
    return TuneController

def test_public():
    assert tune.run and Trial.ERROR

def test_through_a_helper():
    helper(1)

class TestMany:
    def setUp(self):
        self.value = 1

    def unused(self):
        TuneController()

    def test_method(self):
        self.value

    def test_that_calls_another(self):
        self.unused()

    def test_imports_itself(self):
        from ray.train._internal import session
"""


@pytest.mark.parametrize(
    ("path", "internal"),
    [
        ("ray.tune.run", False),
        ("ray.tune.result.DONE", False),
        ("ray.train._internal.session", True),
        ("ray.tune.tune._check", True),
        ("ray.tune.execution.tune_controller", True),
        ("ray.tune.execution.placement_groups", False),
        ("ray.tune.experiment.Trial", True),
        ("ray.tune.experiment.Trial.ERROR", False),
        ("ray.tune.experiment.Experiment", False),
        ("ray.data._internal", False),
    ],
)
def test_what_ray_hides_or_does_not_document_is_internal(path, internal):
    assert is_internal(path) == internal


def test_a_test_is_internal_by_all_that_it_reaches(tmp_path):
    file = tmp_path / "test_x.py"
    file.write_text(SOURCE)
    reach = Reach(file, tmp_path)
    assert {test.split("::", 1)[1]: bool(reach.internal(test)) for test in reach.tests()} == {
        "test_public": False,
        "test_through_a_helper": True,
        "TestMany::test_method": False,
        "TestMany::test_that_calls_another": True,
        "TestMany::test_imports_itself": True,
    }


def test_public_names_move_and_internal_ones_stay():
    source = SOURCE + "from ray.air._internal.uri_utils import URI\n"
    text = rewritten(source + '\nray.tune.run("ray.tune.tuner.Tuner", ray.init(), ray.tune.impl)\n', ours=True)
    assert "    from trialwright import tune\n" in text
    assert "    from ray.air._internal.uri_utils import URI\n" in text
    assert "    from ray.tune.execution.tune_controller import TuneController\n" in text
    assert "trialwright.tune.run('trialwright.tune.tuner.Tuner', ray.init(), ray.tune.impl)" in text
    assert "trialwright" not in rewritten(SOURCE, ours=False)


def test_only_what_passes_on_ray_counts():
    file = File(
        "test_x", 2, {"a": "passed", "b": "passed", "c": "failed"}, {"a": ("passed", ""), "b": ("failed", "no|x")}
    )
    assert row(file, "2026-11-30") == Row("2026-11-30", internal=2, others=3, counted=2, failed={"b": "no|x"})


def test_the_page_sums_the_files_whenever_they_were_run():
    first, second = Row("2026-11-29", 2, 3, 2, {"test_x.py::b": "no|x"}), Row("2026-11-30", 0, 2, 2, {})
    text = page({"test_x": first, "test_y": second}, ["test_z"], "Then.")
    assert "**3 of 4 pass: 75 %.** Then." in text
    assert "| `test_x` | 2026-11-29 | 2 | 2 of 3 | 1 |\n| `test_y` | 2026-11-30 | 0 | 2 of 2 | 2 |" in text
    assert "Not run: `test_z`." in text
    assert "| `test_x`: `b` | not looked into: `no\\|x` |" in text
