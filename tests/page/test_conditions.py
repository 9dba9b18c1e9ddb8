"""A filter becomes SQL with bindings, and nothing that a user has typed is in the SQL."""

from __future__ import annotations

import pytest

from trialwright.page.columns import FIXED, Column
from trialwright.page.conditions import where

COLUMNS = (*FIXED, Column("lr", "parameter", "p0", "$[6].lr"), Column("net/width of it", "parameter", "p1", "$"))


@pytest.mark.parametrize(
    ("text", "sql", "bindings"),
    [
        ("", "1", []),
        ("lr < 0.01", "p0 < ?", [0.01]),
        ("lr<=1e-3 and outcome = stopped", "p0 <= ? AND outcome IS ?", [0.001, "stopped"]),
        ("outcome != null", "outcome IS NOT ?", [None]),
        ('"net/width of it" >= 5', "p1 >= ?", [5.0]),
        ("reason ~ 'and so on'", "instr(lower(reason), lower(?)) > 0", ["and so on"]),
        ("outcome = '5'", "outcome IS ?", ["5"]),
        ('error = "x\'; DROP TABLE trials; --"', "error IS ?", ["x'; DROP TABLE trials; --"]),
    ],
)
def test_conditions_become_sql_and_bindings(text, sql, bindings):
    assert where(text, COLUMNS) == (sql, bindings)


@pytest.mark.parametrize("text", ["lr", "lr <", "< 1", "lr < 1 lr > 0", "lr < 1 and", "lr < 1 or lr > 2", "lr = 'a"])
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ValueError, match=r"condition|filter"):
        where(text, COLUMNS)


def test_an_unknown_column_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"no column 'outcom'.*outcome"):
        where("outcom = stopped", COLUMNS)


def test_a_filter_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="2000"):
        where("lr < 1 and " * 300, COLUMNS)
