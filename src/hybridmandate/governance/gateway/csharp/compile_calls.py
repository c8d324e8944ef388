"""Calls of methods, delegates and constructors; arguments; initialisers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.budget import Budget
from hybridmandate.governance.gateway.csharp.collections import Delegate
from hybridmandate.governance.gateway.csharp.compile_assignments import Place, new_place, place_of
from hybridmandate.governance.gateway.csharp.compile_context import (
    REQUEST_HEADERS,
    VARIABLES,
    contains_variable,
    header_or_literal,
    variable_or_literal,
)
from hybridmandate.governance.gateway.csharp.compile_expressions import binary
from hybridmandate.governance.gateway.csharp.compile_functions import lambda_code
from hybridmandate.governance.gateway.csharp.compile_members import (
    missing,
    refuse_unknown_method,
)
from hybridmandate.governance.gateway.csharp.compiler import (
    EXPRESSIONS,
    Code,
    Compiler,
    Evaluate,
    elements_of,
    expression,
)
from hybridmandate.governance.gateway.csharp.conversions import NUMERIC, default_of
from hybridmandate.governance.gateway.csharp.failures import null_reference
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of
from hybridmandate.governance.gateway.csharp.python_code import SKIP, Frame
from hybridmandate.governance.gateway.csharp.regroup import GenericCall, generic_call
from hybridmandate.governance.gateway.csharp.types.table import (
    ClrType,
    Member,
    find_type,
    type_of,
)

LONG_TEXT = 1024
"""Characters; each further as many cost a step."""
_MAY_BE_MADE = frozenset({"", "byte[]", "dynamic", "object", "string"})
"""Static types of results that may be text or bytes."""
_SAME_ELEMENTS = frozenset(
    {"First", "FirstOrDefault", "Last", "LastOrDefault", "Single", "SingleOrDefault", "Min", "Max",
     "ElementAt", "ElementAtOrDefault", "Pop", "Peek", "Dequeue", "Find"}
)  # fmt: skip
_KEEPS_SEQUENCE = frozenset(
    {"Where", "Skip", "Take", "OrderBy", "OrderByDescending", "ThenBy", "ThenByDescending",
     "Distinct", "Reverse", "Concat", "Union", "Except", "Intersect", "TakeWhile", "SkipWhile",
     "DefaultIfEmpty", "Append", "Prepend", "AsEnumerable"}
)  # fmt: skip


_OWN_FIRST_PARAMETER = frozenset({"Aggregate", "Join"})
"""Methods whose lambdas do not begin with an element."""


class Arguments:
    """Compiled arguments of a call: positional, named, and the places of ``out``."""

    def __init__(self, c: Compiler, node: Node | None, element: str) -> None:
        self.positional: list[Code] = []
        self.named: dict[str, Evaluate] = {}
        self.outs: list[Place] = []
        for each in [] if node is None else named(node):
            self._one(c, each, element)
        self.count = len(self.positional) + len(self.named) + len(self.outs)

    def _one(self, c: Compiler, node: Node, element: str) -> None:
        if node.type != "argument":
            raise c.error(node, f"'{text_of(node)}' is not supported as an argument")
        label = node.child_by_field_name("name")
        value = named(node)[-1]
        modifiers = {child.type for child in node.children}
        if "ref" in modifiers or "in" in modifiers:
            raise c.error(node, "Arguments by 'ref' or 'in' are not supported")
        if "out" in modifiers:
            self.outs.append(_out_place(c, value))
        elif label is not None and len(named(node)) > 1:
            self.named[_snake(text_of(label))] = c.expression(value).run
        elif value.type == "lambda_expression":
            self.positional.append(lambda_code(c, value, element))
        else:
            self.positional.append(c.expression(value))

    def evaluate(self) -> Callable[[Frame], list[Any]]:
        """Code that gives the positional values."""
        runs = [code.run for code in self.positional]
        return lambda frame: [run(frame) for run in runs]

    def holes(self) -> tuple[str, dict[str, Any]]:
        """The positional values as text of a template, and what fills its holes."""
        filled: dict[str, Any] = {f"A{i}": code for i, code in enumerate(self.positional)}
        return ", ".join(filled), filled


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _out_place(c: Compiler, node: Node) -> Place:
    if node.type == "declaration_expression":
        type_name = c.type_name(field(node, "type"))
        local = c.declare(node, text_of(node.child_by_field_name("name")), type_name)
        return new_place(local)
    return place_of(c, node)


def check_arguments(c: Compiler, node: Node, member: Member, given: Arguments) -> None:
    """Refuse a call with too many, too few or unknown arguments."""
    if not member.least <= given.count <= member.most or len(given.outs) != member.outs:
        raise c.error(node, f"No overload of '{member.name}' takes {given.count} arguments")
    for name in given.named:
        if name not in member.parameters:
            raise c.error(node, f"'{member.name}' has no parameter named '{name}'")


def _finish(frame: Frame, result: Any, given: Arguments) -> Any:
    """Charge what a call made and hand out its ``out`` values."""
    kind = type(result)
    if kind is str or kind is bytearray:
        frame[0].budget.allocate(len(result))
    elif given.outs:
        for place, value in zip(given.outs, result[1:], strict=True):
            place.write(frame, place.prepare(frame), value)
        return result[0]
    return result


def _bind(member: Member, types: tuple[str, ...]) -> Callable[..., Any]:
    return partial(member.call, types=types) if member.generic and types else member.call


def invoke_known(
    c: Compiler,
    member: Member,
    receiver: Code,
    given: Arguments,
    types: tuple[str, ...],
    returns: str,
) -> Code:
    """A call of a method that was found at load."""
    call = _bind(member, types)
    if given.named or given.outs:
        return _invoke_with_labels(c, call, member, receiver, given, returns)
    values, holes = given.holes()
    value = "A" if receiver.exact else "V"
    if receiver.type == "string":
        value = f"V if len({'V := A' if receiver.exact else 'V'}) <= 1024 else k1(V, budget)"
    template = _charging(f"k({'run, ' if member.wants_run else ''}{value}, {values})", returns)
    if not receiver.exact:
        template += " if (V := A) is not None else null()"
    objects: dict[str, Any] = {"k1": charge_long} if receiver.type == "string" else {}
    return c.write_on(receiver, template, returns, k=call, **objects, **holes)


def charge_long(text: Any, budget: Budget) -> Any:
    """Steps for looking at a long text."""
    budget.step(len(text) // LONG_TEXT)
    return text


def _charging(made: str, returns: str) -> str:
    """A call whose result is charged where it may be text or bytes that were made."""
    if returns not in _MAY_BE_MADE:
        return made
    is_made = f"type(V1 := {made}) is str"
    if returns != "string":
        is_made = f"({is_made} or type(V1) is bytearray)"
    return f"(None if {is_made} and budget.allocate(len(V1)) else V1)"


def _invoke_with_labels(
    c: Compiler,
    call: Callable[..., Any],
    member: Member,
    receiver: Code,
    given: Arguments,
    returns: str,
) -> Code:
    """A call with named arguments or ``out`` places."""
    values = given.evaluate()
    labels = given.named
    wants_run = member.wants_run

    def use(value: Any, frame: Frame) -> Any:
        extra = {name: run(frame) for name, run in labels.items()} if labels else {}
        if type(value) is str and len(value) > LONG_TEXT:
            charge_long(value, frame[0].budget)
        leading = (frame[0], value) if wants_run else (value,)
        return _finish(frame, call(*leading, *values(frame), **extra), given)

    template = "k(V, f) if (V := A) is not None else null()"
    return c.write_on(receiver, template, returns, k=use)


def _invoke_late(
    c: Compiler,
    node: Node,
    name: str,
    receiver: Code,
    given: Arguments,
    types: tuple[str, ...],
    returns: str = "",
) -> Code:
    """A call whose method is looked up by the value's own type."""
    refuse_unknown_method(c, node, name)
    values = given.evaluate()
    labels = given.named

    def use(value: Any, frame: Frame) -> Any:
        member = type_of(value).find_method(name)
        if member is None:
            own = getattr(value, "clr_member", None)
            if own is None:
                raise missing(value, name)
            return own(name)(*values(frame))
        call = _bind(member, types)
        extra = {label: run(frame) for label, run in labels.items()}
        if type(value) is str and len(value) > LONG_TEXT:
            charge_long(value, frame[0].budget)
        leading = (frame[0], value) if member.wants_run else (value,)
        return _finish(frame, call(*leading, *values(frame), **extra), given)

    return c.write_on(receiver, "k(V, f) if (V := A) is not None else null()", returns, k=use)


@expression("invocation_expression")
def invocation(c: Compiler, node: Node) -> Code:
    """``f(x)``, ``a.f(x)``, ``T.f(x)``, ``a?.f(x)``."""
    function = field(node, "function")
    arguments = node.child_by_field_name("arguments")
    if function.type == "identifier":
        return _call_by_name(c, node, function, arguments)
    if function.type == "member_access_expression":
        return _call_member(c, function, arguments)
    if function.type == "conditional_access_expression":
        return _call_conditional(c, function, arguments)
    if function.type == "member_binding_expression":
        return _method(c, function, c.binding[-1], field(function, "name"), arguments)
    return _call_delegate(c, c.expression(function), Arguments(c, arguments, ""))


def _call_by_name(c: Compiler, node: Node, function: Node, arguments: Node | None) -> Code:
    name = text_of(function)
    if c.find(name) is not None:
        return _call_delegate(c, c.expression(function), Arguments(c, arguments, ""))
    if name == "nameof" and arguments is not None:
        return c.constant(text_of(arguments)[1:-1].rsplit(".", 1)[-1].strip(), "string")
    raise c.error(node, f"The name '{name}' does not exist in the current context")


def regrouped_call(c: Compiler, found: GenericCall) -> Code:
    """The call that came as comparisons, with what stands around it."""
    receiver = field(found.function, "expression")
    name = text_of(field(found.function, "name"))
    types = (c.known_type(found.type_node, text_of(found.type_node)).name,)

    def call() -> Code:
        target = c.chain(receiver)
        given = Arguments(c, None, "")
        given.positional.append(c.expression(named(found.argument)[0]))
        given.count = 1
        return _method_call(c, found.function, target, name, types, given)

    def call_and_rest() -> Code:
        c.instead[found.argument.id] = call
        return c.chain(found.call)

    c.instead[found.function.id] = call_and_rest
    return c.chain(found.head)


def _call_delegate(c: Compiler, function: Code, given: Arguments) -> Code:
    target, values = function.run, given.evaluate()

    def run(frame: Frame) -> Any:
        delegate = target(frame)
        if not isinstance(delegate, Delegate):
            raise null_reference()
        return delegate.call(*values(frame))

    returns = function.type[5:-1] if function.type.startswith("Func<") else ""
    return Code(run, returns if "," not in returns else "")


def _call_member(c: Compiler, function: Node, arguments: Node | None) -> Code:
    receiver, name = field(function, "expression"), field(function, "name")
    owner = c.static_type(receiver)
    if owner is not None:
        return _static_call(c, name, owner, arguments)
    return _method(c, function, c.chain(receiver), name, arguments)


def _name_and_types(c: Compiler, node: Node) -> tuple[str, tuple[str, ...]]:
    if node.type != "generic_name":
        return text_of(node), ()
    head, types = named(node)[0], named(node)[1]
    return text_of(head), tuple(c.type_name(each) for each in named(types))


def _static_call(c: Compiler, name_node: Node, owner: ClrType, arguments: Node | None) -> Code:
    name, types = _name_and_types(c, name_node)
    given = Arguments(c, arguments, "")
    member = owner.static_methods.get(name)
    if member is None and name == "Equals" and given.count == 2:
        member = find_type("object").static_methods["Equals"]  # type: ignore[union-attr]
    if member is None:
        raise c.error(name_node, f"'{owner.name}' does not contain a static method '{name}'")
    check_arguments(c, name_node, member, given)
    call = _bind(member, types)
    returns = _returns(member, "", types, given, name)
    if given.named or given.outs:
        return Code(_static_with_labels(call, member, given), returns)
    values, holes = given.holes()
    template = _charging(f"k({'run, ' if member.wants_run else ''}{values})", returns)
    return c.write(template, returns, k=call, **holes)


def _static_with_labels(call: Callable[..., Any], member: Member, given: Arguments) -> Evaluate:
    values, labels = given.evaluate(), given.named
    wants_run = member.wants_run

    def run(frame: Frame) -> Any:
        extra = {label: value(frame) for label, value in labels.items()} if labels else {}
        leading = (frame[0],) if wants_run else ()
        return _finish(frame, call(*leading, *values(frame), **extra), given)

    return run


def _method(
    c: Compiler, node: Node, receiver: Code, name_node: Node, arguments: Node | None
) -> Code:
    name, types = _name_and_types(c, name_node)
    element = "" if name in _OWN_FIRST_PARAMETER else elements_of(receiver.type)
    given = Arguments(c, arguments, element)
    return _method_call(c, name_node, receiver, name, types, given)


def _method_call(
    c: Compiler,
    name_node: Node,
    receiver: Code,
    name: str,
    types: tuple[str, ...],
    given: Arguments,
) -> Code:
    if name == "GetValueOrDefault" and receiver.type.endswith("?"):
        return _value_or_default(c, receiver, given)
    known = find_type(receiver.type) if receiver.type else None
    if known is None or known.name in ("ValueTuple",):
        return _invoke_late(c, name_node, name, receiver, given, types)
    member = known.find_method(name)
    if member is None:
        raise c.error(name_node, f"'{known.name}' does not contain a definition for '{name}'")
    check_arguments(c, name_node, member, given)
    returns = _returns(member, receiver.type, types, given, name)
    short = _literal_lookup(c, receiver, name, types, given, returns)
    if short is not None:
        return short
    if (known.base is not None and known.base.name == "object") or known.name == "string":
        return invoke_known(c, member, receiver, given, types, returns)
    return _invoke_late(c, name_node, name, receiver, given, types, returns)


def _value_or_default(c: Compiler, receiver: Code, given: Arguments) -> Code:
    """``GetValueOrDefault`` of a nullable value: null has that method too."""
    kind = receiver.type.removesuffix("?")
    default = given.positional[0] if given.positional else c.constant(default_of(kind), kind)
    return c.write_on(receiver, "B if (V := A) is None else V", kind, B=default)


def _literal_lookup(
    c: Compiler,
    receiver: Code,
    name: str,
    types: tuple[str, ...],
    given: Arguments,
    returns: str,
) -> Code | None:
    """A look-up by literals in what every call has."""
    if given.named or any(each.literal is None for each in given.positional):
        return None
    if name == "ContainsKey" and receiver.place == VARIABLES:
        return contains_variable(c, given.positional[0])
    if name != "GetValueOrDefault" or len(given.positional) != 2:
        return None
    key, default = given.positional
    if receiver.place == REQUEST_HEADERS:
        assert key.literal is not None
        return header_or_literal(c, key.literal, default)
    if receiver.place == VARIABLES and not types:
        return variable_or_literal(c, key, default, returns)
    return None


def _returns(
    member: Member, receiver: str, types: tuple[str, ...], given: Arguments, name: str
) -> str:
    """The static type of a result; "T" stands for the type argument or the element."""
    if member.returns not in ("T", "T[]", "IEnumerable"):
        return member.returns
    if member.returns == "IEnumerable":
        return _sequence_type(receiver, types, given, name)
    if types:
        return types[0] if member.returns == "T" else f"{types[0]}[]"
    if name == "GetValueOrDefault":
        value = receiver.removesuffix("?")
        if value.startswith("Dictionary<"):
            return value[value.index(",") + 1 : -1].strip()
        return "" if len(given.positional) < 2 else given.positional[1].type.replace("null", "")
    element = elements_of(receiver)
    if member.returns == "T[]":
        return f"{element}[]" if element else ""
    if name in ("Min", "Max") and given.count:
        return ""
    return element if name in _SAME_ELEMENTS else ""


def _sequence_type(receiver: str, types: tuple[str, ...], given: Arguments, name: str) -> str:
    if types:
        return f"IEnumerable<{types[-1]}>"
    if name in _KEEPS_SEQUENCE:
        element = elements_of(receiver)
        return f"IEnumerable<{element}>" if element else "IEnumerable"
    if name == "Select" and given.positional:
        made = given.positional[0].type
        if made.startswith("Func<") and made[5:-1] not in ("null", "throw", ""):
            return f"IEnumerable<{made[5:-1]}>"
    return "IEnumerable"


def _call_conditional(c: Compiler, function: Node, arguments: Node | None) -> Code:
    """``a?.f(x)``: the grammar puts the call around the whole chain."""
    condition_node, rest = named(function)[0], named(function)[-1]
    if rest.type != "member_binding_expression":
        return _call_delegate(c, c.expression(function), Arguments(c, arguments, ""))
    condition = c.chain(condition_node)
    slot = c.new_slot()
    bound = c.write("f[B]", condition.type.removesuffix("?"), B=c.constant(slot, "int"))
    call = _method(c, rest, bound, field(rest, "name"), arguments)
    return guarded(condition, slot, call)


def guarded(condition: Code, slot: int, then: Code) -> Code:
    """``then`` on the value of ``condition``, skipped for null."""
    test, run_then = condition.run, then.run

    def run(frame: Frame) -> Any:
        value = test(frame)
        if value is None or value is SKIP:
            return SKIP
        frame[slot] = value
        return run_then(frame)

    nullable = then.type in NUMERIC or then.type == "bool"
    return Code(run, then.type + "?" if nullable else then.type, skips=True)


def _binary(c: Compiler, node: Node) -> Code:
    found = generic_call(node)
    return binary(c, node) if found is None else regrouped_call(c, found)


EXPRESSIONS["binary_expression"] = _binary
