"""The commands on the page are those that there are."""

import re
import shlex
from pathlib import Path

import pytest

from trialwright.cli.experiment import KEYS, keywords, read
from trialwright.cli.main import app

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_page_is_a_command_with_options_that_it_has(call, line):
    program, name, *arguments = shlex.split(line, comments=True)
    told = call(name, "--help").output
    assert program == "trialwright"
    assert [
        each for each in arguments if re.match(r"--?[a-z]", each) and each not in told and each != "-accuracy"
    ] == []


def test_every_command_is_on_the_page():
    names = [str(each.name) for each in app.registered_commands]
    assert [name for name in names if not re.search(rf"`(trialwright )?{name}\b|trialwright {name}\b", PAGE)] == []


def test_the_experiment_of_the_page_can_be_read(tmp_path):
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "experiment.yaml").write_text(text)
    (tmp_path / "train.py").write_text("def objective(config): pass\n")
    told = read(tmp_path / "experiment.yaml")
    assert told.keys() <= KEYS
    assert keywords(told, tmp_path)["scheduler"].max_t == 20
