"""Each library in an environment of its own: ``nox -s ax`` installs it, and runs and records its tests and its example.

The libraries do not fit into one environment (docs/integrations.md says which conflict). The table of sessions is
``benchmarks/integrations/sessions.toml``; what a session saw is written to ``docs/adapters.json``.
``nox -s ray_examples`` runs the examples of Ray Tune with changed imports (docs/ray-tune.md).
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
RAY_EXAMPLES = (  # what they import
    "torch==2.13.0",
    "torchvision==0.28.0 ax-platform>=1.3 hpbandster ConfigSpace>=1.2 hyperopt>=0.3 optuna>=4.0 numpy>=2.0",
    "bayesian-optimization>=2.0 lightgbm>=4.0 xgboost-cpu>=2.1 scikit-learn>=1.5 mlflow-skinny>=3.0 sqlalchemy>=2.0",
    "alembic>=1.13 pandas>=2.2 filelock",
)

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
    """Install the wheel where nothing else is installed, and try it from an empty directory; then with the live page,
    for which the extra ``page`` (starlette, uvicorn) is added."""
    [wheel] = (path.resolve() for path in Path("dist").glob("*.whl"))
    session.install(str(wheel))
    program = Path("tests", "release", "installed.py").resolve()
    session.chdir(session.create_tmp())
    session.run("python", "-I", str(program))  # -I: the source tree is not on the path
    session.install(f"{wheel}[page]")
    session.run("python", "-I", str(program), "page")


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
        session.run("pytest", "-q", "-n", "0", "-m", "", "-rs", *entry["tests"])
        session.run(*record)


for _name, _entry in tomllib.loads(TABLE.read_text(encoding="utf-8")).items():
    add_session(_name, _entry)


@nox.session(venv_backend="venv", reuse_venv=True)
def ray_examples(session: nox.Session) -> None:
    """Run Ray Tune's examples with changed imports, with all the libraries that they use and that fit together."""
    session.install("-e", ".")
    for requirements in RAY_EXAMPLES:
        session.install(*requirements.split())
    session.run("python", "-m", "benchmarks.ray_examples")
    session.install("nevergrad>=1.0", "numpy<2.4")  # replaces bayesian-optimization by an old version: so it is last
    session.run("python", "-m", "benchmarks.ray_examples", "nevergrad")
