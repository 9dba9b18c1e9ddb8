"""Constraints: what a config must also satisfy, as users' functions, or as strings such as ``"a < b"``.

In a string, ``"model.depth * width <= 512 or kind == 'small'"``, names are paths of the space, with dots for keys and
brackets for positions of lists. A string is parsed, never executed: it may compare and calculate, and call a few
functions. Being data, it is kept in the journal as it is.
"""

from __future__ import annotations

import ast
import math
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from trialwright.errors import nearest
from trialwright.space.values import Config, brief, fresh

Constraint = Callable[[Config], Any] | str
"""Called with a whole config, its truth value says whether the config is allowed; a string is an `Expression`."""
Evaluate = Callable[[Config], Any]
Excess = Callable[[Config], float]
TINY = 1e-300
"""As little as an expression can be off that does not hold."""

_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda value, several: value in several,
    ast.NotIn: lambda value, several: value not in several,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "exp": math.exp,
    "log": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "max": max,
    "min": min,
    "round": round,
    "sqrt": math.sqrt,
}


class Constraints:
    """The constraints of one space, asked in order."""

    def __init__(self, functions: Sequence[Constraint]) -> None:
        self._functions = tuple(Expression(each) if isinstance(each, str) else each for each in functions)

    def __len__(self) -> int:
        return len(self._functions)

    @property
    def are_strings(self) -> bool:
        """True if all of them are data."""
        return all(isinstance(each, Expression) for each in self._functions)

    @property
    def strings(self) -> list[str]:
        """Those that are strings."""
        return [each.text for each in self._functions if isinstance(each, Expression)]

    def violated(self, config: Config) -> int | None:
        """Return the number of the first constraint that the config violates, or None.

        Raises ValueError, with its name and the config, for a constraint that raises or gives no answer.
        """
        return next((number for number in range(len(self)) if not self._holds(number, config)), None)

    def excess(self, config: Config) -> float:
        """Return how far the config is from being allowed: 0 if it is, else the number of constraints from the first
        that it violates on, less up to 1 the nearer it is to meet that one."""
        number = self.violated(config)
        if number is None:
            return 0.0
        function = self._functions[number]
        near = function.excess(config) if isinstance(function, Expression) else 1.0
        return len(self) - 1 - number + max(near, TINY)

    def name(self, number: int) -> str:
        """Return how messages call a constraint: by its number, its name, and where it was written."""
        function = self._functions[number]
        if isinstance(function, Expression):
            return f"constraint {function!r}"
        code = getattr(function, "__code__", None)
        where = f", {code.co_filename}:{code.co_firstlineno}" if code else ""
        return f"constraint {number} ({getattr(function, '__name__', brief(function))}{where})"

    def most_frequent(self, rejections: Counter[int]) -> str:
        """Return a sentence about the constraint that rejected most."""
        number, times = rejections.most_common(1)[0]
        return f"{self.name(number)} rejected most, {times} of {rejections.total()}"

    def _holds(self, number: int, config: Config) -> bool:
        try:
            function = self._functions[number]
            answer = function(config if isinstance(function, Expression) else fresh(config))
            holds = bool(answer)
        except Exception as error:
            message = f"{self.name(number)} raised {type(error).__name__}: {error}, for {brief(config, 1000)}"
            raise ValueError(message) from error
        if answer is None:
            message = f"{self.name(number)} returned None, not True or False, for {brief(config, 1000)}"
            raise ValueError(message)
        return holds


def problems_of_constraints(constraints: object, definition: object) -> list[str]:
    """Return what is wrong with the constraints argument of a space of this definition."""
    if not isinstance(constraints, list | tuple):
        return [f"constraints must be a list of functions or strings, got {brief(constraints)}"]
    known = [*definition] if isinstance(definition, dict) else []
    return [text for number, each in enumerate(constraints) for text in _problems_of_one(number, each, known)]


def _problems_of_one(number: int, constraint: object, known: list[str]) -> list[str]:
    if not isinstance(constraint, str):
        return [] if callable(constraint) else [f"constraint {number}: {brief(constraint)} is not callable"]
    try:
        names = Expression(constraint).names
    except ValueError as error:
        return [str(error)]
    unknown = [name for name in names if name not in known]
    return [f"constraint {constraint!r}: the space has no {name!r}{nearest(name, known)}" for name in unknown]


# Constraints as strings -----------------------------------------------------------------------------------------------


class Expression:
    """A constraint from a string. One about a parameter that a config does not have (another branch was taken) holds.

    Raises ValueError for a string that is not such an expression.
    """

    def __init__(self, text: str) -> None:
        self.text = self.__name__ = text
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"constraint {text!r} cannot be read: {error.msg}") from error
        self.names = tuple(dict.fromkeys(_names(tree)))
        self._evaluate = self._compile(tree)
        self._excess = self._measured(tree)

    def __call__(self, config: Config) -> bool:
        try:
            return bool(self._evaluate(config))
        except _Absent:
            return True

    def excess(self, config: Config) -> float:
        """Return how far the config is from meeting it: 0 if it does, else up to 1, the further the more."""
        try:
            return self._excess(config)
        except _Absent:
            return 0.0

    def __repr__(self) -> str:
        return repr(self.text)

    def _measured(self, node: ast.expr) -> Excess:
        """Return the function that measures how far a config is from meeting this part of the expression."""
        match node:
            case ast.BoolOp(ast.And(), values):
                return _all([*map(self._measured, values)])
            case ast.BoolOp(_, values):
                parts = [*map(self._measured, values)]
                return lambda config: min(part(config) for part in parts)
            case ast.Compare(left, signs, others):
                pairs = zip([left, *others], signs, others, strict=False)
                return _all([self._distance(one, sign, other) for one, sign, other in pairs])
        holds = self._compile(node)
        return lambda config: 0.0 if holds(config) else 1.0

    def _distance(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Excess:
        """Return the function that measures how far two sides are from comparing as they should."""
        holds, one, other = self._apply(sign, [left, right]), self._compile(left), self._compile(right)
        return lambda config: 0.0 if holds(config) else _apart(one(config), other(config))

    def _compile(self, node: ast.expr) -> Evaluate:  # noqa: PLR0911 - a return a case
        match node:
            case ast.Constant(value):
                return lambda _config: value
            case ast.Name() | ast.Attribute() | ast.Subscript():
                path = _path(node)
                return lambda config: _look_up(config, path)
            case ast.List(elements) | ast.Tuple(elements):
                parts = [*map(self._compile, elements)]
                return lambda config: [part(config) for part in parts]
            case ast.BoolOp(ast.And(), values):
                parts = [*map(self._compile, values)]
                return lambda config: all(part(config) for part in parts)
            case ast.BoolOp(_, values):
                parts = [*map(self._compile, values)]
                return lambda config: any(part(config) for part in parts)
            case ast.UnaryOp(sign, operand):
                return self._apply(sign, [operand])
            case ast.BinOp(left, sign, right):
                return self._apply(sign, [left, right])
            case ast.Compare(left, signs, others):
                pairs = zip([left, *others], signs, others, strict=False)
                parts = [self._apply(sign, [one, other]) for one, sign, other in pairs]
                return lambda config: all(part(config) for part in parts)
            case ast.Call(ast.Name(name), arguments, []) if name in _FUNCTIONS:
                function, parts = _FUNCTIONS[name], [*map(self._compile, arguments)]
                return lambda config: function(*(part(config) for part in parts))
        raise ValueError(f"constraint {self.text!r} cannot use {ast.unparse(node)!r}, only comparisons and arithmetic")

    def _apply(self, sign: ast.AST, operands: list[ast.expr]) -> Evaluate:
        if type(sign) not in _OPERATORS:
            raise ValueError(f"constraint {self.text!r} cannot use {type(sign).__name__}")
        function, parts = _OPERATORS[type(sign)], [*map(self._compile, operands)]
        return lambda config: function(*(part(config) for part in parts))


def _all(parts: list[Excess]) -> Excess:
    """Return the measure of several that must all hold: how many are left from the first that does not, and how far
    that one is off. Those after it are not looked at: they may rely on it."""

    def excess(config: Config) -> float:
        for place, part in enumerate(parts):
            if (off := part(config)) > 0:
                return (len(parts) - 1 - place + off) / len(parts)
        return 0.0

    return excess


def _apart(one: object, other: object) -> float:
    """Return how far two values are apart, from 0 to 1; 1 for what are no numbers."""
    try:
        distance = float(abs(one - other))  # type: ignore[operator]  # that is what is tried
    except (TypeError, OverflowError):
        return 1.0
    return max(distance / (1.0 + distance), TINY) if math.isfinite(distance) else 1.0


class _Absent(Exception):
    """The config does not have this parameter."""


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the first parts of all paths in an expression."""
    called = {id(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
    yield from (each.id for each in ast.walk(node) if isinstance(each, ast.Name) and id(each) not in called)


def _path(node: ast.expr) -> tuple[str | int, ...]:
    match node:
        case ast.Name(name):
            return (name,)
        case ast.Attribute(inner, name):
            return (*_path(inner), name)
        case ast.Subscript(inner, ast.Constant(str() | int() as key)):
            return (*_path(inner), key)
    raise ValueError(f"{ast.unparse(node)!r} is not the path of a parameter")


def _look_up(config: Any, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - whatever is in a config
    for key in path:
        try:
            config = config[key]
        except (KeyError, IndexError, TypeError) as error:
            raise _Absent from error
    return config
