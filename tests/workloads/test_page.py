"""The workload of docs/write-a-workload.md keeps the contract, and is as short as it says."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.contracts.workload import WorkloadContract
from trialwright import workloads
from trialwright.executors import Delays, Faults

PAGE = Path(__file__).parents[2] / "docs" / "write-a-workload.md"
LINES_MAX = 30


def example() -> str:
    text = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    return text[: text.index("\ndef tune")]


class TestDescent(WorkloadContract):
    def make(self):
        names: dict[str, Any] = {}
        exec(compile(example(), str(PAGE), "exec"), names)
        return names["Descent"]()


def test_it_is_short():
    assert len(re.findall(r"\S.*\n", example())) <= LINES_MAX


def test_every_delay_fault_and_workload_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    names = [field.name for kind in (Delays, Faults) for field in fields(kind)] + list(workloads.__all__)
    types = {"State", "Step", "Workload"}
    assert [name for name in names if name not in types and not re.search(rf"\b{name}\b", page)] == []
