"""The test files' ``conftest.py``: writes what each test did into a file, line by line, so that a crash loses none."""

from __future__ import annotations

import json
import logging
import os
import sys
import unittest.mock  # noqa: F401 - test files use it that do not import it: something of Ray's does
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray

LOG = Path(os.environ["RAY_UNIT_TESTS_LOG"])
LEFT_OUT = frozenset(json.loads(Path(os.environ["RAY_UNIT_TESTS_LEFT_OUT"]).read_text(encoding="utf-8")))


def _write(test: str, outcome: str, why: str = "") -> None:
    with LOG.open("a", encoding="utf-8") as log:
        log.write(json.dumps([test, outcome, why]) + "\n")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out tests by their names, with parameters or without."""
    items[:] = [item for item in items if LEFT_OUT.isdisjoint((item.nodeid, item.nodeid.partition("[")[0]))]
    for item in items:
        _write(item.nodeid, "not run")


class OneRay:
    """Has tests in a row that start Ray in the same way share one: else most of a test's time is Ray's start."""

    def __init__(self) -> None:
        self._init: Callable[..., object] = ray.init
        self._shutdown = ray.shutdown
        self._asked = ""
        self._context: object = None
        vars(ray).update(init=self.init, shutdown=self.shutdown)

    def init(self, *values: object, **named: object) -> object:
        """Start Ray, or go on with the one that a test has started in the same way."""
        if not str(sys._getframe(1).f_globals.get("__name__")).startswith("test_"):  # noqa: SLF001
            self.stop()  # a library that starts Ray also stops it, and means it
            return self._init(*values, **named)
        asked = repr((values, sorted(named.items())))
        if asked != self._asked or not ray.is_initialized():
            self.stop()
            self._context = self._init(*values, **{"include_dashboard": False, **named})
            self._asked = asked
        return self._context

    def shutdown(self, *values: object, **named: object) -> None:
        """Leave Ray for the next test, if it was started here."""
        if not self._asked:
            self._shutdown()

    def clear(self) -> None:
        """Stop Ray if a failed test has left something running in it."""
        if ray.is_initialized():
            free, whole = ray.available_resources(), ray.cluster_resources()  # type: ignore[no-untyped-call]
            if free.get("CPU") != whole.get("CPU"):
                self.stop()

    def stop(self) -> None:
        """Stop Ray."""
        self._asked = ""
        self._shutdown()


ONE_RAY = OneRay()


def pytest_runtest_logstart(nodeid: str) -> None:
    """Say that a test has begun: if nothing follows, it has ended the process."""
    _write(nodeid, "ended the process")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say how a test's parts ended; any part that is not passed is the test's outcome."""
    if report.when == "call" or not report.passed:
        _write(report.nodeid, report.outcome, "" if report.passed else _last_line(report))
    if report.failed:
        ONE_RAY.clear()


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Say why a whole file could not be read."""
    if report.failed:
        _write(report.nodeid, "not collected", str(report.longrepr)[-2000:])


def _last_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else report.longrepr)[:2000]


@pytest.fixture
def propagate_logs() -> Iterator[None]:
    """Have pytest see Ray's log."""
    logger = logging.getLogger("ray")
    logger.propagate = True
    yield
    logger.propagate = False
