"""From single values to strings: numbers, time spans, configurations."""

from __future__ import annotations

from collections.abc import Mapping

from trialwright.nested import flatten

CONFIG_LENGTH = 160


def counts(amounts: Mapping[str, int]) -> str:
    """Return ``4 running, 2 paused``."""
    return ", ".join(f"{amount:,} {name}" for name, amount in amounts.items() if amount)


def several(count: int, noun: str) -> str:
    """Return ``1 trial`` or ``2,000 trials``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def settings(config: Mapping[str, object]) -> str:
    """Return a config as ``lr=0.0123 model/width=128``, cut off where it gets long."""
    text = plain(" ".join(f"{name}={shown(value)}" for name, value in flatten(config).items()))
    return cut(text, CONFIG_LENGTH)


def cut(text: str, length: int) -> str:
    """Return a string of at most this length."""
    return text if len(text) <= length else text[: max(length - 3, 0)] + "..."[:length]


def shown(value: object) -> str:
    """Return a value as a string: a float with four significant digits."""
    return number(value) if isinstance(value, float) else str(value)


def values(metrics: Mapping[str, object]) -> str:
    """Return ``loss 0.12, size 34``."""
    return plain(", ".join(f"{name} {shown(value)}" for name, value in metrics.items()))


def number(value: float) -> str:
    """Return four significant digits; thousands keep theirs."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Return a time span in the units that a person would choose."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us" if seconds else "0 s"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds) // 60
    return f"{minutes} min {int(seconds) % 60:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def rough(seconds: float) -> str:
    """Return a time span in whole seconds, minutes, or hours with minutes: for estimates, and where digits would
    flicker."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def amount(name: str, value: float) -> str:
    """Return how much of a resource: memory in GiB."""
    return f"{number(value / 2**30)} GiB" if name == "memory" else number(value)


def plain(text: str) -> str:
    """Return one printable line: control characters could move the cursor."""
    return "".join(c if c.isprintable() else " " for c in text)
