"""The functions users write spaces with. Each checks its arguments and returns a frozen domain.

All raise TypeError for an argument of the wrong type and ValueError for one of a wrong value. Argument order and
bounds are those of Ray Tune. Quantised domains hold the multiples of q inside [lower, upper], edges included.
"""

import inspect
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from trialwright.space.domains import DEEPEST_SD, Category, Continuous, Grain, Normal, Stepped
from trialwright.space.functions import Derived
from trialwright.space.values import is_finite, is_number, python_value, token

MOST_STEPS = 2**40
"""More values than this in one discrete domain cannot be distinguished by a float64 unit."""
_LARGEST_INT = 2**62
_DEFAULT_BASE = 10

Options = Sequence[object] | npt.NDArray[Any]


class _Call:
    """A call being checked: keeps its source, so that every message shows the arguments."""

    def __init__(self, name: str, *arguments: object, base: object = _DEFAULT_BASE) -> None:
        shown = arguments if base == _DEFAULT_BASE else (*arguments, base)
        self.name = name
        self.arguments: tuple[Any, ...] = tuple(map(python_value, shown))
        self.text = f"{name}({', '.join(map(repr, self.arguments))})"
        self.log = "log" in name
        if self.log and self.number("base", base) <= 1:
            raise self.refused(f"base must be greater than 1, got {base!r}")

    def refused(self, why: str) -> ValueError:
        return ValueError(f"{self.text}: {why}")

    def number(self, name: str, value: object) -> float:
        value = python_value(value)
        if not is_number(value):
            message = f"{self.text}: {name} must be a number, got {value!r} of type {type(value).__name__}"
            raise TypeError(message)
        if not is_finite(value):
            raise self.refused(f"{name} must be finite, got {value!r}")
        return float(value)  # type: ignore[arg-type]

    def integer(self, name: str, value: object) -> int:
        value = python_value(value)
        if not isinstance(value, int) or isinstance(value, bool):
            message = f"{self.text}: {name} must be an int, got {value!r} of type {type(value).__name__}"
            raise TypeError(message)
        if abs(value) > _LARGEST_INT:
            raise self.refused(f"{name} must be within -2**62 and 2**62")
        return value

    def check_range(self, lower: float, upper: float) -> None:
        if lower == upper:
            raise self.refused("lower and upper are equal; write the value itself for a constant")
        if lower > upper:
            raise self.refused("lower must be less than upper; are they swapped?")
        if self.log and lower <= 0:
            raise self.refused(f"lower must be above 0 on a log scale, got {lower!r}")
        if not math.isfinite(upper - lower):
            raise self.refused("the range from lower to upper is too wide for a float")

    def check_q(self, q: float, width: float = math.inf) -> None:
        if q <= 0:
            raise self.refused(f"q must be above 0, got {q!r}")
        if q > width * (1 + 1e-12):
            raise self.refused(f"q={q!r} is larger than the range from lower to upper, {width!r}")

    def check_count(self, count: float, *, hint: str = "use the continuous form") -> None:
        if count > MOST_STEPS:
            raise self.refused(f"more than 2**40 different values cannot be distinguished; {hint}")


def uniform(lower: float, upper: float) -> Continuous:
    """A float, evenly drawn from [lower, upper]."""
    return _continuous(_Call("uniform", lower, upper), lower, upper)


def loguniform(lower: float, upper: float, base: float = _DEFAULT_BASE) -> Continuous:
    """A float whose logarithm is evenly drawn; lower > 0. The base is checked, but changes nothing."""
    return _continuous(_Call("loguniform", lower, upper, base=base), lower, upper)


def quniform(lower: float, upper: float, q: float) -> Stepped:
    """A multiple of q in [lower, upper], all equally likely."""
    return _stepped(_Call("quniform", lower, upper, q), lower, upper, q)


def qloguniform(lower: float, upper: float, q: float, base: float = _DEFAULT_BASE) -> Stepped:
    """A multiple of q in [lower, upper], evenly drawn on the log axis and rounded."""
    return _stepped(_Call("qloguniform", lower, upper, q, base=base), lower, upper, q)


def randn(mean: float = 0.0, sd: float = 1.0) -> Normal:
    """A normally distributed float, cut off 5 standard deviations from the mean."""
    return _normal(_Call("randn", mean, sd), mean, sd)


def qrandn(mean: float, sd: float, q: float) -> Normal:
    """A normally distributed float, rounded to a multiple of q."""
    call = _Call("qrandn", mean, sd, q)
    normal, step = _normal(call, mean, sd), call.number("q", q)
    call.check_q(step)
    call.check_count((abs(normal.mean) + DEEPEST_SD * normal.sd) / step, hint="use randn")
    return Normal(normal.call, normal.mean, normal.sd, Grain(step))


def randint(lower: int, upper: int) -> Stepped:
    """An int from lower up to, and without, upper; all equally likely."""
    return _integers(_Call("randint", lower, upper), lower, upper, included=False)


def qrandint(lower: int, upper: int, q: int = 1) -> Stepped:
    """An int multiple of q from lower up to, and including, upper; all equally likely."""
    return _integers(_Call("qrandint", lower, upper, q), lower, upper, q)


def lograndint(lower: int, upper: int, base: float = _DEFAULT_BASE) -> Stepped:
    """An int from lower up to, and without, upper; evenly drawn on the log axis and rounded."""
    return _integers(_Call("lograndint", lower, upper, base=base), lower, upper, included=False)


def qlograndint(lower: int, upper: int, q: int, base: float = _DEFAULT_BASE) -> Stepped:
    """An int multiple of q from lower up to, and including, upper; evenly drawn on the log axis and rounded."""
    return _integers(_Call("qlograndint", lower, upper, q, base=base), lower, upper, q)


def choice(options: Options) -> Category:
    """One of the options. An option that is, or holds, a domain is a branch: its domains vary only if it is chosen."""
    return _category("choice", options)


def ordinal(values: Options) -> Category:
    """One of the values, whose order carries meaning (for instance small, medium, large)."""
    return _category("ordinal", values)


def grid_search(values: Options) -> Category:
    """Every value in turn, as often as it is there: the grid of all grid_search values is repeated."""
    return _category("grid_search", values)


def sample_from(function: Callable[..., Any]) -> Derived:
    """A value computed by the function from the config resolved so far, or without it if it takes no argument.

    `lambda config: config["lr"] * 2` and `lambda spec: spec.config.lr * 2` both work. An argument that has a default
    is left alone.
    """
    if not callable(function):
        message = f"sample_from({function!r}): must be given a function, got {type(function).__name__}"
        raise TypeError(message)
    wanted = _required_arguments(function)
    if wanted > 1:
        message = (
            f"sample_from({function!r}): the function is called with the config only, but needs {wanted} arguments"
        )
        raise TypeError(message)
    return Derived(function, takes_config=wanted == 1)


def _continuous(call: _Call, lower: object, upper: object) -> Continuous:
    low, high = call.number("lower", lower), call.number("upper", upper)
    call.check_range(low, high)
    return Continuous((call.name, call.arguments), low, high, call.log)


def _normal(call: _Call, mean: object, sd: object) -> Normal:
    centre, spread = call.number("mean", mean), call.number("sd", sd)
    if spread <= 0:
        raise call.refused(f"sd must be above 0, got {sd!r}")
    if not math.isfinite(abs(centre) + DEEPEST_SD * spread):
        raise call.refused("mean and sd are too large for a float")
    return Normal((call.name, call.arguments), centre, spread)


def _stepped(call: _Call, lower: object, upper: object, q: object) -> Stepped:
    low, high, step = call.number("lower", lower), call.number("upper", upper), call.number("q", q)
    call.check_range(low, high)
    call.check_q(step, high - low)
    call.check_count(max(abs(low), abs(high)) / step)
    first, last = _steps_inside(Grain(step), low, high)
    if first > last:
        raise call.refused("no multiple of q lies between lower and upper")
    return Stepped((call.name, call.arguments), Grain(step), first, last - first + 1, call.log)


def _steps_inside(grain: Grain, low: float, high: float) -> tuple[int, int]:
    """Return the first and last step in [low, high]; the division may be off by one: 0.3 / 0.1 < 3."""
    first, last = math.ceil(low / grain.q), math.floor(high / grain.q)
    first += (grain.value(first) < low) - (grain.value(first - 1) >= low)
    last += (grain.value(last + 1) <= high) - (grain.value(last) > high)
    return first, last


def _integers(call: _Call, lower: object, upper: object, q: object = 1, *, included: bool = True) -> Stepped:
    low, high, step = call.integer("lower", lower), call.integer("upper", upper), call.integer("q", q)
    call.check_range(low, high)
    call.check_q(step, high - low)
    first, last = -(-low // step), (high if included else high - 1) // step
    call.check_count(last if call.log else last - first + 1, hint="use sample_from for a seed")
    return Stepped((call.name, call.arguments), Grain(step, integer=True), first, last - first + 1, call.log)


def _category(kind: Literal["choice", "ordinal", "grid_search"], options: Options) -> Category:
    if not isinstance(options, list | tuple | range | np.ndarray):
        message = f"{kind}({options!r}): must be given a list, got {type(options).__name__}"
        raise TypeError(message)
    values = tuple(python_value(option) for option in options)
    if not values:
        message = f"{kind}([]): there is nothing to choose from"
        raise ValueError(message)
    if kind != "grid_search":  # which tries each as often as it is there
        _refuse_duplicates(kind, values)
    category = Category(kind, values)
    category.index(values[0])  # the table of options is made now, not when a searcher is asked first
    return category


def _refuse_duplicates(kind: str, values: tuple[object, ...]) -> None:
    first: dict[object, int] = {}
    for place, value in enumerate(values):
        earlier = first.setdefault(token(value), place)
        if earlier != place:
            message = f"{kind}: option {place} is the same as option {earlier}, {value!r}; leave one out"
            raise ValueError(message + _instead(kind, values))


def _instead(kind: str, values: tuple[object, ...]) -> str:
    """Return how to say what may be meant where an option is given more than once."""
    times = Counter(map(token, values))
    options = {token(value): value for value in values}
    weighed = f"choice({[*options.values()]!r}).prior({[*times.values()]})"
    return f"; to make an option more likely, weigh them: {weighed}" if kind == "choice" else ""


def _required_arguments(function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some functions written in C, such as numpy.random.rand, have no signature
        return 0
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(each.kind in positional and each.default is inspect.Parameter.empty for each in parameters)
