"""A policy expression: compiled once, evaluated for each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Importing a compile_… module registers what it compiles; types.all registers the types.
from hybridmandate.governance.gateway.csharp import (
    compile_assignments,
    compile_calls,
    compile_creation,
    compile_expressions,
    compile_functions,
    compile_handlers,
    compile_literals,
    compile_members,
    compile_patterns,
    compile_statements,
)
from hybridmandate.governance.gateway.csharp.budget import Budget
from hybridmandate.governance.gateway.csharp.compiler import Code, Compiler
from hybridmandate.governance.gateway.csharp.context import PolicyContext
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    ExpressionSyntaxError,
    as_failure,
)
from hybridmandate.governance.gateway.csharp.inputs import inputs_of
from hybridmandate.governance.gateway.csharp.parse import Source, named, statements
from hybridmandate.governance.gateway.csharp.reachability import runs_out
from hybridmandate.governance.gateway.csharp.types import all_types
from hybridmandate.governance.gateway.csharp.types.table import Run

REGISTERED = (
    compile_assignments, compile_calls, compile_creation, compile_expressions, compile_functions,
    compile_handlers, compile_literals, compile_members, compile_patterns, compile_statements,
    all_types,
)  # fmt: skip
"""The modules that make up the language; importing them is what registers it."""


class Expression:
    """A compiled expression. Evaluating it changes nothing in it: one serves all calls.

    ``reads_request_body`` and ``reads_response_body`` tell whether it can touch the body of the
    request or of a response; the gateway has to have read that body before. ``settled`` holds
    the value when it is the same in every call, whatever the context. ``steady`` tells that
    it looks only at what is the same throughout a call: variables, request headers, the API and the
    like. ``entry`` evaluates it in a :class:`Run`, which all expressions of a call may share; what
    it raises is for :func:`as_failure`. ``inputs`` gives all that the value depends on, where that
    is known: texts, tokens, null, or SKIP for anything else. ``type`` is its static C# type, ""
    when that is only known in a call.
    """

    __slots__ = (
        "entry",
        "inputs",
        "reads_request_body",
        "reads_response_body",
        "settled",
        "steady",
        "type",
    )

    def __init__(
        self,
        code: Code,
        compiler: Compiler,
        inputs: Callable[[Run], tuple[Any, ...]] | None = None,
    ) -> None:
        self.entry = compiler.entry(code)
        self.inputs = inputs
        self.settled = code.settled
        self.type = code.type
        self.reads_request_body = compiler.reads_request_body
        self.reads_response_body = compiler.reads_response_body
        self.steady = compiler.live_uses == 0

    def evaluate(self, context: PolicyContext, budget: Budget) -> Any:
        """The value: str, bool, int, float, Decimal, bytes, None or an object of this package.

        :raises ExpressionFailure: what .NET would throw, or BudgetExceeded.
        """
        try:
            return self.entry(Run(context, budget))
        except ExpressionFailure:
            raise
        except Exception as error:
            raise as_failure(error) from error


def compile_expression(text: str, *, line: int, column: int) -> Expression:
    """Compile ``@(…)`` or ``@{…}`` that starts at that place (from 1) of its document.

    :raises ExpressionSyntaxError: for what is no C# or not available in policy expressions.
    """
    source = Source(text, line, column)
    compiler = Compiler(source)
    try:
        code = _body(compiler, source)
        found = inputs_of(source.body)
        return Expression(code, compiler, None if found is None else compiler.reader(found))
    except RecursionError:
        raise ExpressionSyntaxError("The expression is nested too deep", line, column) from None


def _body(compiler: Compiler, source: Source) -> Code:
    if not source.is_block:
        value = named(statements(source.body)[0])[0]
        if value.type not in ("parenthesized_expression", "tuple_expression"):
            raise compiler.error(value, "The brackets of @(…) do not enclose the whole expression")
        return compiler.expression(value)
    if runs_out(source.body):
        raise compiler.error(source.body, "Not all code paths return a value")
    execute = compiler.statement(source.body)
    return compiler.write("V[0] if type(V := A) is tuple else None", A=execute)
