"""Operators, conditions, casts, assignments and lambdas."""

from __future__ import annotations

from typing import Any

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.collections import Anonymous, Tuple
from hybridmandate.governance.gateway.csharp.compile_assignments import RANKS, step_place
from hybridmandate.governance.gateway.csharp.compile_context import CONTEXT
from hybridmandate.governance.gateway.csharp.compile_literals import constant
from hybridmandate.governance.gateway.csharp.compiler import (
    Code,
    Compiler,
    Evaluate,
    Frame,
    expression,
)
from hybridmandate.governance.gateway.csharp.conversions import (
    NUMERIC,
    cast_to,
    declared,
    default_of,
    is_instance,
)
from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure, null_reference
from hybridmandate.governance.gateway.csharp.operators import (
    BINARY,
    COMPARISONS,
    Operation,
    add,
    complement,
    logical_not,
    negate,
)
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of
from hybridmandate.governance.gateway.csharp.regroup import generic_call
from hybridmandate.governance.gateway.csharp.text import as_text

MAX_OPERATORS = 200
"""Operators in one row without brackets; ``+`` of texts may have more."""


@expression("identifier")
def identifier(c: Compiler, node: Node) -> Code:
    """A local, or ``context``."""
    name = text_of(node).removeprefix("@")
    local = c.find(name)
    if local is not None:
        slot = local.slot
        if local.shared:
            return Code(lambda frame: frame[slot][0], local.type)
        return Code(lambda frame: frame[slot], local.type)
    if name == "context":
        c.live_uses += 1
        return Code(lambda frame: frame[0].context, "PolicyContext", place=CONTEXT)
    raise c.error(node, f"The name '{name}' does not exist in the current context")


@expression("parenthesized_expression", "checked_expression")
def parenthesized(c: Compiler, node: Node) -> Code:
    """``(x)``; ``checked(x)`` and ``unchecked(x)`` compute unchecked."""
    return c.expression(named(node)[-1])


@expression("binary_expression")
def binary(c: Compiler, node: Node) -> Code:
    """Two-sided operators; a long chain to the left is compiled without recursion."""
    spine = [node]
    while _goes_on(c, field(spine[-1], "left")):
        spine.append(field(spine[-1], "left"))
    if len(spine) > MAX_OPERATORS and text_of(node.child_by_field_name("operator")) != "+":
        raise c.error(node, f"More than {MAX_OPERATORS} operators stand in one row")
    code = c.expression(field(spine[-1], "left"))
    for each in reversed(spine):
        code = _one_operator(c, each, code)
    return code


def _goes_on(c: Compiler, node: Node) -> bool:
    return (
        node.type == "binary_expression" and node.id not in c.instead and generic_call(node) is None
    )


def _one_operator(c: Compiler, node: Node, left: Code) -> Code:
    sign = text_of(node.child_by_field_name("operator"))
    if sign == "??":
        return _coalesce(c, node, left)
    right = c.expression(field(node, "right"))
    a, b = left.run, right.run
    if sign == "&&":
        _need_bool(c, node, sign, left, right)
        return Code(lambda frame: truth(a(frame)) and truth(b(frame)), "bool")
    if sign == "||":
        _need_bool(c, node, sign, left, right)
        return Code(lambda frame: truth(a(frame)) or truth(b(frame)), "bool")
    if sign == "+" and "string" in (left.type, right.type):
        if left.type == "XNamespace":
            return Code(lambda frame: add(a(frame), b(frame)), "XName")
        if left.type:
            return Code(_concatenation(c, a, b), "string")
    operation = BINARY.get(sign)
    if operation is None:
        raise c.error(node, f"The operator '{sign}' is not supported")
    _refuse_operands(c, node, sign, left, right)
    if sign in ("==", "!="):
        return Code(_equality(sign, operation, left, right), "bool")
    result = "bool" if sign in COMPARISONS else _arithmetic_type(sign, left.type, right.type)
    if sign == "+" and "" in (left.type, right.type):
        return Code(_charged(operation, a, b, text=right.type == "string"), result)
    return Code(lambda frame: operation(a(frame), b(frame)), result)


def _concatenation(c: Compiler, a: Evaluate, b: Evaluate) -> Evaluate:
    """The joined text; a chain of ``+`` becomes one join of all its parts."""
    known = c.joined.get(a)
    if known is not None:
        known.append(b)
        return a
    parts = [a, b]

    def run(frame: Frame) -> str:
        text = "".join([as_text(part(frame)) for part in parts])
        frame[0].budget.allocate(len(text))
        return text

    c.joined[run] = parts
    return run


def _charged(operation: Operation, a: Evaluate, b: Evaluate, *, text: bool) -> Evaluate:
    def run(frame: Frame) -> Any:
        value = operation(a(frame), b(frame))
        if value is None and text:
            return ""
        if type(value) is str:
            frame[0].budget.allocate(len(value))
        return value

    return run


def _equality(sign: str, operation: Operation, left: Code, right: Code) -> Evaluate:
    a, b = left.run, right.run
    if right.type == "null":
        if sign == "==":
            return lambda frame: a(frame) is None
        return lambda frame: a(frame) is not None
    if left.type == right.type == "string":
        if sign == "==":
            return lambda frame: a(frame) == b(frame)
        return lambda frame: a(frame) != b(frame)
    return lambda frame: operation(a(frame), b(frame))


def truth(value: Any) -> bool:
    """A condition's value. :raises ExpressionFailure: when it is null or no boolean."""
    if value is True or value is False:
        return value
    if value is None:
        raise null_reference()
    raise ExpressionFailure("A condition must be of type 'System.Boolean'.", "InvalidCastException")


def _need_bool(c: Compiler, node: Node, sign: str, *sides: Code) -> None:
    for side in sides:
        if side.type and side.type not in ("bool", "bool?"):
            raise c.error(
                node, f"Operator '{sign}' cannot be applied to an operand of type '{side.type}'"
            )


def _refuse_operands(c: Compiler, node: Node, sign: str, left: Code, right: Code) -> None:
    numeric = [side.type in NUMERIC for side in (left, right)]
    if sign in ("==", "!="):
        wrong = any(numeric) and any(side.type in ("string", "bool") for side in (left, right))
        wrong = wrong or {left.type, right.type} == {"string", "bool"}
    elif sign == "+":
        wrong = left.type == right.type == "bool"
    else:
        texts = any(side.type == "string" for side in (left, right))
        logic = any(side.type == "bool" for side in (left, right)) and sign not in "&|^"
        wrong = texts or logic
    if wrong:
        raise c.error(
            node,
            f"Operator '{sign}' cannot be applied to operands of type '{left.type or '?'}' and "
            f"'{right.type or '?'}'",
        )


def _arithmetic_type(sign: str, left: str, right: str) -> str:
    if left == right == "bool":
        return "bool"
    if left in NUMERIC and right in NUMERIC:
        if sign in ("<<", ">>", ">>>"):
            return left if left in RANKS else "int"
        ranks = [RANKS.index(t) if t in RANKS else 0 for t in (left, right)]
        if set(ranks) == {0, 1}:
            return "" if {left, right} != {"int", "uint"} else "long"
        return RANKS[max(ranks)]
    return ""


def _coalesce(c: Compiler, node: Node, left: Code) -> Code:
    right = c.expression(field(node, "right"))
    a, b = left.run, right.run

    def run(frame: Frame) -> Any:
        value = a(frame)
        return b(frame) if value is None else value

    return Code(run, common_type(left.type.removesuffix("?"), right.type))


def common_type(left: str, right: str) -> str:
    """The static type of a value that is one or the other."""
    if left == right or right in ("null", "throw"):
        return left
    if left in ("null", "throw"):
        return right
    if left in RANKS and right in RANKS:
        return RANKS[max(RANKS.index(left), RANKS.index(right))]
    return ""


@expression("conditional_expression")
def conditional(c: Compiler, node: Node) -> Code:
    """``a ? b : c``."""
    test = c.expression(field(node, "condition"))
    yes = c.expression(field(node, "consequence"))
    no = c.expression(field(node, "alternative"))
    _need_bool(c, node, "?:", test)
    result = common_type(yes.type, no.type)
    condition, a, b = test.run, yes.run, no.run
    if result in NUMERIC and yes.type != no.type:
        widen = declared(result)
        assert widen is not None
        return Code(lambda f: widen(a(f) if truth(condition(f)) else b(f)), result)
    return Code(lambda frame: a(frame) if truth(condition(frame)) else b(frame), result)


@expression("prefix_unary_expression")
def prefix_unary(c: Compiler, node: Node) -> Code:
    """``!``, ``-``, ``+``, ``~``, ``++``, ``--``."""
    sign = text_of(node.children[0])
    operand = named(node)[-1]
    if sign in ("++", "--"):
        return step_place(c, operand, 1 if sign == "++" else -1, before=True)
    if sign == "-" and text_of(operand) in ("2147483648", "9223372036854775808"):
        return _smallest(text_of(operand))
    code = c.expression(operand)
    a = code.run
    if sign == "!":
        _need_bool(c, node, "!", code)
        return Code(lambda frame: logical_not(a(frame)), "bool")
    if sign == "-":
        result = "" if code.type in ("uint", "char") else code.type
        return Code(lambda frame: negate(a(frame)), result)
    if sign == "~":
        return Code(lambda frame: complement(a(frame)), code.type)
    if sign == "+":
        return code
    raise c.error(node, f"The operator '{sign}' is not supported here")


def _smallest(text: str) -> Code:
    if text == "2147483648":
        return constant(-(2**31), "int")
    return constant(NUMERIC["long"](-(2**63)), "long")


@expression("postfix_unary_expression")
def postfix_unary(c: Compiler, node: Node) -> Code:
    """``x++``, ``x--``, ``x!``."""
    sign = text_of(node.children[-1])
    operand = named(node)[0]
    if sign == "!":
        return c.expression(operand)
    return step_place(c, operand, 1 if sign == "++" else -1, before=False)


@expression("cast_expression")
def cast(c: Compiler, node: Node) -> Code:
    """``(T)x``."""
    target = c.type_name(field(node, "type"))
    code = c.expression(field(node, "value"))
    convert, value = cast_to(target, code.type), code.run
    if target != "string":
        return Code(lambda frame: convert(value(frame)), target)

    def to_string(frame: Frame) -> Any:
        found = value(frame)
        return found if type(found) is str else convert(found)

    return Code(to_string, target)


@expression("as_expression")
def as_cast(c: Compiler, node: Node) -> Code:
    """``x as T``."""
    target = c.type_name(field(node, "right"))
    value = c.expression(field(node, "left")).run

    def run(frame: Frame) -> Any:
        result = value(frame)
        return result if is_instance(result, target) else None

    return Code(run, target)


@expression("is_expression")
def is_test(c: Compiler, node: Node) -> Code:
    """``x is T``."""
    target = c.type_name(field(node, "right"))
    value = c.expression(field(node, "left")).run
    return Code(lambda frame: is_instance(value(frame), target), "bool")


@expression("default_expression")
def default(c: Compiler, node: Node) -> Code:
    """``default(T)``, and ``default`` alone, which is null."""
    inner = node.child_by_field_name("type")
    if inner is None:
        return constant(None, "null")
    target = c.type_name(inner)
    value = default_of(target)
    return constant(value, target)


@expression("tuple_expression")
def tuple_literal(c: Compiler, node: Node) -> Code:
    """``(a, b)`` and ``(x: a, y: b)``."""
    names, parts = [], []
    for index, each in enumerate(named(node), 1):
        label = text_of(each.child_by_field_name("name"))
        value = named(each)[-1]
        if not label and value.type == "identifier":
            label = text_of(value)
        names.append(label or f"Item{index}")
        parts.append(c.expression(value).run)
    return Code(lambda frame: Tuple([part(frame) for part in parts], names), "")


@expression("anonymous_object_creation_expression")
def anonymous(c: Compiler, node: Node) -> Code:
    """``new { a = 1, b, c.D }``."""
    members: dict[str, Evaluate] = {}
    children = [n for n in node.children if n.type not in ("new", "{", "}", "comment")]
    group: list[Node] = []
    for each in [*children, None]:
        if each is not None and each.type != ",":
            group.append(each)
            continue
        if group:
            label = group[0] if len(group) > 1 else _last_name(group[-1])
            members[text_of(label)] = c.expression(group[-1]).run
        group = []
    return Code(lambda frame: Anonymous({k: run(frame) for k, run in members.items()}), "")


def _last_name(node: Node) -> Node:
    return field(node, "name") if node.type == "member_access_expression" else node


@expression("throw_expression")
def throw(c: Compiler, node: Node) -> Code:
    """``x ?? throw …``."""
    value = c.expression(named(node)[0]).run

    def run(frame: Frame) -> Any:
        raise value(frame)

    return Code(run, "throw")
