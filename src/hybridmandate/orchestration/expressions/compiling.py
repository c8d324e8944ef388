"""Syntax tree → closures. Names, numbers of arguments and types are prepared here, once."""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Any

from hybridmandate.orchestration.expressions.access import access
from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.errors import (
    ExpressionEvaluationError,
    ExpressionSyntaxError,
    FunctionFault,
)
from hybridmandate.orchestration.expressions.registry import Function, find
from hybridmandate.orchestration.expressions.syntax import Access, Call, Literal, Node
from hybridmandate.orchestration.expressions.values import NUMBER, type_name

Evaluate = Callable[[Frame], Any]
_NEVER_LARGE = frozenset((bool, int, NoneType, dict, list))
"""Types of results that need no look: arrays and objects are weighed at the end of a text."""


def compile_node(node: Node, source: str) -> Evaluate:
    """A closure that evaluates the node.

    A function that is unknown fails where it is reached, as the platform's runtime does it:
    ``if(true, 1, nothing())`` is 1. :meth:`Template.unknown_functions` names it before.

    :raises ExpressionSyntaxError: for a wrong number of arguments.
    """
    if isinstance(node, Literal):
        value = node.value
        return lambda frame: value
    if isinstance(node, Access):
        return _compile_access(node, source)
    return _compile_call(node, source)


def _compile_access(node: Access, source: str) -> Evaluate:
    target, safe = compile_node(node.target, source), node.safe
    if isinstance(node.key, Literal):
        fixed = node.key.value
        return lambda frame: access(target(frame), fixed, safe)
    key = compile_node(node.key, source)
    return lambda frame: access(target(frame), key(frame), safe)


def _compile_call(node: Call, source: str) -> Evaluate:
    function = find(node.name)
    if function is None:
        return _compile_unknown(node, source)
    wrong = function.check_count(len(node.arguments))
    if wrong is not None:
        raise ExpressionSyntaxError(wrong, source, node.position)
    arguments = [compile_node(each, source) for each in node.arguments]
    if function.lazy is not None:
        return _compile_lazy(function, function.lazy, arguments)
    checks = [function.parameter(index).accepts for index in range(len(arguments))]
    if len(arguments) == 1:
        return _compile_single(function, arguments[0], checks[0])
    if len(arguments) == 2:
        return _compile_pair(function, arguments, checks)
    body = function.body

    def run(frame: Frame) -> Any:
        values = [argument(frame) for argument in arguments]
        for accepts, value in zip(checks, values, strict=True):
            if type(value) not in accepts:
                raise _first_mismatch(function, values)
        try:
            result = body(frame, *values)
        except FunctionFault as fault:
            raise _explained(function, fault) from fault
        return result if type(result) in _NEVER_LARGE else _admitted(function, frame, result)

    return run


def _compile_unknown(node: Call, source: str) -> Evaluate:
    def run(frame: Frame) -> Any:
        raise ExpressionSyntaxError(
            f"the template function '{node.name}' is not defined or not valid",
            source,
            node.position,
        )

    return run


def _compile_single(function: Function, argument: Evaluate, accepts: frozenset[type]) -> Evaluate:
    """Calls with one argument are most calls; they are spared the loop over arguments."""
    body = function.body

    def run(frame: Frame) -> Any:
        value = argument(frame)
        if type(value) not in accepts:
            raise _first_mismatch(function, [value])
        try:
            result = body(frame, value)
        except FunctionFault as fault:
            raise _explained(function, fault) from fault
        return result if type(result) in _NEVER_LARGE else _admitted(function, frame, result)

    return run


def _compile_pair(
    function: Function, arguments: list[Evaluate], checks: list[frozenset[type]]
) -> Evaluate:
    """Comparisons and arithmetic: as a call with one argument, with two."""
    first, second = arguments
    accepts_first, accepts_second = checks
    body = function.body

    def run(frame: Frame) -> Any:
        one, other = first(frame), second(frame)
        if type(one) not in accepts_first or type(other) not in accepts_second:
            raise _first_mismatch(function, [one, other])
        try:
            result = body(frame, one, other)
        except FunctionFault as fault:
            raise _explained(function, fault) from fault
        return result if type(result) in _NEVER_LARGE else _admitted(function, frame, result)

    return run


def _compile_lazy(function: Function, body: Callable[..., Any], arguments: Any) -> Evaluate:
    def run(frame: Frame) -> Any:
        try:
            return body(frame, arguments)
        except FunctionFault as fault:
            raise _explained(function, fault) from fault

    return run


def call_function(frame: Frame, name: str, values: list[Any]) -> Any:
    """A function of the language on values (conditions written as objects are evaluated so).

    :raises ExpressionEvaluationError: when there is no such function or it does not take them.
    """
    function = find(name)
    if function is None:
        raise ExpressionEvaluationError(f"The template function '{name}' is not defined.")
    wrong = function.check_count(len(values))
    if wrong is not None:
        raise ExpressionEvaluationError(f"{wrong[0].upper()}{wrong[1:]}.", function=function.name)
    if any(type(each) not in function.parameter(at).accepts for at, each in enumerate(values)):
        raise _first_mismatch(function, values)
    try:
        result = function.body(frame, *values)
    except FunctionFault as fault:
        raise _explained(function, fault) from fault
    return _admitted(function, frame, result)


def _admitted(function: Function, frame: Frame, result: Any) -> Any:
    """The result, unless it is a text over the bound."""
    if type(result) is str and len(result) > 1_000:
        frame.admit_text(len(result))
    return result


def _explained(function: Function, fault: FunctionFault) -> ExpressionEvaluationError:
    if fault.argument is None:
        return ExpressionEvaluationError(
            f"The execution of template function '{function.name}' failed: {fault.reason}.",
            function=function.name,
            expected=fault.expected,
        )
    parameter = function.parameter(fault.argument - 1)
    shown = repr(fault.value) if type(fault.value) in NUMBER else str(fault.value)[:200]
    return ExpressionEvaluationError(
        f"The template language function '{function.name}' was invoked with a parameter that is "
        f"not valid. {fault.reason}. Parameter {fault.argument} '{parameter.name}': '{shown}'.",
        function=function.name,
        argument=fault.argument,
        argument_name=parameter.name,
        expected=fault.expected or parameter.expected,
        received=type_name(fault.value),
    )


def _first_mismatch(function: Function, values: list[Any]) -> ExpressionEvaluationError:
    index = next(
        at for at, each in enumerate(values) if type(each) not in function.parameter(at).accepts
    )
    parameter, received = function.parameter(index), type_name(values[index])
    return ExpressionEvaluationError(
        f"The template language function '{function.name}' expects its parameter {index + 1} "
        f"'{parameter.name}' to be {parameter.expected}. The provided value is of type "
        f"'{received}'.",
        function=function.name,
        argument=index + 1,
        argument_name=parameter.name,
        expected=parameter.expected,
        received=received,
    )
