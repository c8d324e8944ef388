"""What can be assigned, and assignments: plain, compound, ``??=``, increments, tuples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.collections import Tuple
from hybridmandate.governance.gateway.csharp.compiler import (
    Code,
    Compiler,
    Evaluate,
    Local,
    expression,
)
from hybridmandate.governance.gateway.csharp.conversions import declared
from hybridmandate.governance.gateway.csharp.operators import BINARY, increment
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of
from hybridmandate.governance.gateway.csharp.python_code import Frame
from hybridmandate.governance.gateway.csharp.text import as_text

RANKS = ["int", "uint", "long", "ulong", "float", "double", "decimal"]
"""Numeric types, each implicitly convertible to those behind it (decimal only from integers)."""


class Place:
    """Something that can be assigned: a local, a property or an element."""

    def __init__(
        self,
        type_name: str,
        prepare: Evaluate,
        read: Callable[[Frame, Any], Any],
        write: Callable[[Frame, Any, Any], None],
    ) -> None:
        self.type = type_name
        self.prepare = prepare
        self.read = read
        self.write = write


PLACES: dict[str, Callable[[Compiler, Node], Place]] = {}
"""What makes a place of a node that is not a local."""


def place_of(c: Compiler, node: Node) -> Place:
    """The place that an expression denotes. :raises ExpressionSyntaxError: when it is none."""
    if node.type == "parenthesized_expression":
        return place_of(c, named(node)[0])
    if node.type == "identifier":
        name = text_of(node).removeprefix("@")
        local = c.find(name)
        if local is not None:
            return local_place(local)
        if name == "_":
            return Place("", lambda f: None, lambda f, p: None, lambda f, p, v: None)
    make = PLACES.get(node.type)
    if make is None:
        raise c.error(node, "The left-hand side of an assignment must be a variable or an element")
    return make(c, node)


def local_place(local: Local) -> Place:
    """The place of a local; assigning converts to its type."""
    slot = local.slot
    convert = declared(local.type) if local.type else None
    if local.shared:

        def write_shared(frame: Frame, _: Any, value: Any) -> None:
            frame[slot][0] = value if convert is None else convert(value)

        return Place(local.type, lambda f: None, lambda f, _: f[slot][0], write_shared)

    def write(frame: Frame, _: Any, value: Any) -> None:
        frame[slot] = value if convert is None else convert(value)

    return Place(local.type, lambda f: None, lambda f, _: f[slot], write)


def new_place(local: Local) -> Place:
    """The place of a local in its declaration."""
    start = local.start()
    convert = declared(local.type) if local.type else None

    def write(frame: Frame, _: Any, value: Any) -> None:
        start(frame, value if convert is None else convert(value))

    return Place(local.type, lambda f: None, lambda f, _: None, write)


@expression("assignment_expression")
def assignment(c: Compiler, node: Node) -> Code:
    """``=``, compound assignment, ``??=`` and taking tuples apart."""
    target, sign = field(node, "left"), text_of(node.child_by_field_name("operator"))
    if target.type == "tuple_expression":
        return _deconstruct(c, target, c.expression(field(node, "right")))
    place = place_of(c, target)
    code = c.expression(field(node, "right"))
    value = code.run
    prepare, read, write = place.prepare, place.read, place.write
    if sign == "=":
        check_assignable(c, node, code.type, place.type)

        def assign(frame: Frame) -> Any:
            prepared = prepare(frame)
            result = value(frame)
            write(frame, prepared, result)
            return result

        return Code(assign, place.type or code.type)
    if sign == "??=":

        def assign_if_null(frame: Frame) -> Any:
            prepared = prepare(frame)
            result = read(frame, prepared)
            if result is None:
                result = value(frame)
                write(frame, prepared, result)
            return result

        return Code(assign_if_null, place.type)
    operation = BINARY[sign[:-1]]
    text = place.type == "string"

    def compound(frame: Frame) -> Any:
        prepared = prepare(frame)
        old, by = read(frame, prepared), value(frame)
        result = as_text(old) + as_text(by) if text else operation(old, by)
        if type(result) is str:
            frame[0].budget.allocate(len(result))
        write(frame, prepared, result)
        return result

    return Code(compound, place.type)


_EXCLUSIVE = frozenset({"string", "bool", "int", "long", "double", "decimal", "float"})


def check_assignable(c: Compiler, node: Node, source: str, target: str) -> None:
    """Refuse what the compiler of C# would: text for numbers and the like."""
    wrong = (
        source in _EXCLUSIVE
        and target in _EXCLUSIVE
        and source != target
        and not (source in RANKS and target in RANKS)
    ) or (source == "null" and target in _EXCLUSIVE - {"string"})
    narrowing = (
        source in RANKS
        and target in RANKS
        and (RANKS.index(source) > RANKS.index(target) or target == "decimal")
        and not (target == "decimal" and source in ("int", "uint", "long", "ulong", "decimal"))
    )
    if wrong or narrowing:
        raise c.error(node, f"Cannot implicitly convert type '{source}' to '{target}'")


def _deconstruct(c: Compiler, target: Node, code: Code) -> Code:
    places = []
    for part in named(target):
        inner = named(part)[-1]
        if inner.type == "declaration_expression":
            type_name = c.type_name(field(inner, "type"))
            local = c.declare(inner, text_of(inner.child_by_field_name("name")), type_name)
            places.append(new_place(local))
        else:
            places.append(place_of(c, inner))
    return deconstruction(places, code)


def deconstruction(places: list[Place], code: Code) -> Code:
    """Assign the elements of a tuple, or key and value of a pair."""
    value = code.run

    def run(frame: Frame) -> Any:
        result = value(frame)
        parts = result if isinstance(result, Tuple) else (result.key, result.value)
        prepared = [place.prepare(frame) for place in places]
        for place, ready, part in zip(places, prepared, parts, strict=True):
            place.write(frame, ready, part)
        return result

    return Code(run, code.type)


def step_place(c: Compiler, operand: Node, by: int, *, before: bool) -> Code:
    """``++`` and ``--`` on a place, giving the new value (before) or the old."""
    place = place_of(c, operand)
    read, write = place.read, place.write

    def run(frame: Frame) -> Any:
        prepared = place.prepare(frame)
        old = read(frame, prepared)
        new = increment(old, by)
        write(frame, prepared, new)
        return new if before else old

    return Code(run, place.type)
