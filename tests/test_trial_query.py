"""Conditions and orders over trials: answered by SQLite, which can only read."""

import pytest

from trialwright.storage.base import TrialRow, Turn
from trialwright.storage.sqlite import SqliteStore
from trialwright.trial_query import names_of, query_trials, query_values

CONFIGS = [
    {"lr": 0.1, "model": {"width": 64}, "kind": "a", "a/b": 1},
    {"lr": 0.2, "model": {"width": 32}, "kind": "b", "a/b": 2},
    {"lr": 0.3, "model": {"width": 64}, "kind": "it's", "a/b": 3},
    {"lr": 0.4, "rare": 7, "kind": {"$tuple": [1, 2]}},
]
LOSSES = [3.0, 1.0, float("nan"), None]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    store = SqliteStore.create(path, {"data": {}})
    rows = [
        TrialRow(
            number, "ended", "completed", "", 1, 5, config, {}, {} if loss is None else {"loss": loss, "id": 9.0},
            None, "", "", 0.0, 9.0 - number, best=None if loss is None else (loss, 1),
        )
        for number, (config, loss) in enumerate(zip(CONFIGS, LOSSES, strict=True))
    ]  # fmt: skip
    store.append(Turn(0.0, [], trials=rows)).result()
    store.close()
    return path


def numbers(run, *arguments, **keywords):
    return [row.id for row in query_trials(run, *arguments, **keywords)]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("", [0, 1, 2, 3]),
        ("lr > 0.15 and model/width = 64", [2]),
        ("model/width in (32, 64) and not lr = 0.1", [1, 2]),
        ("kind = 'it''s'", [2]),
        ("kind = 'model/width'", []),
        ("a/b = 2", [1]),
        ("rare = 7", [3]),
        ("loss is null", [3]),
        ("id = 2", [2]),
        ("metrics/id = 9", [0, 1, 2]),
        ("config/lr < 0.2", [0]),
        ("value < 2", [1]),
        ("outcome = 'completed' -- all", [0, 1, 2, 3]),
    ],
)
def test_a_condition_is_sql_over_columns_metrics_and_parameters(run, where, found):
    assert numbers(run, where) == found


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("loss", [1, 0, 2, 3]),
        ("-loss", [0, 1, 2, 3]),
        ("-id", [3, 2, 1, 0]),
        ("ended", [3, 2, 1, 0]),
        ("model/width", [1, 0, 2, 3]),
        ("-rare", [3, 0, 1, 2]),
    ],
)
def test_trials_without_a_number_come_last_in_either_order(run, sort, found):
    assert numbers(run, sort=sort) == found


def test_a_part_of_the_trials_can_be_had(run):
    assert numbers(run, limit=2) == [0, 1]
    assert numbers(run, limit=2, offset=1) == [1, 2]


def test_the_rows_are_whole(run):
    [row] = query_trials(run, "id = 1")
    assert (row.config, row.metrics["loss"], row.best) == (CONFIGS[1], 1.0, (1.0, 1))


@pytest.mark.parametrize(
    ("keywords", "why"),
    [
        ({"where": "los < 1"}, "the trials have no 'los'; did you mean 'loss'"),
        ({"where": '"los" < 1'}, "the trials have no 'los'; did you mean 'loss'"),
        ({"sort": "model/widht"}, "no 'model/widht'; did you mean 'model/width'"),
        ({"where": "lr <"}, "the condition cannot be used"),
        ({"where": "1); DELETE FROM trials; --"}, "the condition cannot be used"),
        ({"where": "1); ATTACH 'x' AS y; --"}, "the condition cannot be used"),
        ({"where": "lr < ?9"}, "the condition cannot be used"),
    ],
)
def test_a_wrong_question_is_refused_and_nothing_is_written(run, keywords, why):
    with pytest.raises(ValueError, match=why):
        query_trials(run, **keywords)
    assert len(numbers(run)) == 4


def test_some_values_can_be_had_without_the_rest(run):
    assert query_values(run, ["id", "model/width"], "lr > 0.15", "-lr") == [(3, None), (2, 64), (1, 32)]
    with pytest.raises(ValueError, match="no 'los'; did you mean 'loss'"):
        query_values(run, ["los"])


def test_the_names_of_metrics_and_parameters_are_told(run):
    assert names_of(run) == (["loss", "id"], ["lr", "model/width", "kind", "a/b", "rare"])


def test_a_run_without_trials_has_none(tmp_path):
    SqliteStore.create(tmp_path / "run", {"data": {}}).close()
    assert query_trials(tmp_path / "run") == []
