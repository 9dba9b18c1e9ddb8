"""The table of what was promised: it says what was measured, and whether that is what was promised."""

import json

import pytest

from benchmarks.performance import __main__ as command
from benchmarks.performance.measures import OURS, PEERS
from benchmarks.performance.rows import ROWS, Measured, table

BY_NAME = {row.name: row for row in ROWS}


def test_each_row_is_measured_and_each_ratio_has_its_peer():
    assert [*BY_NAME] == [*OURS]
    assert {row.name for row in ROWS if row.peer} == {*PEERS}


@pytest.mark.parametrize(
    ("name", "ours", "peer", "kept"),
    [
        ("trials", [9_000, 8_500, 7_000], [50, 50, 50], True),
        ("trials", [7_000], [10], False),
        ("trials", [9_000], [100], False),  # only 90 times the peer
        ("latency, p50", [0.14], [], True),
        ("latency, p50", [0.16], [], False),
        ("start, ray", [4.5], [3.6], True),
        ("start, ray", [4.7], [3.6], False),
    ],
)
def test_a_promise_is_kept_by_the_median_and_beside_the_peer(name, ours, peer, kept):
    assert Measured(BY_NAME[name], ours, peer).is_kept is kept


def test_the_table_says_what_was_measured_promised_and_not_kept():
    line = table([Measured(BY_NAME["trials"], [7_000, 7_500], [50, 50])]).splitlines()[-1]
    assert line == (
        "| trials | no-op trials on Ray, random search, 50,000 | 7,250/s (7,000 to 7,500) | at least 8,000/s "
        "| 145 times Ray Tune (50/s) | 150 times | **not reached** |"
    )


def test_the_command_measures_writes_the_page_and_keeps_what_has_changed(tmp_path, monkeypatch, capsys):
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{command.BEGIN}\nold\n{command.END}\nafter\n")
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "HISTORY", tmp_path / "history")
    command.main(["import", "--write-docs", "--history", "lazy imports"])
    assert "| import |" in capsys.readouterr().out
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith(f"{command.END}\nafter\n")
    [kept] = (tmp_path / "history").iterdir()
    assert kept.name.endswith("-lazy-imports.json")
    assert json.loads(kept.read_text())["figures"]["import"] > 0
    command.main(["--plot", str(tmp_path / "plot.png")])
    assert (tmp_path / "plot.png").stat().st_size > 0
