"""A value in a policy: a literal, or an expression that is evaluated for each call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from hybridmandate.governance.gateway.csharp import (
    ExpressionFailure,
    ExpressionSyntaxError,
    compile_expression,
)
from hybridmandate.governance.gateway.csharp_text import starts_expression
from hybridmandate.governance.gateway.document import Text
from hybridmandate.governance.gateway.errors import PolicyDocumentError, PolicyError

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange


class Value(Protocol):
    """A literal or an expression."""

    @property
    def reads_request_body(self) -> bool:
        """Whether evaluating it reads the request's body."""

    @property
    def reads_response_body(self) -> bool:
        """Whether evaluating it reads the response's body."""

    def get(self, exchange: Exchange) -> Any:
        """The value for this call. :raises PolicyError: when the expression fails."""


class Constant:
    """A literal."""

    __slots__ = ("value",)
    reads_request_body = False
    reads_response_body = False

    def __init__(self, value: Any) -> None:
        self.value = value

    def get(self, exchange: Exchange) -> Any:
        return self.value


class Evaluated:
    """An expression; a failure in it becomes ``ExpressionValueEvaluationFailure``."""

    __slots__ = ("_expression", "reads_request_body", "reads_response_body")

    def __init__(self, text: Text, file: str) -> None:
        try:
            self._expression = compile_expression(text.value, line=text.line, column=text.column)
        except ExpressionSyntaxError as error:
            raise PolicyDocumentError(file, error.line, error.column, error.reason) from error
        self.reads_request_body = self._expression.reads_request_body
        self.reads_response_body = self._expression.reads_response_body

    def get(self, exchange: Exchange) -> Any:
        try:
            return self._expression.evaluate(exchange.context, exchange.budget)
        except ExpressionFailure as error:
            raise PolicyError(
                500, "ExpressionValueEvaluationFailure", f"Expression evaluation failed. {error}"
            ) from error


def compile_value(text: Text, file: str) -> Value:
    """The value of an attribute or text.

    :raises PolicyDocumentError: when its expression cannot be compiled.
    """
    return Evaluated(text, file) if starts_expression(text.value) else Constant(text.value)
