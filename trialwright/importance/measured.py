"""What was measured: the importance of each parameter, with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from trialwright.errors import nearest

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ParameterImportance:
    """How much one parameter matters.

    ``importance`` is its share: those of all parameters add up to 1, or are all 0 where none matters. ``low`` and
    ``high`` are the ends of its 95 % interval. ``score`` is what the method measured: for PED-ANOVA a divergence (0:
    the good trials are distributed as all are), for fANOVA a part of the variance (0 to 1). ``trials`` is how many have
    the parameter.
    """

    parameter: str
    importance: float
    low: float
    high: float
    score: float
    trials: int


@dataclass(frozen=True)
class Importance:
    """The importance of all parameters for a metric, the most important first; ``importance["lr"]`` is one of them.

    ``trials`` were used; ``left_out`` says how many were not, by reason; ``skipped`` says why a parameter has none.
    """

    metric: str
    method: str
    parameters: tuple[ParameterImportance, ...]
    trials: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[ParameterImportance]:
        return iter(self.parameters)

    def __getitem__(self, name: str) -> ParameterImportance:
        """Return the importance of one parameter.

        Raises:
            KeyError: there is none of this name (the message has the nearest), or it was skipped (and why).
        """
        if name in self.skipped:
            raise KeyError(f"{name!r} has no importance: {self.skipped[name]}")
        found = {each.parameter: each for each in self.parameters}
        if name not in found:
            raise KeyError(f"there is no parameter {name!r}{nearest(name, [*found, *self.skipped])}")
        return found[name]

    def dataframe(self) -> pd.DataFrame:
        """Return a table with one row for each parameter, the most important first; its columns are the fields of
        ``ParameterImportance``.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("importance.dataframe() needs pandas: pip install 'trialwright[pandas]'") from error
        return pd.DataFrame([asdict(each) for each in self.parameters], columns=[*ParameterImportance.__slots__])

    def __repr__(self) -> str:
        out = "".join(f", {count:,} left out: {reason}" for reason, count in self.left_out.items())
        width = max(len(each.parameter) for each in self.parameters)
        lines = [f"Importance for {self.metric!r} by {self.method} ({self.trials:,} trials{out})"]
        lines += [_line(each, width, self.trials) for each in self.parameters]
        lines += [f"  {name}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join(lines)


def _line(each: ParameterImportance, width: int, trials: int) -> str:
    part = f"  of {each.trials:,} trials" if each.trials < trials else ""
    return f"  {each.parameter:{width}}  {each.importance:6.1%}  ({each.low:.1%} to {each.high:.1%}){part}"
