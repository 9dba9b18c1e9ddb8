"""Which display is chosen."""

import io

import pytest

from tests.progress.snapshots import MIDWAY
from trialwright.progress import choose_progress, line
from trialwright.progress.lines import LineProgress, NoProgress
from trialwright.progress.live import LiveProgress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")


def test_verbose_0_shows_nothing():
    stream = Terminal()
    shown = choose_progress(0, stream)
    shown.update(MIDWAY)
    shown.close(MIDWAY)
    assert isinstance(shown, NoProgress)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("verbose", [1, 2, 3])
def test_a_table_on_a_terminal_and_lines_elsewhere(monkeypatch, verbose):
    assert isinstance(choose_progress(verbose, Terminal()), LiveProgress)
    assert isinstance(choose_progress(verbose, io.StringIO()), LineProgress)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(choose_progress(verbose, Terminal()), LineProgress)


def test_stderr_is_the_default(capsys):
    choose_progress(1).close(MIDWAY)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == line(MIDWAY) + "\n"
