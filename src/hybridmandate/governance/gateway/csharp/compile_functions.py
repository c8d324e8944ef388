"""Lambdas and local functions: code that runs in a copy of the frame it was made in."""

from __future__ import annotations

from typing import Any

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.collections import Delegate
from hybridmandate.governance.gateway.csharp.compiler import Code, Compiler, Frame, Function, expression
from hybridmandate.governance.gateway.csharp.conversions import declared
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of


@expression("lambda_expression", "anonymous_method_expression")
def lambda_expression(c: Compiler, node: Node) -> Code:
    """``x => …``."""
    return lambda_code(c, node, "")


def lambda_code(c: Compiler, node: Node, element: str) -> Code:
    """A lambda whose first parameter has that static type when it does not say another."""
    parameters = node.child_by_field_name("parameters")
    names: list[tuple[Node, str, str]] = []
    if parameters is not None and parameters.type in ("identifier", "implicit_parameter"):
        names = [(parameters, text_of(parameters), element)]
    elif parameters is not None:
        for index, each in enumerate(named(parameters)):
            declared_type = each.child_by_field_name("type")
            known = element if index == 0 else ""
            type_name = known if declared_type is None else c.type_name(declared_type)
            names.append((each, text_of(each.child_by_field_name("name") or each), type_name))
    return function_code(c, names, field(node, "body"), [])


def function_code(
    c: Compiler,
    parameters: list[tuple[Node, str, str]],
    body: Node,
    defaults: list[Any],
) -> Code:
    """A lambda or local function with these parameters (node, name, type)."""
    function = Function(c.slots)
    c.functions.append(function)
    c.scopes.append({})
    slots = [c.declare(node, name, type_name).slot for node, name, type_name in parameters]
    if body.type == "block":
        execute = c.statement(body)
        kinds = set(function.returns)
        returns = kinds.pop() if len(kinds) == 1 else ""

        def call(frame: Frame) -> Any:
            result = execute(frame)
            return result[0] if type(result) is tuple else None
    else:
        code = c.expression(body)
        returns = code.type
        call = code.run
    c.scopes.pop()
    c.functions.pop()
    written = sorted(function.assigned)
    arity = len(slots)
    convert = [declared(type_name) if type_name else None for _, _, type_name in parameters]

    def make(frame: Frame) -> Delegate:
        def invoke(*arguments: Any) -> Any:
            frame[0].budget.step()
            if len(arguments) < arity:
                arguments = (*arguments, *defaults[len(defaults) - arity + len(arguments) :])
            own = frame[:]
            for slot, value, change in zip(slots, arguments, convert, strict=True):
                own[slot] = value if change is None else change(value)
            if not written:
                return call(own)
            try:
                return call(own)
            finally:
                for slot in written:
                    frame[slot] = own[slot]

        return Delegate(invoke, arity)

    return Code(make, f"Func<{returns}>" if returns else "Func")
