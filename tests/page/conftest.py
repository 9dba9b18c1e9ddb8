from __future__ import annotations

import pytest

pytest.importorskip("starlette", reason="the extra page is not installed")

from tests.page.shown import make_run, opened


@pytest.fixture(scope="session")
def result(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs"), name="shown <b>")


@pytest.fixture(scope="session")
def run(result):
    return opened(result)
