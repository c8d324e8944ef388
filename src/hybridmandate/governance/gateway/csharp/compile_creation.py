"""``new``: objects with initialisers, arrays, collection expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.collections import Array, items_of
from hybridmandate.governance.gateway.csharp.compile_calls import Arguments, check_arguments
from hybridmandate.governance.gateway.csharp.compile_members import (
    missing,
    set_element,
    set_property,
)
from hybridmandate.governance.gateway.csharp.compiler import (
    Code,
    Compiler,
    Evaluate,
    expression,
)
from hybridmandate.governance.gateway.csharp.conversions import declared, default_of
from hybridmandate.governance.gateway.csharp.failures import (
    EXCEPTION_TYPES,
    ExpressionFailure,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of
from hybridmandate.governance.gateway.csharp.python_code import Frame
from hybridmandate.governance.gateway.csharp.types.table import Run, find_type, type_of

Initializer = Callable[[Any, Frame], None]


@expression("object_creation_expression")
def object_creation(c: Compiler, node: Node) -> Code:
    """``new T(…) { … }``."""
    type_node = field(node, "type")
    arguments = node.child_by_field_name("arguments")
    initializer = node.child_by_field_name("initializer")
    head = text_of(type_node).rsplit(".", 1)[-1]
    if head in EXCEPTION_TYPES:
        return _exception(head, Arguments(c, arguments, ""))
    name = c.type_name(type_node)
    return _create(c, node, name, Arguments(c, arguments, ""), initializer)


def _create(c: Compiler, node: Node, name: str, given: Arguments, initializer: Node | None) -> Code:
    known = find_type(name)
    assert known is not None
    constructor = known.constructor
    if constructor is None:
        raise c.error(node, f"'{known.name}' cannot be created in policy expressions")
    check_arguments(c, node, constructor, given)
    types = tuple(part.strip() for part in _type_arguments(name))
    call, values, labels = constructor.call, given.evaluate(), given.named
    wants_run, generic = constructor.wants_run, constructor.generic

    def create(frame: Frame) -> Any:
        extra: dict[str, Any] = {label: run(frame) for label, run in labels.items()}
        if generic:
            extra["types"] = types
        frame[0].budget.allocate(64)
        if wants_run:
            return call(frame[0], *values(frame), **extra)
        return call(*values(frame), **extra)

    fill = [] if initializer is None else _object_initializer(c, initializer)
    if not fill:
        return Code(create, name)

    def run(frame: Frame) -> Any:
        made = create(frame)
        for step in fill:
            step(made, frame)
        return made

    return Code(run, name)


def _type_arguments(name: str) -> list[str]:
    """``Dictionary<string, List<int>>`` gives ``string`` and ``List<int>``."""
    if "<" not in name:
        return []
    parts, depth, current = [], 0, ""
    for sign in name[name.index("<") + 1 : name.rindex(">")]:
        depth += (sign in "<(") - (sign in ">)")
        if sign == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += sign
    return [*parts, current]


def _exception(name: str, given: Arguments) -> Code:
    values = given.evaluate()

    def run(frame: Frame) -> Any:
        parts = values(frame)
        text = parts[0] if parts else f"Exception of type 'System.{name}' was thrown."
        inner = parts[1] if len(parts) > 1 and isinstance(parts[1], ExpressionFailure) else None
        return ExpressionFailure(text or "", name, inner)

    return Code(run, "Exception")


def _object_initializer(c: Compiler, node: Node) -> list[Initializer]:
    return [_initialize(c, each) for each in named(node)]


def _initialize(c: Compiler, node: Node) -> Initializer:
    if node.type == "assignment_expression":
        return _initialize_member(c, node)
    if node.type == "initializer_expression":
        return _add_with([c.expression(part).run for part in named(node)])
    return _add_with([c.expression(node).run])


def _initialize_member(c: Compiler, node: Node) -> Initializer:
    target, value_node = field(node, "left"), field(node, "right")
    value: Evaluate
    value = c.expression(value_node).run
    if target.type == "element_binding_expression":
        index = c.expression(named(named(target)[0])[-1]).run

        def put(made: Any, frame: Frame) -> None:
            frame[0].budget.allocate(16)
            set_element(frame[0], made, index(frame), value(frame))

        return put
    name = text_of(target)
    return lambda made, frame: set_property(frame[0], made, name, value(frame))


def _add_with(parts: list[Evaluate]) -> Initializer:
    def add(made: Any, frame: Frame) -> None:
        method = type_of(made).find_method("Add")
        if method is None:
            raise missing(made, "Add")
        values = [part(frame) for part in parts]
        if method.wants_run:
            method.call(frame[0], made, *values)
        else:
            frame[0].budget.allocate(16)
            method.call(made, *values)

    return add


@expression("implicit_object_creation_expression")
def implicit_creation(c: Compiler, node: Node) -> Code:
    """``new()`` takes its type from the declaration that it stands in."""
    declaration = node.parent.parent if node.parent is not None else None
    type_node = None if declaration is None else declaration.child_by_field_name("type")
    if type_node is None or type_node.type == "implicit_type":
        raise c.error(node, "'new()' needs a declared type at its left")
    arguments = Arguments(c, node.child_by_field_name("arguments"), "")
    if not arguments.count and node.child_by_field_name("arguments") is None:
        arguments = Arguments(
            c, next((n for n in named(node) if n.type == "argument_list"), None), ""
        )
    return _create(
        c, node, c.type_name(type_node), arguments, node.child_by_field_name("initializer")
    )


def new_array(run: Run, length: Any, element: str) -> Any:
    """An array of default values. :raises ExpressionFailure: for a negative or huge length."""
    if length < 0:
        raise ExpressionFailure(
            "Arithmetic operation resulted in an overflow.", "OverflowException"
        )
    run.budget.allocate(int(length) * (1 if element == "byte" else 8))
    if element == "byte":
        return bytearray(length)
    return Array([default_of(element)] * length if element else [None] * length, element)


def make_array(items: list[Any], element: str) -> Any:
    """An array of these values, converted to the element type."""
    if element == "byte":
        for item in items:
            if not 0 <= item <= 255:
                raise out_of_range("value")
        return bytearray(items)
    convert = declared(element) if element else None
    return Array(items if convert is None else map(convert, items), element or "object")


@expression("array_creation_expression")
def array_creation(c: Compiler, node: Node) -> Code:
    """``new T[n]`` and ``new T[] { … }``."""
    type_node = field(node, "type")
    element = c.type_name(field(type_node, "type"))
    rank = type_node.child_by_field_name("rank")
    sizes = [] if rank is None else named(rank)
    if len(sizes) > 1 or (rank is not None and "," in text_of(rank)):
        raise c.error(node, "Arrays of several dimensions are not supported in policy expressions")
    initializer = next((n for n in named(node) if n.type == "initializer_expression"), None)
    if initializer is not None:
        return array_of(c, initializer, element)
    if not sizes:
        raise c.error(node, "An array needs a size or an initialiser")
    size = c.expression(sizes[0]).run
    return Code(lambda frame: new_array(frame[0], size(frame), element), f"{element}[]")


@expression("implicit_array_creation_expression")
def implicit_array(c: Compiler, node: Node) -> Code:
    """``new[] { … }``."""
    return array_of(c, named(node)[-1], "")


def array_of(c: Compiler, initializer: Node, element: str) -> Code:
    """The array of an initialiser; without a declared element type it is that of the elements."""
    inner = element[:-2] if element.endswith("[]") else ""
    codes = [
        array_of(c, part, inner) if part.type == "initializer_expression" else c.expression(part)
        for part in named(initializer)
    ]
    known = {code.type for code in codes} - {"null"}
    kind = element or (known.pop() if len(known) == 1 else "")
    if {"int", "double"} == known:
        kind = "double"
    runs = [code.run for code in codes]

    def run(frame: Frame) -> Any:
        frame[0].budget.allocate(8 * len(runs))
        return make_array([each(frame) for each in runs], kind)

    return Code(run, f"{kind}[]" if kind else "object[]" if element else "")


@expression("initializer_expression")
def bare_initializer(c: Compiler, node: Node) -> Code:
    """``int[] x = { 1, 2 }``: the type stands in the declaration."""
    declaration = node.parent.parent if node.parent is not None else None
    type_node = None if declaration is None else declaration.child_by_field_name("type")
    if type_node is None or type_node.type != "array_type":
        raise c.error(node, "An initialiser in braces needs an array type at its left")
    return array_of(c, node, c.type_name(type_node)[:-2])


@expression("collection_expression")
def collection_expression(c: Compiler, node: Node) -> Code:
    """``[a, b, ..c]`` as an array or a list, by the declared type."""
    declaration = node.parent.parent if node.parent is not None else None
    type_node = None if declaration is None else declaration.child_by_field_name("type")
    target = "" if type_node is None else c.type_name(type_node)
    parts: list[tuple[bool, Evaluate]] = []
    for each in named(node):
        inner = named(each)[0] if each.type == "collection_element" else each
        spread = inner.type == "spread_element" or text_of(inner).startswith("..")
        parts.append(
            (
                spread,
                c.expression(
                    named(inner)[-1]
                    if (named(inner) and spread) or inner.type == "expression_element"
                    else inner
                ).run,
            )
        )
    known = find_type(target) if target and not target.endswith("]") else None

    def gather(frame: Frame) -> list[Any]:
        items: list[Any] = []
        for spread, run in parts:
            value = run(frame)
            items.extend(items_of(value) if spread else [value])
            frame[0].budget.allocate(8 * (len(items) if spread else 1))
        return items

    if known is not None and known.constructor is not None:
        make, types = known.constructor.call, tuple(_type_arguments(target))
        with_run = known.constructor.wants_run
        return Code(
            lambda f: make(*((f[0],) if with_run else ()), Array(gather(f)), types=types), target
        )
    element = target[:-2]
    return Code(lambda frame: make_array(gather(frame), element), target)


@expression("typeof_expression")
def typeof_expression(c: Compiler, node: Node) -> Code:
    """``typeof(T)`` as the type's full name."""
    known = find_type(c.type_name(field(node, "type")))
    assert known is not None
    return c.constant(known.full_name, "string")
