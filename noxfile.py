"""Each library in an environment of its own: ``nox -s ax`` installs it, and runs and records its tests and its example.

The libraries do not fit into one environment (docs/integrations.md says which conflict). The table of sessions is
``benchmarks/integrations/sessions.toml``; what a session saw is written to ``docs/adapters.json``.
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import nox
from nox.command import CommandFailed

TABLE = Path(__file__).parent / "benchmarks" / "integrations" / "sessions.toml"
TESTING = ("pytest>=9.0", "pytest-timeout>=2.3", "pytest-xdist>=3.6", "hypothesis>=6.100")

nox.options.sessions = []  # they take minutes and download: only those that are named


@nox.session(venv_backend="venv")
def build(session: nox.Session) -> None:
    """Build the wheel and the source distribution into ``dist``, and check what they hold."""
    session.install("build", "twine")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", silent=True)
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))
    session.run("python", "-m", "tests.release.contents", "dist")


@nox.session(venv_backend="venv", requires=["build"])
def release(session: nox.Session) -> None:
    """Install the wheel where nothing else is installed, and try it from an empty directory."""
    [wheel] = Path("dist").glob("*.whl")
    session.install(str(wheel))
    program = Path("tests", "release", "installed.py").resolve()
    session.chdir(session.create_tmp())
    session.run("python", "-I", str(program))  # -I: the source tree is not on the path


def add_session(name: str, entry: dict[str, Any]) -> None:
    """Add the session of one library."""

    @nox.session(name=name, venv_backend="venv", reuse_venv=True)
    def run(session: nox.Session) -> None:
        record = ("python", "-m", "benchmarks.integrations", "record", name)
        session.install("-e", ".", *TESTING)
        try:
            for requirements in entry["install"]:
                session.install(*requirements.split())
        except CommandFailed:
            session.run(*record, "--failed", "it cannot be installed")
            session.error(f"{name} cannot be installed")
        session.run("pytest", "-q", "-n", "0", "-rs", *entry["tests"])
        session.run(*record)


for _name, _entry in tomllib.loads(TABLE.read_text(encoding="utf-8")).items():
    add_session(_name, _entry)
