"""Tries an installed wheel, without the source tree and without extras. Run from an empty directory:
``python -I installed.py``.

It is no module of the test suite: pytest must not be needed where this runs.
"""

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import trialwright
from trialwright import ASHA, Engine, report, space

EXTRAS = ("pandas", "sklearn", "matplotlib", "torch", "optuna")  # nothing may need them


def objective(config):
    for epoch in range(1, 10):
        report(loss=(config["x"] - 0.3) ** 2 + 1 / epoch)


def run(executor: str) -> Path:
    """Run a few trials, and resume the run with more."""
    given = {"metric": "loss", "scheduler": ASHA(max_t=9), "storage": "runs", "seed": 0, "verbose": 0}
    result = Engine(objective, {"x": space.uniform(0, 1)}, num_samples=8, executor=executor, **given).run()
    assert len(result) == 8, result
    more = Engine.resume(result.path, objective, num_samples=12, executor=executor, verbose=0).run()
    assert [trial.config for trial in trialwright.load(more.path)][:8] == [trial.config for trial in result]
    return more.path


def command(*arguments: str) -> str:
    """Call the program that the wheel has installed."""
    program = Path(sys.executable).with_name("trialwright")
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


def main() -> None:
    package = Path(trialwright.__file__).parent
    assert "site-packages" in package.parts, f"{package} is not the installed wheel"
    assert not [name for name in EXTRAS if importlib.util.find_spec(name)], "an extra is installed"
    assert (package / "py.typed").is_file()
    for executor in ("local", "processes"):
        path = run(executor)
        assert json.loads(command("show", str(path), "--json"))["states"] == {"ended": 12}
        print(f"{executor}: {path.name} ran and was resumed, and `trialwright show` shows it")
    print("trialwright", importlib.metadata.version("trialwright"), "on Python", sys.version.split()[0])


if __name__ == "__main__":
    main()
