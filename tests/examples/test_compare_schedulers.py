"""The example that compares schedulers runs, and draws."""

import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
EXAMPLE = Path(__file__).parents[2] / "examples" / "compare_schedulers.py"


def test_it_prints_a_line_a_scheduler_and_draws_them(tmp_path, monkeypatch, capsys):
    target = tmp_path / "drawn.png"
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--seeds", "1", "--plot", str(target)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert sum("regret" in line for line in lines) == 5
    assert target.read_bytes().startswith(b"\x89PNG")
