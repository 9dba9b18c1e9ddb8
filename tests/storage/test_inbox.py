"""What other processes send to a run is read row by row: a row that is none is told by its number."""

import sqlite3

import pytest

from trialwright.errors import StorageError
from trialwright.messages import Enqueued, StopRequested
from trialwright.storage import inbox

TRIAL = Enqueued({"x": 0.5}, letter=1)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "journal.sqlite").touch()
    return tmp_path


def row(run, kind, body):
    with sqlite3.connect(run / inbox.NAME) as database:
        database.execute("INSERT INTO letters (kind, body) VALUES (?, ?)", (kind, body))
    database.close()


def test_letters_are_read_in_order_and_from_a_number_on(run):
    inbox.enqueue(run, {"x": 0.5})
    inbox.stop(run, 0)
    inbox.stop(run)
    assert inbox.letters(run, 0) == [TRIAL, StopRequested(0, 2), StopRequested(None, 3)]
    assert inbox.letters(run, 2) == [StopRequested(None, 3)]


def test_where_nobody_has_written_there_is_nothing(run):
    assert inbox.letters(run, 0) == []


@pytest.mark.parametrize("trial", ["1", 1.0, True, [1], {}])
def test_what_is_no_trials_number_is_refused_where_it_is_sent(run, trial):
    with pytest.raises(TypeError, match="trial must be the number of a trial, or None for the whole run"):
        inbox.stop(run, trial)
    assert inbox.letters(run, 0) == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("enqueue", "{}"),
        ("enqueue", "[]"),
        ("enqueue", "3"),
        ("enqueue", '{"config": 3}'),
        ("enqueue", '{"config": null}'),
        ("enqueue", '{"config": {"x": {"float": []}}}'),
        ("enqueue", '{"config": {"x": {"float": "seven"}}}'),
        ("stop", "{}"),
        ("stop", "null"),
        ("stop", '{"trial": "1"}'),
        ("stop", '{"trial": 1.0}'),
        ("stop", '{"trial": true}'),
        ("stop", '{"trial": []}'),
    ],
)
def test_a_row_that_is_no_letter_is_told_by_its_number_and_the_next_is_read(run, kind, body):
    inbox.enqueue(run, {"x": 0.5})
    row(run, kind, body)
    inbox.stop(run, 7)
    first, odd, last = inbox.letters(run, 0)
    assert (first, last) == (TRIAL, StopRequested(7, 3))
    assert isinstance(odd, inbox.Unreadable)
    assert odd.letter == 2
    assert odd.problem.startswith(f"{kind} {body} cannot be read: ")


def test_a_row_of_a_table_of_another_make_is_told_too(run):
    with sqlite3.connect(run / inbox.NAME) as database:
        database.execute("CREATE TABLE letters (number INTEGER PRIMARY KEY, kind, body)")
        database.execute("INSERT INTO letters VALUES (1, 'greet', 'hello'), (2, NULL, NULL), (3, 'greet', '{}')")
    database.close()
    assert [odd.letter for odd in inbox.letters(run, 0)] == [1, 2, 3]
    assert "there is no such kind of letter" in inbox.letters(run, 2)[0].problem


def test_a_file_that_is_no_inbox_is_a_storage_error(run):
    (run / inbox.NAME).write_text("no database at all, but long enough" * 100)
    with pytest.raises(StorageError, match=r"inbox\.sqlite"):
        inbox.letters(run, 0)
