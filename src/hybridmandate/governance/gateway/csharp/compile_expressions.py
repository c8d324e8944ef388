"""Operators, conditions, casts, assignments and lambdas."""

from __future__ import annotations

from typing import Any

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.collections import Anonymous, Tuple
from hybridmandate.governance.gateway.csharp.compile_assignments import RANKS, step_place
from hybridmandate.governance.gateway.csharp.compile_context import CONTEXT
from hybridmandate.governance.gateway.csharp.compiler import (
    Code,
    Compiler,
    Evaluate,
    Joined,
    expression,
)
from hybridmandate.governance.gateway.csharp.conversions import (
    NUMERIC,
    cast_to,
    declared,
    default_of,
    is_instance,
)
from hybridmandate.governance.gateway.csharp.operators import (
    BINARY,
    COMPARISONS,
    Operation,
    add,
    complement,
    logical_not,
    negate,
    operand,
)
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of
from hybridmandate.governance.gateway.csharp.python_code import Frame, literal
from hybridmandate.governance.gateway.csharp.regroup import generic_call

MAX_OPERATORS = 200
"""Operators in one row without brackets; ``+`` of texts may have more."""


@expression("identifier")
def identifier(c: Compiler, node: Node) -> Code:
    """A local, or ``context``."""
    name = text_of(node).removeprefix("@")
    local = c.find(name)
    if local is not None:
        slot = c.constant(local.slot, "int")
        return c.write("f[A][0]" if local.shared else "f[A]", local.type, A=slot)
    if name == "context":
        c.live_uses += 1
        return c.write("context", "PolicyContext", place=CONTEXT, exact=True)
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
    if sign in ("&&", "||"):
        _need_bool(c, node, sign, left, right)
        word = "A and B" if sign == "&&" else "A or B"
        return c.write(word, "bool", exact=True, A=c.condition(left), B=c.condition(right))
    if sign == "+" and "string" in (left.type, right.type):
        if left.type == "XNamespace":
            return c.write("add(A, B)", "XName", add=add, A=left, B=right)
        if left.type:
            return _concatenation(c, left, right)
    operation = BINARY.get(sign)
    if operation is None:
        raise c.error(node, f"The operator '{sign}' is not supported")
    left, right = _operand(c, left), _operand(c, right)
    _refuse_operands(c, node, sign, left, right)
    if sign in ("==", "!="):
        return _equality(c, sign, operation, left, right)
    if sign == "+" and "" in (left.type, right.type):
        a, b = left.run, right.run
        result = _arithmetic_type(sign, left.type, right.type)
        return Code(_charged(operation, a, b, text=right.type == "string"), result)
    if sign in COMPARISONS:
        return _comparison(c, sign, operation, left, right)
    return _arithmetic(c, sign, operation, left, right)


def _operand(c: Compiler, code: Code) -> Code:
    """What an operator works on: of a dynamic JSON value the value in it."""
    return c.write("k(A)", code.type, k=operand, A=code) if code.type == "dynamic" else code


def _concatenation(c: Compiler, left: Code, right: Code) -> Code:
    """The joined text; a chain of ``+`` becomes one join of all its parts."""
    if isinstance(left, Joined):
        left.append(right)
        return left
    return Joined(c, [left, right])


def _charged(operation: Operation, a: Evaluate, b: Evaluate, *, text: bool) -> Evaluate:
    def run(frame: Frame) -> Any:
        value = operation(a(frame), b(frame))
        if value is None and text:
            return ""
        if type(value) is str:
            frame[0].budget.allocate(len(value))
        return value

    return run


def _equality(c: Compiler, sign: str, operation: Operation, left: Code, right: Code) -> Code:
    if left.literal is not None and right.literal is not None:
        return c.constant((left.literal == right.literal) is (sign == "=="), "bool")
    if right.type == "null" and left.settled is not None:
        return c.constant((left.settled[0] is None) is (sign == "=="), "bool")
    if right.type == "null":
        template = "A is None" if sign == "==" else "A is not None"
        return c.write(template, "bool", exact=True, A=left)
    if left.type == right.type == "string":
        return c.write(f"A {sign} B", "bool", exact=True, A=left, B=right)
    if right.type == left.type == "int":
        return c.write(
            _on_integers(f"V {sign} V1"), "bool", exact=True, k=operation, A=left, B=right
        )
    return c.write("k(A, B)", "bool", exact=True, k=operation, A=left, B=right)


def _comparison(c: Compiler, sign: str, operation: Operation, left: Code, right: Code) -> Code:
    if {left.type, right.type} <= {"int", ""}:
        template = _on_integers(f"V {sign} V1")
        return c.write(template, "bool", exact=True, k=operation, A=left, B=right)
    return c.write("k(A, B)", "bool", exact=True, k=operation, A=left, B=right)


def _arithmetic(c: Compiler, sign: str, operation: Operation, left: Code, right: Code) -> Code:
    result = _arithmetic_type(sign, left.type, right.type)
    if result == "int" and sign in ("+", "-"):
        in_range = f"V2 if -2147483648 <= (V2 := V {sign} V1) <= 2147483647 else k(V, V1)"
        template = _on_integers(f"({in_range})")
        return c.write(template, result, k=operation, A=left, B=right)
    return c.write("k(A, B)", result, k=operation, A=left, B=right)


def _on_integers(template: str) -> str:
    """What is done with ``V`` and ``V1`` when both are plain integers; else operator ``k``."""
    return f"{template} if (type(V := A) is int) & (type(V1 := B) is int) else k(V, V1)"


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
    result = common_type(left.type.removesuffix("?"), right.type)
    return c.write("B if (V := A) is None else V", result, exact=right.exact, A=left, B=right)


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
    condition = c.condition(test)
    exact = yes.exact and no.exact and yes.type == no.type
    code = c.write("B if A else C", result, exact=exact, A=condition, B=yes, C=no)
    if result in NUMERIC and yes.type != no.type:
        return c.write("widen(A)", result, widen=declared(result), A=code)
    return code


@expression("prefix_unary_expression")
def prefix_unary(c: Compiler, node: Node) -> Code:
    """``!``, ``-``, ``+``, ``~``, ``++``, ``--``."""
    sign = text_of(node.children[0])
    operand = named(node)[-1]
    if sign in ("++", "--"):
        return step_place(c, operand, 1 if sign == "++" else -1, before=True)
    if sign == "-" and text_of(operand) in ("2147483648", "9223372036854775808"):
        return _smallest(c, text_of(operand))
    code = c.expression(operand)
    if sign == "!":
        _need_bool(c, node, "!", code)
        if code.type == "bool" and code.exact:
            return c.write("not A", "bool", exact=True, A=code)
        return c.write("invert(A)", "bool", exact=True, invert=logical_not, A=code)
    if sign == "-":
        result = "" if code.type in ("uint", "char") else code.type
        return c.write("negate(A)", result, negate=negate, A=code)
    if sign == "~":
        return c.write("flip(A)", code.type, flip=complement, A=code)
    if sign == "+":
        return code
    raise c.error(node, f"The operator '{sign}' is not supported here")


def _smallest(c: Compiler, text: str) -> Code:
    if text == "2147483648":
        return c.constant(-(2**31), "int")
    return c.constant(NUMERIC["long"](-(2**63)), "long")


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
    convert = cast_to(target, code.type)
    if target == "string":
        return c.write("V if type(V := A) is str else k(V)", target, k=convert, A=code)
    return c.write("k(A)", target, k=convert, A=code)


@expression("as_expression")
def as_cast(c: Compiler, node: Node) -> Code:
    """``x as T``."""
    target = c.type_name(field(node, "right"))
    value = c.expression(field(node, "left"))
    return c.write(
        "V if fits(V := A, T) else None", target, fits=is_instance, A=value, T=literal(target)
    )


@expression("is_expression")
def is_test(c: Compiler, node: Node) -> Code:
    """``x is T``."""
    target = c.type_name(field(node, "right"))
    value = c.expression(field(node, "left"))
    return c.write("fits(A, T)", "bool", exact=True, fits=is_instance, A=value, T=literal(target))


@expression("default_expression")
def default(c: Compiler, node: Node) -> Code:
    """``default(T)``, and ``default`` alone, which is null."""
    inner = node.child_by_field_name("type")
    if inner is None:
        return c.constant(None, "null")
    target = c.type_name(inner)
    value = default_of(target)
    return c.constant(value, target)


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
