"""What other processes send to a run is read row by row: a row that is none is told by its number."""

import sqlite3

import pytest

from trialwright import Engine
from trialwright.errors import StorageError
from trialwright.messages import ContinueRequested, Enqueued, PauseRequested, SamplesAdded, StopRequested
from trialwright.space import Space, choice, uniform
from trialwright.storage import inbox
from trialwright.storage.base import TrialRow, Turn
from trialwright.storage.sqlite import SqliteStore

TRIAL = Enqueued({"x": 0.5}, letter=1)


@pytest.fixture
def run(tmp_path):
    space = Space({"x": uniform(0, 1), "rate": uniform(0, 1), "kind": choice(["a", "b"])})
    SqliteStore.create(tmp_path, {"data": {"space": space.to_plain()}}).close()
    return tmp_path


def show(run, *trials):
    """Write trials into the journal: pairs of a number and an outcome."""
    rows = [TrialRow(number, "", outcome, "", 1, 0, {}, {}, {}, None, "", "", None, None) for number, outcome in trials]
    store = SqliteStore.open(run)
    store.append(Turn(0.0, [], trials=rows)).result()
    store.close()


def row(run, kind, body):
    with sqlite3.connect(run / inbox.NAME) as database:
        database.execute("INSERT INTO letters (kind, body) VALUES (?, ?)", (kind, body))
    database.close()


def test_requests_are_read_in_order_and_from_a_number_on(run):
    show(run, (0, None))
    inbox.enqueue(run, {"x": 0.5})
    inbox.stop(run, 0)
    inbox.stop(run)
    assert inbox.requests(run, 0) == [TRIAL, StopRequested(0, 2), StopRequested(None, 3)]
    assert inbox.requests(run, 2) == [StopRequested(None, 3)]


def test_pauses_are_requests_too_of_trials_and_of_the_run(run):
    show(run, (0, None))
    assert [inbox.pause(run, 0), inbox.pause(run), inbox.unpause(run, 0), inbox.unpause(run)] == [1, 2, 3, 4]
    wanted = [PauseRequested(0, 1), PauseRequested(None, 2), ContinueRequested(0, 3), ContinueRequested(None, 4)]
    assert inbox.requests(run, 0) == wanted


def test_an_inbox_that_an_earlier_version_has_made_takes_pauses_and_keeps_its_requests(run):
    with sqlite3.connect(run / inbox.NAME) as database:
        database.execute(
            "CREATE TABLE letters (number INTEGER PRIMARY KEY AUTOINCREMENT, sent TEXT NOT NULL DEFAULT 'then', "
            "kind TEXT NOT NULL CHECK (kind IN ('enqueue', 'stop')), body TEXT NOT NULL) STRICT"
        )
        database.execute("""INSERT INTO letters (number, kind, body) VALUES (7, 'stop', '{"trial": null}')""")
    database.close()
    assert inbox.pause(run) == 8
    assert inbox.requests(run, 0) == [StopRequested(None, 7), PauseRequested(None, 8)]


def test_more_samples_are_a_request_too(run):
    assert inbox.add_samples(run, 50) == 1
    row(run, "add-samples", '{"count": -1}')
    added, wrong = inbox.requests(run, 0)
    assert (added, wrong.letter) == (SamplesAdded(50, 1), 2)
    for count, error in ((0, ValueError), (True, TypeError), (1.5, TypeError), (None, TypeError)):
        with pytest.raises(error, match="count must be"):
            inbox.add_samples(run, count)


def test_a_run_without_a_planned_number_takes_no_more_samples(tmp_path):
    SqliteStore.create(tmp_path, {"data": {"num_samples": -1}}).close()
    with pytest.raises(ValueError, match="their number is unlimited"):
        inbox.add_samples(tmp_path, 1)


def test_without_requests_the_inbox_is_empty(run):
    assert inbox.requests(run, 0) == []


@pytest.mark.parametrize("trial", ["1", 1.0, True, [1], {}])
def test_what_is_no_trials_number_is_refused_where_it_is_sent(run, trial):
    with pytest.raises(TypeError, match="trial must be the number of a trial, or None for the whole run"):
        inbox.stop(run, trial)
    assert inbox.requests(run, 0) == []


def test_a_path_may_be_a_string(run):
    assert (inbox.enqueue(str(run), {"x": 0.5}), inbox.stop(str(run))) == (1, 2)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"x": 7.0}, "x: 7.0"),
        ({"rat": 0.5}, "rat.*rate"),
        ({"kind": "c"}, "kind: 'c'"),
        ({"x": 7.0, "kind": "c"}, "(?s)x: 7.0.*kind: 'c'"),
    ],
)
def test_what_the_space_of_the_run_does_not_have_is_refused_at_the_call(run, config, why):
    with pytest.raises(ValueError, match=why):
        inbox.enqueue(run, config)
    assert inbox.requests(run, 0) == []


def test_of_a_space_that_the_journal_does_not_hold_the_names_are_checked(tmp_path):
    definition = {"rate": uniform(0, 1), "kind": choice([max, min])}
    engine = Engine(
        lambda config: {"loss": 1}, definition, metric="loss", executor="local", storage=tmp_path, verbose=0
    )
    path = engine.run().path
    with pytest.raises(ValueError, match="rat: there is no such parameter; did you mean 'rate'"):
        inbox.enqueue(path, {"rat": 0.5})
    assert inbox.enqueue(path, {"rate": 0.5}) == 1


@pytest.mark.parametrize("config", [None, "x=0.5", [("x", 0.5)], 3])
def test_a_config_that_is_no_dict_is_refused_at_the_call(run, config):
    with pytest.raises(TypeError, match="config must be a dict"):
        inbox.enqueue(run, config)


def test_a_trial_that_the_run_does_not_have_or_that_has_ended_is_refused_at_the_call(run, monkeypatch):
    monkeypatch.setattr(inbox, "COMMIT_S", 0.05)
    show(run, (0, "completed"), (1, None), (2, None))
    with pytest.raises(ValueError, match=r"there is no trial 7 in .*; not ended are: \[1, 2\]"):
        inbox.stop(run, 7)
    with pytest.raises(ValueError, match=r"trial 0 in .* has ended: completed"):
        inbox.stop(run, 0)
    assert inbox.requests(run, 0) == []
    assert inbox.stop(run, 2) == 1


@pytest.mark.parametrize("ask", [lambda run: inbox.enqueue(run, {}), inbox.stop, inbox.pause, inbox.unpause])
def test_where_there_is_no_run_the_nearest_is_named(run, ask):
    with pytest.raises(ValueError, match=f"there is no run in .*; did you mean '{run}'"):
        ask(run.with_name(run.name[:-1] + "x"))


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
def test_a_row_that_is_no_request_is_named_by_its_number_and_the_next_is_read(run, kind, body):
    inbox.enqueue(run, {"x": 0.5})
    row(run, kind, body)
    show(run, (7, None))
    inbox.stop(run, 7)
    first, odd, last = inbox.requests(run, 0)
    assert (first, last) == (TRIAL, StopRequested(7, 3))
    assert isinstance(odd, inbox.Unreadable)
    assert odd.letter == 2
    assert odd.problem.startswith(f"{kind} {body} cannot be read: ")


def test_a_row_of_a_table_of_another_make_is_rejected_with_a_message(run):
    with sqlite3.connect(run / inbox.NAME) as database:
        database.execute("CREATE TABLE letters (number INTEGER PRIMARY KEY, kind, body)")
        database.execute("INSERT INTO letters VALUES (1, 'greet', 'hello'), (2, NULL, NULL), (3, 'greet', '{}')")
    database.close()
    assert [odd.letter for odd in inbox.requests(run, 0)] == [1, 2, 3]
    assert "there is no such kind of request" in inbox.requests(run, 2)[0].problem


def test_a_file_that_is_no_inbox_is_a_storage_error(run):
    (run / inbox.NAME).write_text("no database at all, but long enough" * 100)
    with pytest.raises(StorageError, match=r"inbox\.sqlite"):
        inbox.requests(run, 0)
