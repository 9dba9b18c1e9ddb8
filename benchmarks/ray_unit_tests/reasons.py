"""Why tests of Ray's do not pass on Trialwright: one sentence for all tests that fail for the same cause."""

from __future__ import annotations

REASONS: dict[str, tuple[str, ...]] = {}  # reason -> names of tests, as regular expressions
