"""Rules between the columns of one row, written as comparisons: ``dueDate >= invoiceDate``.

The text is parsed by Python's own parser and translated into a column expression; only names of
columns, numbers, texts, dates written as texts, comparisons, arithmetic and and/or/not are known.
What does not fit together (a text and a number) is refused when the profile is read. Numbers are
decimal throughout: nothing is rounded.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum

import polars as pl

MAX_LENGTH = 500
_MOST_DECIMALS = 20
_DIGITS = 38
_MOST_DIGITS = 18

_EQUALITY: dict[type[ast.cmpop], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    **_EQUALITY,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}


class Kind(StrEnum):
    """What a part of a rule is, in the words of its errors."""

    TEXT = "a text"
    NUMBER = "a number"
    DATE = "a date"
    MOMENT = "a date and time"
    TRUTH = "true or false"


@dataclass(frozen=True, slots=True)
class ColumnKind:
    """What a column holds; ``scale`` are the decimals of a number."""

    kind: Kind
    scale: int = 0


class RuleError(Exception):
    """A rule that cannot be read; the message names the rule and what is not understood."""


@dataclass(frozen=True, slots=True)
class RowRule:
    """A compiled rule: ``holds`` is true, false, or null where a column it needs is empty."""

    code: str
    message: str
    holds: pl.Expr
    columns: frozenset[str]
    when: pl.Expr
    field: str


def compile_rule(
    code: str, message: str, check: str, when: str | None, columns: Mapping[str, ColumnKind]
) -> RowRule:
    """Compile a rule over the named columns. :raises RuleError: when it is not understood."""
    holds, used = _condition(code, check, columns)
    if when is None:
        return RowRule(code, message, holds, used, pl.lit(True), min(used))
    if when in columns:
        return RowRule(code, message, holds, used | {when}, pl.col(when).is_not_null(), when)
    applies, needed = _condition(code, when, columns)
    return RowRule(code, message, holds, used | needed, applies, min(used))


def _condition(
    code: str, text: str, columns: Mapping[str, ColumnKind]
) -> tuple[pl.Expr, frozenset[str]]:
    if len(text) > MAX_LENGTH:
        raise RuleError(f"rule '{code}' is longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise RuleError(f"rule '{code}': '{text}' is no expression: {reason}") from None
    translator = _Translator(code, columns)
    part = translator.translate(tree.body)
    translator.demand(tree.body, part, Kind.TRUTH)
    if not translator.used:
        raise RuleError(f"rule '{code}': '{text}' looks at no column")
    return part.value, frozenset(translator.used)


@dataclass(frozen=True, slots=True)
class _Part:
    """A translated part of a rule; ``literal`` is the value of one that stands there itself."""

    kind: Kind
    value: pl.Expr
    scale: int = 0
    literal: object = None


class _Translator:
    def __init__(self, code: str, columns: Mapping[str, ColumnKind]) -> None:
        self._code = code
        self._columns = columns
        self.used: set[str] = set()

    def translate(self, node: ast.expr) -> _Part:
        match node:
            case ast.Name(id=name):
                column = self._column(name)
                return _Part(column.kind, pl.col(name), column.scale)
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return self._literal(node, value)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _Part(Kind.TRUTH, ~self._of_kind(operand, Kind.TRUTH).value)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                number = self._of_kind(operand, Kind.NUMBER)
                return _Part(Kind.NUMBER, -number.value, number.scale)
            case ast.BoolOp(op=operator, values=values):
                return self._joined(operator, values)
            case ast.BinOp(
                left=left, op=ast.Add() | ast.Sub() | ast.Mult() as operation, right=right
            ):
                return self._calculated(node, left, operation, right)
            case ast.Call(func=ast.Name(id="filled"), args=[ast.Name(id=name)], keywords=[]):
                self._column(name)
                return _Part(Kind.TRUTH, pl.col(name).is_not_null())
            case ast.Call(func=ast.Name(id="length"), args=[ast.Name() as name], keywords=[]):
                text = self._of_kind(name, Kind.TEXT)
                return _Part(Kind.NUMBER, text.value.str.len_chars().cast(pl.Int64))
            case ast.Compare(
                left=left, ops=[ast.In() | ast.NotIn() as operator], comparators=[many]
            ):
                return self._among(left, many, isinstance(operator, ast.NotIn))
            case ast.Compare(left=left, ops=operators, comparators=others):
                return self._compared(left, operators, others)
        raise self._error(
            f"uses '{ast.unparse(node)}', which is not supported: there are comparisons, + - *, "
            "and, or, not, in, filled(a), length(a)"
        )

    def demand(self, node: ast.expr, part: _Part, kind: Kind) -> None:
        """:raises RuleError: when a part is of another kind."""
        if part.kind is not kind:
            raise self._error(f"needs {kind} in '{ast.unparse(node)}', which is {part.kind}")

    def _error(self, said: str) -> RuleError:
        return RuleError(f"rule '{self._code}' {said}")

    def _of_kind(self, node: ast.expr, kind: Kind) -> _Part:
        part = self.translate(node)
        self.demand(node, part, kind)
        return part

    def _column(self, name: str) -> ColumnKind:
        if name not in self._columns:
            raise RuleError(f"rule '{self._code}': there is no column '{name}'")
        self.used.add(name)
        return self._columns[name]

    def _literal(self, node: ast.expr, value: object) -> _Part:
        if isinstance(value, bool):
            return _Part(Kind.TRUTH, pl.lit(value), literal=value)
        if isinstance(value, str):
            return _Part(Kind.TEXT, pl.lit(value), literal=value)
        number = Decimal(repr(value))
        if not number.is_finite() or number.adjusted() >= _MOST_DIGITS:
            raise self._error(f"has a number that is too large: {ast.unparse(node)}")
        scale = max(0, -int(number.as_tuple().exponent))
        if scale > _MOST_DECIMALS:
            raise self._error(f"has more than {_MOST_DECIMALS} decimals: {ast.unparse(node)}")
        exact = pl.lit(number, dtype=pl.Decimal(_DIGITS, scale)) if scale else pl.lit(int(number))
        return _Part(Kind.NUMBER, exact, scale, literal=number)

    def _calculated(
        self, node: ast.expr, left: ast.expr, operation: ast.operator, right: ast.expr
    ) -> _Part:
        a, b = self.translate(left), self.translate(right)
        if isinstance(operation, ast.Sub) and a.kind is b.kind is Kind.DATE:
            return _Part(Kind.NUMBER, (a.value - b.value).dt.total_days())
        self.demand(left, a, Kind.NUMBER)
        self.demand(right, b, Kind.NUMBER)
        if not isinstance(operation, ast.Mult):
            value = a.value + b.value if isinstance(operation, ast.Add) else a.value - b.value
            return _Part(Kind.NUMBER, value, max(a.scale, b.scale))
        scale = a.scale + b.scale
        if scale > _MOST_DECIMALS:
            raise self._error(f"gives more than {_MOST_DECIMALS} decimals: {ast.unparse(node)}")
        # A product has as many decimals as both factors together: with fewer it would be rounded.
        exact = pl.Decimal(_DIGITS, scale)
        return _Part(Kind.NUMBER, a.value.cast(exact) * b.value.cast(exact), scale)

    def _among(self, left: ast.expr, many: ast.expr, without: bool) -> _Part:
        nodes = many.elts if isinstance(many, ast.Tuple | ast.List) else [many]
        one = self.translate(left)
        members = [self._as_kind_of(one, self.translate(node), left, node) for node in nodes]
        if not members or any(member.literal is None for member in members):
            raise self._error(f"needs texts or numbers in '{ast.unparse(many)}'")
        found = one.value == members[0].value
        for member in members[1:]:
            found |= one.value == member.value
        return _Part(Kind.TRUTH, ~found if without else found)

    def _joined(self, operator: ast.boolop, values: Sequence[ast.expr]) -> _Part:
        first, *rest = [self._of_kind(value, Kind.TRUTH).value for value in values]
        for each in rest:
            first = (first & each) if isinstance(operator, ast.And) else (first | each)
        return _Part(Kind.TRUTH, first)

    def _compared(
        self, left: ast.expr, operators: Sequence[ast.cmpop], others: Sequence[ast.expr]
    ) -> _Part:
        results = []
        one = self.translate(left)
        for operator, right in zip(operators, others, strict=True):
            two = self.translate(right)
            a = self._as_kind_of(two, one, right, left)
            b = self._as_kind_of(one, two, left, right)
            known = _EQUALITY if a.kind is Kind.TRUTH else _COMPARISONS
            if type(operator) not in known:
                raise self._error(f"compares {a.kind} in a way that is not supported")
            results.append(known[type(operator)](a.value, b.value))
            left, one = right, two
        holds = results[0]
        for each in results[1:]:
            holds &= each
        return _Part(Kind.TRUTH, holds)

    def _as_kind_of(self, model: _Part, part: _Part, other: ast.expr, node: ast.expr) -> _Part:
        """A part that can be compared with another one: a date may be written as a text.

        :raises RuleError: when the two are of different kinds.
        """
        if part.kind is model.kind:
            return part
        if isinstance(part.literal, str) and model.kind in (Kind.DATE, Kind.MOMENT):
            return self._day(part.literal, model.kind)
        if isinstance(model.literal, str) and part.kind in (Kind.DATE, Kind.MOMENT):
            return part
        raise self._error(
            f"compares '{ast.unparse(node)}', which is {part.kind}, "
            f"with '{ast.unparse(other)}', which is {model.kind}"
        )

    def _day(self, text: str, kind: Kind) -> _Part:
        try:
            if kind is Kind.DATE:
                return _Part(kind, pl.lit(date.fromisoformat(text)), literal=text)
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise self._error(f"has '{text}' for {kind}: write YYYY-MM-DD") from None
        zoned = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return _Part(kind, pl.lit(zoned, dtype=pl.Datetime("us", "UTC")), literal=text)
