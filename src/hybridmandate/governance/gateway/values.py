"""A value in a policy: a literal, or an expression that is evaluated for each call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from hybridmandate.governance.gateway.csharp import (
    Expression,
    ExpressionSyntaxError,
    Jwt,
    as_failure,
    as_text,
    compile_expression,
)
from hybridmandate.governance.gateway.csharp_text import starts_expression
from hybridmandate.governance.gateway.document import Text
from hybridmandate.governance.gateway.errors import PolicyDocumentError, PolicyError
from hybridmandate.governance.gateway.result_types import Wanted, refusal

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange

_UNKNOWN = object()
_MOST_REMEMBERED = 64
_LONGEST_TEXT = 200
_LONGEST_LIST = 40
_CALLS_OF_REST = 4096


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


@lru_cache(maxsize=4096)
def _compiled(text: str, line: int, column: int) -> Expression:
    """Compile once what stands at one place of a fragment that many operations include.

    A compiled expression holds no state of a call, so one serves all of them.
    """
    return compile_expression(text, line=line, column=column)


class Settled:
    """An expression that gives the same value in every call: it was looked at once, at load."""

    __slots__ = ("value",)
    reads_request_body = False
    reads_response_body = False

    def __init__(self, value: Any) -> None:
        self.value = value

    def get(self, exchange: Exchange) -> Any:
        return self.value


class Evaluated:
    """An expression; any failure in it becomes ``ExpressionValueEvaluationFailure``."""

    __slots__ = ("_evaluate", "_steady", "reads_request_body", "reads_response_body")

    def __init__(self, expression: Expression) -> None:
        self._evaluate = expression.entry
        self._steady = expression.steady
        self.reads_request_body = expression.reads_request_body
        self.reads_response_body = expression.reads_response_body

    def get(self, exchange: Exchange) -> Any:
        run = exchange.run if self._steady else exchange.run_now()
        try:
            return self._evaluate(run)
        except Exception as error:
            failure = as_failure(error)
            raise PolicyError(
                500, "ExpressionValueEvaluationFailure", f"Expression evaluation failed. {failure}"
            ) from failure


class Remembered(Evaluated):
    """An expression whose value is known where its inputs are those of an earlier call.

    Only texts, numbers and booleans are remembered, and only for small inputs. Where they turn out
    to differ in most calls, remembering rests for a while.
    """

    __slots__ = ("_hits", "_inputs", "_known", "_rest")

    def __init__(self, expression: Expression) -> None:
        super().__init__(expression)
        assert expression.inputs is not None
        self._inputs = expression.inputs
        self._known: dict[tuple[Any, ...], Any] = {}
        self._hits = 0
        self._rest = 0

    def get(self, exchange: Exchange) -> Any:
        if self._rest:
            self._rest -= 1
            return super().get(exchange)
        inputs = self._inputs(exchange.run if self._steady else exchange.run_now())
        value = self._known.get(inputs, _UNKNOWN)
        if value is not _UNKNOWN:
            self._hits += 1
            return value
        value = super().get(exchange)
        if all(_is_small(each) for each in (value, *inputs)):
            self._keep(inputs, value)
        return value

    def _keep(self, inputs: tuple[Any, ...], value: Any) -> None:
        if len(self._known) == _MOST_REMEMBERED:
            if self._hits < _MOST_REMEMBERED:
                self._rest = _CALLS_OF_REST
            self._known.clear()
            self._hits = 0
        self._known[inputs] = value


def _is_small(value: Any) -> bool:
    """Whether a value, or an input, may be kept: it never changes and takes little memory."""
    if type(value) is tuple:
        return len(value) <= _LONGEST_LIST and all(_is_small(each) for each in value)
    if type(value) is str:
        return len(value) <= _LONGEST_TEXT
    return value is None or value is ... or type(value) in (bool, int, Jwt)


class Converted:
    """A value whose result is turned into what the policy needs, or refused by ``convert``."""

    __slots__ = ("_convert", "_inner", "reads_request_body", "reads_response_body")

    def __init__(self, inner: Value, convert: Callable[[Any], Any]) -> None:
        self._inner = inner
        self._convert = convert
        self.reads_request_body = inner.reads_request_body
        self.reads_response_body = inner.reads_response_body

    def get(self, exchange: Exchange) -> Any:
        return self._convert(self._inner.get(exchange))


def text_of(value: Any) -> str:
    """A value as the text that C# would put into a message."""
    return value if isinstance(value, str) else as_text(value)


def bytes_of(value: Any) -> bytes:
    """A value as the bytes of a body: bytes stay, anything else is UTF-8 text."""
    return value if isinstance(value, bytes) else text_of(value).encode()


def boolean_of(value: Any) -> bool:
    """A condition's result; the words true and false count too.

    :raises PolicyError: for anything else.
    """
    if isinstance(value, bool):
        return value
    text = text_of(value).strip().lower()
    if text not in ("true", "false"):
        raise PolicyError(
            500, "ExpressionValueEvaluationFailure", f"'{text[:80]}' is not true or false."
        )
    return text == "true"


def integer_of(value: Any) -> int:
    """A whole number, also when it comes as text.

    :raises PolicyError: for anything else.
    """
    if type(value) is int or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    try:
        return int(text_of(value))
    except ValueError:
        raise PolicyError(
            500, "ExpressionValueEvaluationFailure", f"'{text_of(value)[:80]}' is no whole number."
        ) from None


def status_of(value: Any) -> int:
    """A status code that can be sent, 200 to 599.

    :raises PolicyError: for anything else.
    """
    status = integer_of(value)
    if 200 <= status <= 599:
        return status
    raise PolicyError(
        500, "ExpressionValueEvaluationFailure", f"{status} is no status that can be sent."
    )


def one_of(options: Sequence[str]) -> Callable[[Any], str]:
    """What takes a result as one of these words; another ends the call as a failed expression."""

    def chosen(value: Any) -> str:
        word = text_of(value).strip()
        if word in options:
            return word
        raise PolicyError(
            500,
            "ExpressionValueEvaluationFailure",
            f"'{word[:80]}' is none of {', '.join(options)}.",
        )

    return chosen


def compile_value(text: Text, file: str, wanted: Wanted = Wanted.ANYTHING) -> Value:
    """The value of an attribute or text.

    :raises PolicyDocumentError: when its expression cannot be compiled, or cannot give what is
        wanted.
    """
    if not starts_expression(text.value):
        return Constant(text.value)
    try:
        expression = _compiled(text.value, text.line, text.column)
    except ExpressionSyntaxError as error:
        raise PolicyDocumentError(file, error.line, error.column, error.reason) from error
    reason = refusal(expression.type, wanted)
    if reason is not None:
        raise PolicyDocumentError(file, text.line, text.column, reason)
    settled = expression.settled
    if settled is not None:
        return Settled(settled[0])
    return Evaluated(expression) if expression.inputs is None else Remembered(expression)
