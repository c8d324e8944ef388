"""What goes wrong in an expression: before the run (syntax) or during it (evaluation)."""

from __future__ import annotations

from typing import Any

INVALID_TEMPLATE = "InvalidTemplate"


class ExpressionError(Exception):
    """Either of the two errors below; ``code`` is the platform's error code."""

    code = INVALID_TEMPLATE

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ExpressionSyntaxError(ExpressionError):
    """The text is no valid expression; ``position`` counts characters from 0 in the whole text."""

    def __init__(self, message: str, source: str, position: int) -> None:
        super().__init__(
            f"Unable to parse template language expression '{_excerpt(source)}': {message} "
            f"(position {position})."
        )
        self.reason = message
        self.position = position


class ExpressionEvaluationError(ExpressionError):
    """A valid expression has no value here.

    ``function`` is the function's documented name (None for an accessor or a bound), ``argument``
    the number of the argument from 1, ``argument_name`` its documented name, ``expected`` what it
    takes and ``received`` the type that came, in the platform's words.
    """

    def __init__(
        self,
        message: str,
        *,
        function: str | None = None,
        argument: int | None = None,
        argument_name: str | None = None,
        expected: str | None = None,
        received: str | None = None,
    ) -> None:
        super().__init__(message)
        self.function = function
        self.argument = argument
        self.argument_name = argument_name
        self.expected = expected
        self.received = received


class FunctionFault(Exception):
    """Raised by a function's body; the call that ran it adds function and argument name."""

    def __init__(
        self,
        reason: str,
        *,
        argument: int | None = None,
        expected: str | None = None,
        value: Any = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.argument = argument
        self.expected = expected
        self.value = value


def _excerpt(source: str) -> str:
    return source if len(source) <= 200 else f"{source[:197]}..."
