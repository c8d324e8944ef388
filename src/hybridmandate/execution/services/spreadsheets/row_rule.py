"""Rules between the columns of one row, written as comparisons: ``dueDate >= invoiceDate``.

The text is parsed by Python's own parser and translated into a column expression; only names of
columns, numbers, texts, dates written as texts, comparisons, arithmetic and and/or/not are known.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

MAX_LENGTH = 500

_COMPARISONS: dict[type[ast.cmpop], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
}


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
    code: str, message: str, check: str, when: str | None, columns: frozenset[str]
) -> RowRule:
    """Compile a rule over the named columns. :raises RuleError: when it is not understood."""
    if len(check) > MAX_LENGTH:
        raise RuleError(f"rule '{code}' is longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(check, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RuleError(f"rule '{code}' is not an expression: {error}") from None
    used: set[str] = set()
    holds = _Translator(code, columns, used).translate(tree.body)
    if when is None:
        return RowRule(code, message, holds, frozenset(used), pl.lit(True), min(used, default=""))
    if when in columns:
        needed = frozenset(used) | {when}
        return RowRule(code, message, holds, needed, pl.col(when).is_not_null(), when)
    condition = compile_rule(code, message, when, None, columns)
    both = frozenset(used) | condition.columns
    return RowRule(code, message, holds, both, condition.holds, min(used, default=""))


class _Translator:
    def __init__(self, code: str, columns: frozenset[str], used: set[str]) -> None:
        self._code = code
        self._columns = columns
        self._used = used

    def translate(self, node: ast.expr) -> pl.Expr:
        match node:
            case ast.Name(id=name):
                return self._column(name)
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return pl.lit(value)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.translate(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.translate(operand)
            case ast.BoolOp(op=operator, values=values):
                return self._joined(operator, values)
            case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _ARITHMETIC:
                combine = _ARITHMETIC[type(operation)]
                return combine(self.translate(left), self.translate(right))
            case ast.Call(func=ast.Name(id="filled"), args=[ast.Name(id=name)], keywords=[]):
                return self._column(name).is_not_null()
            case ast.Call(func=ast.Name(id="length"), args=[ast.Name(id=name)], keywords=[]):
                return self._column(name).str.len_chars()
            case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Tuple(elts=members)]):
                return self.translate(left).is_in(self._members(members))
            case ast.Compare(left=left, ops=operators, comparators=others):
                return self._compared(left, operators, others)
        raise RuleError(f"rule '{self._code}' uses '{ast.unparse(node)}', which is not supported")

    def _members(self, nodes: list[ast.expr]) -> list[object]:
        values = [node.value for node in nodes if isinstance(node, ast.Constant)]
        if len(values) != len(nodes):
            raise RuleError(f"rule '{self._code}': a list may hold texts and numbers only")
        return list(values)

    def _column(self, name: str) -> pl.Expr:
        if name not in self._columns:
            raise RuleError(f"rule '{self._code}': there is no column '{name}'")
        self._used.add(name)
        return pl.col(name)

    def _joined(self, operator: ast.boolop, values: list[ast.expr]) -> pl.Expr:
        first, *rest = [self.translate(value) for value in values]
        for each in rest:
            first = (first & each) if isinstance(operator, ast.And) else (first | each)
        return first

    def _compared(
        self, left: ast.expr, operators: list[ast.cmpop], others: list[ast.expr]
    ) -> pl.Expr:
        result: pl.Expr | None = None
        for operator, right in zip(operators, others, strict=True):
            compare = _COMPARISONS.get(type(operator))
            if compare is None:
                raise RuleError(f"rule '{self._code}' uses a comparison that is not supported")
            one = compare(self.translate(left), self.translate(right))
            result = one if result is None else result & one
            left = right
        if result is None:
            raise RuleError(f"rule '{self._code}' compares nothing")
        return result
