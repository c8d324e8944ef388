"""Lambdas and local functions: code that runs in a copy of the frame it was made in."""

from __future__ import annotations

from typing import Any

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.collections import Delegate
from hybridmandate.governance.gateway.csharp.compiler import (
    Code,
    Compiler,
    Evaluate,
    Execute,
    Function,
    expression,
)
from hybridmandate.governance.gateway.csharp.conversions import declared
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of
from hybridmandate.governance.gateway.csharp.python_code import Frame


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
    return function_code(c, names, field(node, "body"), [], snapshot=True)


def function_code(
    c: Compiler,
    parameters: list[tuple[Node, str, str]],
    body: Node,
    defaults: list[Any],
    *,
    snapshot: bool,
) -> Code:
    """A lambda or local function with these parameters (node, name, type).

    A lambda takes a snapshot of the frame when it is made, so that it keeps the variable of its own
    turn of a loop. A local function sees the frame as it is when the function is called.
    """
    function = Function()
    c.functions.append(function)
    c.scopes.append({})
    locals_ = [c.declare(node, name, type_name) for node, name, type_name in parameters]
    if body.type == "block":
        call = _returned(c.statement(body).run)
        kinds = set(function.returns)
        returns = kinds.pop() if len(kinds) == 1 else ""
    else:
        code = c.expression(body)
        returns = code.type
        call = code.run
    c.scopes.pop()
    c.functions.pop()
    starts = [local.start() for local in locals_]
    convert = [declared(local.type) if local.type else None for local in locals_]
    arity = len(locals_)

    def make(frame: Frame) -> Delegate:
        captured = frame[:] if snapshot else frame

        def invoke(*arguments: Any) -> Any:
            frame[0].budget.step()
            if len(arguments) < arity:
                arguments = (*arguments, *defaults[len(defaults) - arity + len(arguments) :])
            own = captured[:]
            for start, value, change in zip(starts, arguments, convert, strict=True):
                start(own, value if change is None else change(value))
            return call(own)

        return Delegate(invoke, arity)

    return Code(make, f"Func<{returns}>" if returns else "Func")


def _returned(execute: Execute) -> Evaluate:
    def run(frame: Frame) -> Any:
        result = execute(frame)
        return result[0] if type(result) is tuple else None

    return run
