import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.store import commit
from tests.storage.endless import turn as endless
from tests.storage.runs import Drivers
from trialwright.storage.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """A run of 60 turns, closed."""
    store = SqliteStore.create(tmp_path / "run", {"name": "é", "seed": 7})
    commit(store, *map(endless, range(60)))
    store.close()
    return tmp_path / "run"


@pytest.fixture(scope="module")
def drivers():
    command = [sys.executable, "-m", "tests.storage.writer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        drivers = Drivers(process)
        yield drivers
        with contextlib.suppress(ProcessLookupError):  # a test that failed may have left one alive
            drivers.kill()
