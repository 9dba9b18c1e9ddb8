"""The program: the list of its commands."""

import re


def test_the_list_of_commands_says_what_each_does_in_a_whole_sentence(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, _, commands = call("--help").output.partition("Commands:\n")
    assert re.search(r"^  stop +Stop one trial, several, or the whole run\.$", commands, re.MULTILINE)
    assert all(line.endswith(".") and not line.endswith("...") for line in commands.strip().splitlines())
