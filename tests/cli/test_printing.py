"""Tables for people in a terminal, lines with tabs in a pipe; nothing that a name holds can move the cursor."""

import io
import json

import pytest

from trialwright.cli.printing import escaped, print_json, print_pairs, print_table, whole

ROWS = [("a-run", 0.123456789, {"lr": 0.987654321, "kind": "x\x1b[2J"}, None), ("b-run", float("nan"), {}, 3)]
HEADS = ("run", "best", "config", "trial")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")


def test_in_a_pipe_a_line_has_whole_values_between_tabs():
    stream = io.StringIO()
    print_table(ROWS, HEADS, stream)
    assert stream.getvalue().splitlines() == [
        "run\tbest\tconfig\ttrial",
        'a-run\t0.123456789\t{"lr": 0.987654321, "kind": "x\\u001b[2J"}\t',
        "b-run\tnan\t{}\t3",
    ]


def test_in_a_terminal_numbers_are_short_and_control_characters_are_shown():
    stream = Terminal()
    print_table(ROWS, HEADS, stream)
    text = stream.getvalue()
    assert "0.1235" in text
    assert "lr=0.9877 kind=x\\x1b[2J" in text
    assert "\x1b[2J" not in text


def test_pairs_are_lines_with_tabs_in_a_pipe_and_aligned_in_a_terminal():
    pipe, terminal = io.StringIO(), Terminal()
    for stream in (pipe, terminal):
        print_pairs([("run", "a"), ("best value", 0.123456789)], stream)
    assert pipe.getvalue() == "run\ta\nbest value\t0.123456789\n"
    assert "0.1235" in terminal.getvalue()


def test_json_has_strings_for_the_numbers_that_it_lacks(capsys):
    print_json({"a": [float("nan"), float("-inf"), 1.5], "b": (1,)})
    assert json.loads(capsys.readouterr().out) == {"a": ["nan", "-inf", 1.5], "b": [1]}


@pytest.mark.parametrize(
    ("text", "shown"), [("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("模型 é", "模型 é"), ("\u202e", "\\u202e")]
)
def test_what_is_printable_stays_and_the_rest_is_escaped(text, shown):
    assert escaped(text) == whole(text) == shown


def test_what_is_not_printable_in_a_dict_is_escaped_and_it_stays_json():
    text = whole({"模型": "a\x9b\u202eb"})
    assert text == '{"模型": "a\\u009b\\u202eb"}'
    assert json.loads(text) == {"模型": "a\x9b\u202eb"}
