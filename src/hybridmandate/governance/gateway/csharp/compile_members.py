"""Member access, element access and ``?.`` chains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.collections import Array, Delegate
from hybridmandate.governance.gateway.csharp.compile_assignments import PLACES, Place
from hybridmandate.governance.gateway.csharp.compile_context import (
    STEADY,
    VARIABLES,
    part_of,
    variable_named,
)
from hybridmandate.governance.gateway.csharp.compiler import (
    Code,
    Compiler,
    Evaluate,
    elements_of,
    expression,
)
from hybridmandate.governance.gateway.csharp.conversions import VALUE_TYPES
from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure, null_reference
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of
from hybridmandate.governance.gateway.csharp.python_code import SKIP, Frame
from hybridmandate.governance.gateway.csharp.types.table import (
    TYPES,
    ClrType,
    Member,
    Run,
    find_type,
    full_name_of,
    is_namespace,
    type_of,
)

_OPEN_TYPES = frozenset({"ValueTuple"})


def missing(value: Any, name: str) -> ExpressionFailure:
    """A member that the value's type does not have."""
    return ExpressionFailure(
        f"'{full_name_of(value)}' does not contain a definition for '{name}'",
        "RuntimeBinderException",
    )


@expression("member_access_expression", "qualified_name")
def member_access(c: Compiler, node: Node) -> Code:
    """``a.b``: a static member, a constant of an enumeration, or a property."""
    name_node = field(node, "name")
    name = text_of(name_node)
    receiver = node.child_by_field_name("expression") or field(node, "qualifier")
    owner = c.static_type(receiver)
    if owner is not None and not (receiver.type == "identifier" and c.find(text_of(receiver))):
        return static_member(c, name_node, owner, name)
    _refuse_namespace(c, node, receiver)
    return property_of(c, name_node, c.chain(receiver), name)


def _refuse_namespace(c: Compiler, node: Node, receiver: Node) -> None:
    root = receiver
    while root.type == "member_access_expression":
        root = field(root, "expression")
    name = text_of(root)
    if root.type != "identifier" or c.find(name) or name == "context":
        return
    text = "".join(text_of(receiver).split())
    if is_namespace(name) or is_namespace(text):
        whole = "".join(text_of(node).split())
        raise c.error(node, f"'{whole}' is not available in policy expressions")


def static_member(c: Compiler, node: Node, owner: ClrType, name: str) -> Code:
    """A static property, or a static method as a delegate."""
    found = owner.static_properties.get(name)
    if found is not None:
        call = found.call
        if found.fixed:
            return c.constant(call(), found.returns)
        if found.wants_run:
            return c.write("k(run)", found.returns, k=call)
        if not found.parameters:
            return c.write("k()", found.returns, k=call)
    method = owner.static_methods.get(name)
    if method is None:
        raise c.error(node, f"'{owner.name}' does not contain a definition for '{name}'")
    function = method.call
    arity = max(1, method.least)
    if method.wants_run:
        return Code(lambda f: Delegate(lambda *a: function(f[0], *a), arity), "Func")
    return c.constant(Delegate(function, arity), "Func")


def property_of(c: Compiler, node: Node, receiver: Code, name: str) -> Code:
    """A property of a value, found at load when the type is known."""
    _note_bodies(c, receiver.type, name)
    if name == "HasValue" and receiver.type.endswith("?"):
        return c.write_on(receiver, "A is not None", "bool")
    known = find_type(receiver.type) if receiver.type else None
    found = None if known is None else known.find_property(name)
    if known is not None and found is None and known.name not in _OPEN_TYPES:
        raise c.error(node, f"'{known.name}' does not contain a definition for '{name}'")
    if found is None:
        if receiver.type != "dynamic":
            _refuse_unknown(c, node, name, "properties")
        type_name = "dynamic" if receiver.type == "dynamic" else ""
        template = "k(V, run) if (V := A) is not None else null()"
        return c.write_on(receiver, template, type_name, k=_late_getter(name))
    type_name = _property_type(receiver.type, found)
    c.live_uses -= f"{receiver.place}.{name}" in STEADY
    part = part_of(c, receiver.place, name, type_name)
    if part is not None:
        return part
    leading = "run, " if found.wants_run else ""
    if receiver.exact:
        return c.write(f"k({leading}A)", type_name, k=found.call, A=receiver)
    template = f"k({leading}V) if (V := A) is not None else null()"
    return c.write_on(receiver, template, type_name, k=found.call)


def _property_type(receiver: str, found: Member) -> str:
    if found.returns != "T":
        return found.returns
    return elements_of(receiver)


def _late_getter(name: str) -> Callable[[Any, Run], Any]:
    def get(value: Any, run: Run) -> Any:
        own = getattr(value, "clr_member", None)
        if own is not None:
            return own(name)
        member = type_of(value).find_property(name)
        if member is None:
            raise missing(value, name)
        return member.call(run, value) if member.wants_run else member.call(value)

    return get


def _refuse_unknown(c: Compiler, node: Node, name: str, where: str) -> None:
    if name in c.member_names:
        return
    if not any(name in getattr(each, where) for each in TYPES.values()):
        raise c.error(node, f"No type of policy expressions has a member '{name}'")


def refuse_unknown_method(c: Compiler, node: Node, name: str) -> None:
    """Refuse a method name that no type has."""
    if name not in c.member_names:
        _refuse_unknown(c, node, name, "methods")


def _note_bodies(c: Compiler, receiver: str, name: str) -> None:
    """Whether a message's body can be touched here: the gateway reads it beforehand."""
    if name != "Body":
        return
    head = receiver.removesuffix("?")
    if head != "IResponse":
        c.reads_request_body = True
    if head != "IRequest":
        c.reads_response_body = True


@expression("conditional_access_expression")
def conditional_access(c: Compiler, node: Node) -> Code:
    """``a?.b`` and ``a?[b]``."""
    condition_node, rest_node = named(node)[0], named(node)[-1]
    condition = c.chain(condition_node)
    slot = c.new_slot()
    bound = c.write("f[B]", condition.type.removesuffix("?"), B=c.constant(slot, "int"))
    c.binding.append(bound)
    rest = c.chain(rest_node)
    c.binding.pop()
    test, then = condition.run, rest.run

    def run(frame: Frame) -> Any:
        value = test(frame)
        if value is None or value is SKIP:
            return SKIP
        frame[slot] = value
        return then(frame)

    type_name = rest.type + "?" if rest.type in VALUE_TYPES else rest.type
    return Code(run, type_name, skips=True)


@expression("member_binding_expression")
def member_binding(c: Compiler, node: Node) -> Code:
    """The ``.b`` of ``a?.b``."""
    return property_of(c, node, c.binding[-1], text_of(field(node, "name")))


@expression("element_binding_expression")
def element_binding(c: Compiler, node: Node) -> Code:
    """The ``[b]`` of ``a?[b]``."""
    return _element(c, node, c.binding[-1], node)


@expression("element_access_expression")
def element_access(c: Compiler, node: Node) -> Code:
    """``a[b]``."""
    return _element(c, node, c.chain(field(node, "expression")), field(node, "subscript"))


def _index(c: Compiler, node: Node, brackets: Node) -> Code:
    arguments = named(brackets)
    if len(arguments) != 1:
        raise c.error(node, "Elements are accessed with one index in policy expressions")
    inner = named(arguments[0])[-1]
    if inner.type == "range_expression":
        return Code(_range(c, inner))
    if inner.type == "prefix_unary_expression" and text_of(inner).startswith("^"):
        return Code(_from_end(c, inner))
    return c.expression(inner)


class FromEnd:
    """``^n``."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count


class Span:
    """``a..b``; None for an open side."""

    __slots__ = ("end", "start")

    def __init__(self, start: Any, end: Any) -> None:
        self.start = start
        self.end = end

    def of(self, length: int) -> slice:
        """The slice of something that long. :raises ExpressionFailure: when it is outside."""
        start = 0 if self.start is None else position(self.start, length)
        end = length if self.end is None else position(self.end, length)
        if not 0 <= start <= end <= length:
            raise ExpressionFailure(
                "Specified argument was out of the range of valid values. (Parameter 'length')",
                "ArgumentOutOfRangeException",
            )
        return slice(start, end)


def position(index: Any, length: int) -> int:
    """An index counted from the start."""
    return length - index.count if isinstance(index, FromEnd) else int(index)


def _from_end(c: Compiler, node: Node) -> Evaluate:
    count = c.expression(named(node)[-1]).run
    return lambda frame: FromEnd(count(frame))


def _range(c: Compiler, node: Node) -> Evaluate:
    sides: list[Evaluate] = [lambda frame: None, lambda frame: None]
    at = 0
    for part in node.children:
        if part.type == "..":
            at = 1
        elif text_of(part).startswith("^"):
            sides[at] = _from_end(c, part)
        else:
            sides[at] = c.expression(part).run
    start, end = sides
    return lambda frame: Span(start(frame), end(frame))


def _element(c: Compiler, node: Node, receiver: Code, brackets: Node) -> Code:
    known = find_type(receiver.type) if receiver.type else None
    if known is not None and known.find_indexer() is None:
        raise c.error(node, f"'{known.name}' has no elements to be accessed with []")
    index = _index(c, node, brackets)
    type_name = _element_type(receiver.type, known)
    if receiver.place == VARIABLES and index.literal is not None:
        return variable_named(c, index, type_name)
    template = "k(V, B) if (V := A) is not None else null()"
    return c.write_on(receiver, template, type_name, k=element_at, B=index)


def _element_type(receiver: str, known: ClrType | None) -> str:
    if known is None:
        return ""
    indexer = known.find_indexer()
    assert indexer is not None
    if indexer.returns != "T":
        return indexer.returns
    name = receiver.removesuffix("?")
    if name.endswith(">") and name.startswith(("Dictionary<", "IDictionary<")):
        return name[name.index(",") + 1 : -1].strip()
    return elements_of(name)


def element_at(value: Any, at: Any) -> Any:
    """``value[at]`` by the indexer of the value's own type."""
    member = type_of(value).find_indexer()
    if member is None:
        raise missing(value, "[]")
    if isinstance(at, FromEnd):
        at = len(value) - at.count
    elif isinstance(at, Span):
        return _slice(value, at)
    return member.call(value, at)


def _slice(value: Any, span: Span) -> Any:
    part = value[span.of(len(value))]
    return Array(part, value.element) if isinstance(value, Array) else part


def _element_place(c: Compiler, node: Node) -> Place:
    receiver = c.expression(field(node, "expression"))
    known = find_type(receiver.type) if receiver.type else None
    if known is not None and known.find_indexer() is None:
        raise c.error(node, f"'{known.name}' has no elements to be accessed with []")
    index = _index(c, node, field(node, "subscript")).run
    value = receiver.run

    def prepare(frame: Frame) -> Any:
        target, at = value(frame), index(frame)
        if target is None:
            raise null_reference()
        return target, len(target) - at.count if isinstance(at, FromEnd) else at

    def read(frame: Frame, prepared: Any) -> Any:
        member = type_of(prepared[0]).find_indexer()
        if member is None:
            raise missing(prepared[0], "[]")
        return member.call(*prepared)

    def write(frame: Frame, prepared: Any, new: Any) -> None:
        frame[0].budget.allocate(16)
        set_element(frame[0], prepared[0], prepared[1], new)

    return Place(_element_type(receiver.type, known), prepare, read, write)


def set_element(run: Run, target: Any, at: Any, new: Any) -> None:
    """``target[at] = new``. :raises ExpressionFailure: when the type's elements are read-only."""
    current: ClrType | None = type_of(target)
    while current is not None and current.set_index is None:
        current = current.base
    if current is None or current.set_index is None:
        raise ExpressionFailure(
            f"Elements of '{full_name_of(target)}' cannot be assigned to.", "NotSupportedException"
        )
    put = current.set_index
    if put.wants_run:
        put.call(run, target, at, new)
    else:
        put.call(target, at, new)


def _property_place(c: Compiler, node: Node) -> Place:
    name = text_of(field(node, "name"))
    receiver = c.expression(field(node, "expression"))
    if not any(name in each.setters for each in TYPES.values()):
        raise c.error(node, f"The property '{name}' cannot be assigned to")
    value = receiver.run
    get = _late_getter(name)

    def prepare(frame: Frame) -> Any:
        target = value(frame)
        if target is None:
            raise null_reference()
        return target

    def write(frame: Frame, target: Any, new: Any) -> None:
        set_property(frame[0], target, name, new)

    return Place("", prepare, lambda frame, target: get(target, frame[0]), write)


def set_property(run: Run, target: Any, name: str, new: Any) -> None:
    """``target.Name = new``. :raises ExpressionFailure: when the type has no such setter."""
    current: ClrType | None = type_of(target)
    while current is not None and name not in current.setters:
        current = current.base
    if current is None:
        raise missing(target, name)
    put = current.setters[name]
    if put.wants_run:
        put.call(run, target, new)
    else:
        put.call(target, new)


PLACES["element_access_expression"] = _element_place
PLACES["member_access_expression"] = _property_place
