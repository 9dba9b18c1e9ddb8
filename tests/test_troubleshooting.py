"""The messages that the page of troubles quotes are those of the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
OTHERS = (
    "asyncio.run()",
    "The object store is using /tmp",
    "ModuleNotFoundError",
    "too many open files",
    "except:",
    "commits",
)
CODE = re.sub(
    r'"\s*\n\s*f?"', "", "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "trialwright").rglob("*.py"))
)


def quoted():
    """What the first column of the tables quotes, without the names of classes and of what others say."""
    rows = [
        line.split(" | ")[0] for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| symptom")
    ]
    found = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    return [message for message in found if " " in message and not message.startswith(OTHERS)]


@pytest.mark.parametrize("message", quoted())
def test_a_message_that_the_page_quotes_is_one_of_the_code(message):
    parts = [part for part in message.split("()") if part]
    assert all(part.strip() in CODE for part in parts)


def test_the_page_quotes_many_messages():
    assert len(quoted()) >= 25
