"""Each row of the tables of ``docs/optuna.md`` is run: Optuna's side, and ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trialwright import Engine, Space
from trialwright.cli.main import app

optuna = pytest.importorskip("optuna")
for needed in ("cmaes", "pandas"):
    pytest.importorskip(needed)
pyplot = pytest.importorskip("matplotlib.pyplot")

PAGE = Path(__file__).parents[1] / "docs" / "optuna.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in TEXT.split("\n## ")[1:]}
DRAWS = 20


def rows(title):
    """The codes of each row of a section's table: Optuna's, and ours; text around them is for readers."""
    cells = [line.strip("| ").split(" | ") for line in SECTIONS[title].splitlines() if line.startswith("| `")]
    return [(re.findall(r"`([^`]+)`", left), re.findall(r"`([^`]+)`", right)) for left, right in cells]


def codes(title, side):
    """All codes of one side that are to be run: calls, attributes, statements; no mere name or argument."""
    found = [code for row in rows(title) for code in row[side]]
    return [code for code in found if re.search(r"\w[.(\[]|raise ", code) and code not in TOLD]


TOLD = {"report()", "fail_fast=True", "reduction_factor=4", "~/trialwright"}  # named, not to be run
OUTSIDE = [title for title in SECTIONS if title not in ("The search space", "Inside the objective")]


@pytest.fixture(scope="module", autouse=True)
def names(tmp_path_factory):
    """What the page's two programs define, in a directory of their own."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna says of some features that they are new
        patch.chdir(tmp_path_factory.mktemp("optuna"))
        patch.setenv("TRIALWRIGHT_HOME", "home")
        patch.setenv("MPLBACKEND", "Agg")
        defined = {}
        for block in re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE):
            exec(block, defined)
        yield defined


@pytest.fixture(autouse=True)
def figures():
    """No figure stays open: matplotlib warns when there are many."""
    pyplot.close("all")
    yield
    pyplot.close("all")


def test_every_section_has_a_table():
    assert [title for title in SECTIONS if len(rows(title)) < 3] == []
    assert sum(len(rows(title)) for title in SECTIONS) > 50


@pytest.mark.parametrize(("theirs", "ours"), rows("The search space"))
def test_a_domain_has_the_values_of_optunas(theirs, ours, names):
    domain = Space({"it": eval(ours[0], names)})
    [name] = re.findall(r'"(\w)"', theirs[0])[:1]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(DRAWS):
        value = eval(theirs[0], {"trial": study.ask()})
        assert domain.validate({"it": value}) == []
    for trial in Engine(lambda config: 0, domain, num_samples=DRAWS, searcher="random", **QUIET).run():
        study.enqueue_trial({name: trial.config["it"]})
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Optuna warns of a value that is outside
            assert eval(theirs[0], {"trial": study.ask()}) == trial.config["it"]


QUIET = {"metric": "loss", "executor": "local", "storage": None, "seed": 0, "verbose": 0}


@pytest.mark.parametrize("code", codes("Inside the objective", 0))
def test_what_optuna_does_in_an_objective(code, names):
    ran = []

    def objective(trial):
        trial.suggest_float("x", 0, 1)
        ran.append(code)
        exec(code, names | {"trial": trial})
        return 0.0

    study = optuna.create_study()
    study.optimize(objective, n_trials=1)
    assert ran
    assert study.trials[0].state.name == ("PRUNED" if code.startswith("raise") else "COMPLETE")


@pytest.mark.parametrize("code", codes("Inside the objective", 1))
def test_what_an_objective_does_here(code, names):
    def objective(config):
        exec(code, names)
        return {"loss": 0.0}

    [trial] = Engine(objective, names["what"], searcher="random", **QUIET).run()
    assert trial.outcome == ("stopped" if code.startswith("raise") else "completed"), trial.error


@pytest.mark.parametrize("code", [code for title in OUTSIDE for code in codes(title, 0)])
@pytest.mark.filterwarnings("ignore")
def test_what_optuna_does(code, names, capsys):
    exec(code, dict(names))


@pytest.mark.parametrize("code", [code for title in OUTSIDE for code in codes(title, 1)])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_what_is_done_here(code, names):
    exec(code, dict(names))


@pytest.mark.parametrize(("theirs", "ours"), rows("Command line"))
def test_a_command_does_what_optunas_does(theirs, ours, names):
    known = subprocess.run(
        [sys.executable, "-c", "from optuna.cli import main; main()", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"    {theirs[0].removeprefix('optuna ')} " in known.stdout
    arguments = ours[0].replace("RUN", str(names["result"].path)).split()[1:]
    answer = CliRunner().invoke(app, [*arguments, "--json"])
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)


def test_what_is_said_of_n_trials_and_num_samples(names):
    assert len(names["study"].trials) >= 6
    assert len(names["result"]) == 10
