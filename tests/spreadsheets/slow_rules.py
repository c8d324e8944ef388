"""Rules of a profile, evaluated row by row over plain values; shares no code with the product.

An empty cell is None and spreads as in SQL: a comparison with it is neither true nor false, and a
rule whose result is open is not broken.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

Values = Mapping[str, Any]
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Add: operator.add, ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}  # fmt: skip


def rule_is_broken(rule: Mapping[str, Any], values: Values) -> bool:
    """Whether a row rule applies to a row and does not hold."""
    when = rule.get("when")
    if when is not None:
        applies = values[when] is not None if when in values else _result(when, values)
        if applies is not True:
            return False
    return _result(rule["check"], values) is False


def rule_field(rule: Mapping[str, Any], columns: Sequence[str]) -> str:
    """The column that a broken rule is told for."""
    if rule.get("when") in columns:
        return str(rule["when"])
    names = {each.id for each in ast.walk(ast.parse(rule["check"])) if isinstance(each, ast.Name)}
    return min(names & set(columns))


def _result(text: str, values: Values) -> Any:
    return _value(ast.parse(text, mode="eval").body, values)


def _value(node: ast.expr, values: Values) -> Any:
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=value):
            return value
        case ast.Call(func=ast.Name(id="filled"), args=[ast.Name(id=name)]):
            return values[name] is not None
        case ast.Call(func=ast.Name(id="length"), args=[ast.Name(id=name)]):
            return None if values[name] is None else len(values[name])
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            held = _value(inner, values)
            return None if held is None else not held
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            number = _value(inner, values)
            return None if number is None else -number
        case ast.BoolOp(op=joint, values=parts):
            return _joined([_value(each, values) for each in parts], isinstance(joint, ast.Or))
        case ast.BinOp(left=left, op=operation, right=right):
            return _combined(operation, _value(left, values), _value(right, values))
        case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Tuple(elts=members)]):
            one = _value(left, values)
            return None if one is None else one in [ast.literal_eval(each) for each in members]
        case ast.Compare(left=left, ops=operators, comparators=others):
            sides = [_value(each, values) for each in (left, *others)]
            pairs = zip(operators, sides, sides[1:], strict=False)
            return _joined([_combined(each, a, b) for each, a, b in pairs], dominant=False)
    raise AssertionError(f"the reference does not know {ast.dump(node)}")


def _combined(operation: ast.AST, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    return _OPERATORS[type(operation)](left, right)


def _joined(parts: Sequence[bool | None], dominant: bool) -> bool | None:
    """``or`` (dominant True) or ``and`` (False) over parts of which some are open."""
    if dominant in parts:
        return dominant
    return None if None in parts else not dominant


def broken_file_rules(rules: Sequence[Mapping[str, Any]], rows: Sequence[Values]) -> set[str]:
    """Codes of the file rules that do not hold over the values of all data rows.

    The files of the reference have no total line of their own.
    """
    broken = set()
    for rule in rules:
        column = [row[rule["column"]] for row in rows] if "column" in rule else []
        filled = [value for value in column if value is not None]
        if not _FILE_RULES[rule["kind"]](rule, filled, len(rows)):
            broken.add(f"file.{rule['code']}")
    return broken


def _adds_up(rule: Mapping[str, Any], filled: Sequence[Any], rows: int) -> bool:
    return "equals" in rule and sum(filled, Decimal(0)) == Decimal(rule["equals"])


def _is_as_many(rule: Mapping[str, Any], filled: Sequence[Any], rows: int) -> bool:
    return int(rule.get("minimum", rows)) <= rows <= int(rule.get("maximum", rows))


def _is_in_one_month(rule: Mapping[str, Any], filled: Sequence[Any], rows: int) -> bool:
    return len({(day.year, day.month) for day in filled}) < 2


def _has_no_gaps(rule: Mapping[str, Any], filled: Sequence[Any], rows: int) -> bool:
    ends = [re.search(r"[0-9]{1,15}$", str(value)) for value in filled]
    numbers = {int(end[0]) for end in ends if end is not None}
    return not numbers or max(numbers) - min(numbers) + 1 == len(numbers)


_FILE_RULES: dict[str, Callable[[Mapping[str, Any], Sequence[Any], int], bool]] = {
    "sum": _adds_up,
    "count": _is_as_many,
    "one_month": _is_in_one_month,
    "no_gaps": _has_no_gaps,
}
