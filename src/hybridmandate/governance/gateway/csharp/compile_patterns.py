"""Patterns of ``is``, ``switch`` statements and ``switch`` expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.compile_expressions import common_type
from hybridmandate.governance.gateway.csharp.compile_members import property_of
from hybridmandate.governance.gateway.csharp.compiler import Code, Compiler, expression
from hybridmandate.governance.gateway.csharp.conversions import is_instance
from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure
from hybridmandate.governance.gateway.csharp.operators import BINARY, equal
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of
from hybridmandate.governance.gateway.csharp.python_code import Frame
from hybridmandate.governance.gateway.csharp.text import as_text

Matches = Callable[[Frame, Any], bool]


def pattern(c: Compiler, node: Node, subject: str) -> Matches:
    """Compile a pattern; ``subject`` is the static type of what is matched."""
    make = _PATTERNS.get(node.type)
    if make is None:
        raise c.error(
            node, f"'{node.type.replace('_', ' ')}' is not supported in policy expressions"
        )
    return make(c, node, subject)


def _constant(c: Compiler, node: Node, subject: str) -> Matches:
    inner = named(node)[0] if named(node) else node
    if inner.type in ("identifier", "predefined_type", "qualified_name", "generic_name") or (
        inner.type == "member_access_expression" and c.static_type(inner) is not None
    ):
        local = c.find(text_of(inner)) if inner.type == "identifier" else None
        if local is None:
            return _is_type(c, inner)
    value = c.expression(inner).run
    return lambda frame, subject_value: equal(subject_value, value(frame))


def _is_type(c: Compiler, node: Node) -> Matches:
    if node.type == "member_access_expression":
        known = c.static_type(node)
        assert known is not None
        target = known.name
    else:
        target = c.type_name(node)
    return lambda frame, value: is_instance(value, target)


def _declaration(c: Compiler, node: Node, subject: str) -> Matches:
    target = c.type_name(field(node, "type"))
    name = text_of(node.child_by_field_name("name"))
    if name == "_":
        return lambda frame, value: is_instance(value, target)
    start = c.declare(node, name, target).start()

    def matches(frame: Frame, value: Any) -> bool:
        if not is_instance(value, target):
            return False
        start(frame, value)
        return True

    return matches


def _var(c: Compiler, node: Node, subject: str) -> Matches:
    start = c.declare(node, text_of(named(node)[-1]), subject).start()

    def matches(frame: Frame, value: Any) -> bool:
        start(frame, value)
        return True

    return matches


def _type(c: Compiler, node: Node, subject: str) -> Matches:
    inner = named(node)[0] if node.type == "type_pattern" else node
    return _is_type(c, inner)


def _relational(c: Compiler, node: Node, subject: str) -> Matches:
    compare = BINARY[text_of(node.children[0])]
    value = c.expression(named(node)[-1]).run

    def matches(frame: Frame, subject_value: Any) -> bool:
        if subject_value is None or isinstance(subject_value, str):
            return False
        return bool(compare(subject_value, value(frame)))

    return matches


def _and(c: Compiler, node: Node, subject: str) -> Matches:
    left = pattern(c, field(node, "left"), subject)
    right = pattern(c, field(node, "right"), subject)
    return lambda frame, value: left(frame, value) and right(frame, value)


def _or(c: Compiler, node: Node, subject: str) -> Matches:
    left = pattern(c, field(node, "left"), subject)
    right = pattern(c, field(node, "right"), subject)
    return lambda frame, value: left(frame, value) or right(frame, value)


def _not(c: Compiler, node: Node, subject: str) -> Matches:
    inner = pattern(c, named(node)[-1], subject)
    return lambda frame, value: not inner(frame, value)


def _discard(c: Compiler, node: Node, subject: str) -> Matches:
    return lambda frame, value: True


def _parenthesized(c: Compiler, node: Node, subject: str) -> Matches:
    return pattern(c, named(node)[-1], subject)


def _recursive(c: Compiler, node: Node, subject: str) -> Matches:
    """``T { Name: pattern } x``."""
    type_node = node.child_by_field_name("type")
    target = "" if type_node is None else c.type_name(type_node)
    tests: list[tuple[Callable[[Frame], Any], Matches]] = []
    slot = c.new_slot()
    bound = Code(lambda frame: frame[slot], target or subject)
    for clause in named(node):
        if clause.type != "property_pattern_clause":
            continue
        for sub in named(clause):
            parts = named(sub)
            found = property_of(c, sub, bound, text_of(parts[0]))
            tests.append((found.run, pattern(c, parts[-1], found.type)))
    name_node = node.child_by_field_name("name")
    start = None if name_node is None else c.declare(node, text_of(name_node), target).start()

    def matches(frame: Frame, value: Any) -> bool:
        if value is None or (target and not is_instance(value, target)):
            return False
        frame[slot] = value
        if not all(test(frame, get(frame)) for get, test in tests):
            return False
        if start is not None:
            start(frame, value)
        return True

    return matches


_PATTERNS: dict[str, Callable[[Compiler, Node, str], Matches]] = {
    "constant_pattern": _constant,
    "declaration_pattern": _declaration,
    "var_pattern": _var,
    "type_pattern": _type,
    "predefined_type": _type,
    "nullable_type": _type,
    "array_type": _type,
    "generic_name": _type,
    "relational_pattern": _relational,
    "and_pattern": _and,
    "or_pattern": _or,
    "negated_pattern": _not,
    "discard": _discard,
    "parenthesized_pattern": _parenthesized,
    "recursive_pattern": _recursive,
}


@expression("is_pattern_expression")
def is_pattern(c: Compiler, node: Node) -> Code:
    """``x is pattern``."""
    code = c.expression(field(node, "expression"))
    matches = pattern(c, field(node, "pattern"), code.type)
    value = code.run
    return Code(lambda frame: matches(frame, value(frame)), "bool")


@expression("switch_expression")
def switch_expression(c: Compiler, node: Node) -> Code:
    """``x switch { pattern => value, … }``."""
    parts = named(node)
    subject = c.expression(parts[0])
    arms: list[tuple[Matches, Callable[[Frame], Any] | None, Callable[[Frame], Any]]] = []
    result: str | None = None
    for arm in parts[1:]:
        c.scopes.append({})
        inner = named(arm)
        matches = pattern(c, inner[0], subject.type)
        guard = None
        if inner[1].type == "when_clause":
            guard = c.expression(named(inner[1])[-1]).run
        code = c.expression(inner[-1])
        c.scopes.pop()
        arms.append((matches, guard, code.run))
        result = code.type if result is None else common_type(result, code.type)
    value = subject.run

    def run(frame: Frame) -> Any:
        given = value(frame)
        for matches, guard, body in arms:
            if matches(frame, given) and (guard is None or guard(frame)):
                return body(frame)
        raise ExpressionFailure(
            "Non-exhaustive switch expression failed to match its input. "
            f"Unmatched value was {as_text(given)}.",
            "SwitchExpressionException",
        )

    return Code(run, result or "")
