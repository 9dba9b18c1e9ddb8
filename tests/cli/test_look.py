"""What the commands that look at runs print: whole values in a pipe, JSON, and names that are escaped."""

import json

import pytest
from typer.testing import CliRunner

import trialwright
from trialwright.cli.main import app


def table(text):
    head, *lines = [line.split("\t") for line in text.splitlines()]
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_ls_lists_the_runs_with_their_state_and_best_value(call, digits):
    rows = {row["run"]: row for row in table(call("ls").output)}
    assert [row["state"] for row in rows.values()].count("interrupted") == 1
    best = trialwright.load(digits).best_trial.best[0]
    row = rows[digits.name]
    assert (row["state"], row["trials"], row["of"], row["failed"], row["best"]) == (
        "finished", "12", "12", "0", str(best),
    )  # fmt: skip


def test_ls_lists_another_directory_and_refuses_one_that_is_not_there(call, tmp_path):
    assert call("ls", tmp_path).output.count("\n") == 1
    assert call("ls", tmp_path / "no").exit_code == 2


def test_a_damaged_run_is_listed_as_unreadable(call, tmp_path):
    (tmp_path / "spoilt").mkdir()
    (tmp_path / "spoilt" / "journal.sqlite").write_bytes(b"no database" * 500)
    [run] = json.loads(call("ls", tmp_path, "--json").output)
    assert (run["id"], run["state"]) == ("spoilt", "unreadable")


def test_show_tells_what_the_journal_has(call, digits):
    told = json.loads(call("show", "digits", "--json").output)
    assert (told["state"], told["states"], told["trials"]) == ("finished", {"ended": 12}, 12)
    assert told["settings"]["scheduler"]["name"] == "asha"
    assert "scheduler\tasha(max_t=4" in call("show", "digits").output
    assert told["errors"] == []


def test_show_says_how_an_interrupted_run_is_continued(call):
    assert "trialwright resume dig-broken" in call("show", "dig-b").output


def test_errors_are_counted_and_their_control_characters_are_escaped(call):
    output = call("show", "bad").output
    assert "times ValueError: too \\x1b[31mnarrow, first in trial" in output
    assert "\x1b" not in output


def test_best_is_the_best_trial_of_the_result(call, digits):
    best = trialwright.load(digits).best_trial
    told = json.loads(call("best", "digits", "--json").output)
    assert (told["trial"], told["config"], told["metrics"]) == (best.id, best.config, best.best_metrics)
    assert f"model/width\t{best.config['model']['width']}\n" in call("best", "digits").output


def test_of_a_run_that_is_maximised_the_largest_value_is_best(call, home):
    [path] = home.glob("bad-*")
    assert json.loads(call("best", "bad", "--json").output)["value"] == trialwright.load(path).best_trial.best[0]


def test_trials_are_sorted_chosen_and_limited(call, digits):
    rows = table(call("trials", "digits", "--sort=-loss", "--where", "model/width = 32", "--limit", 2).output)
    wanted = sorted(
        (trial for trial in trialwright.load(digits) if trial.config["model"]["width"] == 32),
        key=lambda trial: -trial.metrics["loss"],
    )
    assert [int(row["id"]) for row in rows] == [trial.id for trial in wanted[:2]]
    assert float(rows[0]["loss"]) == wanted[0].metrics["loss"]


def test_a_condition_with_an_unknown_name_is_refused_with_the_nearest(call):
    result = call("trials", "digits", "--where", "los < 1")
    assert result.exit_code == 2
    assert "no 'los'; did you mean 'loss'?" in result.output


@pytest.mark.parametrize("command", ["show", "best", "trials", "why", "curves", "stop"])
def test_a_run_that_is_not_there_or_not_one_is_refused_with_those_that_are(call, command):
    more = ["3"] if command == "why" else []
    several, none = call(command, "dig", *more), call(command, "digist-2", *more)
    assert several.exit_code == none.exit_code == 2
    assert several.output.count("dig-broken-") == several.output.count("digits-") == 1
    assert "digits-" in none.output


def test_every_command_has_an_example_in_its_help(call):
    commands = [each.name for each in app.registered_commands]
    assert len(commands) > 15
    for name in commands:
        assert f"Example:\n    trialwright {name}" in call(name, "--help").output


def test_a_shell_completes_commands_and_the_names_of_runs(home, digits):
    def offered(text):
        given = {"_TRIALWRIGHT_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": text, "TRIALWRIGHT_HOME": str(home)}
        return CliRunner().invoke(app, [], prog_name="trialwright", env=given).output

    assert digits.name in offered("trialwright show digi")
    assert "bad-" not in offered("trialwright show digi")
    assert "enqueue" in offered("trialwright enq")
