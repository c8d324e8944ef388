"""How an expression fails: at load with a position, at run time as a .NET exception."""

from __future__ import annotations

from typing import Any

_BASES = {
    "ArithmeticException": "SystemException",
    "DivideByZeroException": "ArithmeticException",
    "OverflowException": "ArithmeticException",
    "ArgumentException": "SystemException",
    "ArgumentNullException": "ArgumentException",
    "ArgumentOutOfRangeException": "ArgumentException",
    "RegexParseException": "ArgumentException",
    "FormatException": "SystemException",
    "UriFormatException": "FormatException",
    "IndexOutOfRangeException": "SystemException",
    "InvalidCastException": "SystemException",
    "InvalidOperationException": "SystemException",
    "KeyNotFoundException": "SystemException",
    "NotSupportedException": "SystemException",
    "NullReferenceException": "SystemException",
    "InsufficientExecutionStackException": "SystemException",
    "TimeZoneNotFoundException": "Exception",
    "CryptographicException": "SystemException",
    "RegexMatchTimeoutException": "TimeoutException",
    "TimeoutException": "SystemException",
    "XmlException": "SystemException",
    "XPathException": "SystemException",
    "JsonException": "Exception",
    "JsonReaderException": "JsonException",
    "JsonSerializationException": "JsonException",
    "SwitchExpressionException": "InvalidOperationException",
    "SystemException": "Exception",
}
"""Exception types an expression can name, each with its base (.NET API reference)."""

EXCEPTION_TYPES = frozenset(_BASES) | {"Exception"}


class ExpressionSyntaxError(Exception):
    """An expression that cannot be loaded; ``line`` and ``column`` (from 1) are the document's."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(f"{reason} (line {line}, column {column})")
        self.reason = reason
        self.line = line
        self.column = column


class ExpressionFailure(Exception):
    """An exception inside an expression, with the message and type name .NET would give.

    ``dotnet_type`` is the short type name, for example ``NullReferenceException``, or
    ``BudgetExceeded`` when the expression used more steps or memory than it may. No ``catch``
    block of an expression sees ``BudgetExceeded``.
    """

    def __init__(self, message: str, dotnet_type: str, inner: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.dotnet_type = dotnet_type
        self.inner = inner

    def is_a(self, name: str) -> bool:
        """Whether a ``catch`` of that type catches it."""
        if self.dotnet_type == "BudgetExceeded":
            return False
        current: str | None = self.dotnet_type
        while current is not None:
            if current == name:
                return True
            current = _BASES.get(current)
        return False


def null_reference() -> ExpressionFailure:
    """A member of null was used."""
    return ExpressionFailure(
        "Object reference not set to an instance of an object.", "NullReferenceException"
    )


def invalid_cast(source: str, target: str) -> ExpressionFailure:
    """A value is not of the type it is cast to; both are full .NET names."""
    return ExpressionFailure(
        f"Unable to cast object of type '{source}' to type '{target}'.", "InvalidCastException"
    )


def bad_format(message: str = "Input string was not in a correct format.") -> ExpressionFailure:
    """Text that cannot be read as what it should be."""
    return ExpressionFailure(message, "FormatException")


def argument(message: str) -> ExpressionFailure:
    """An argument that a method does not take."""
    return ExpressionFailure(message, "ArgumentException")


def argument_null(name: str) -> ExpressionFailure:
    """An argument that must not be null."""
    return ExpressionFailure(f"Value cannot be null. (Parameter '{name}')", "ArgumentNullException")


def out_of_range(name: str, message: str | None = None) -> ExpressionFailure:
    """An argument outside of what a method takes."""
    text = message or "Specified argument was out of the range of valid values."
    return ExpressionFailure(f"{text} (Parameter '{name}')", "ArgumentOutOfRangeException")


def invalid_operation(message: str) -> ExpressionFailure:
    """A call that the state of the object does not allow."""
    return ExpressionFailure(message, "InvalidOperationException")


def as_failure(error: Exception) -> ExpressionFailure:
    """What a Python exception out of the library code means in .NET terms."""
    if isinstance(error, ExpressionFailure):
        return error
    if isinstance(error, ZeroDivisionError):
        return ExpressionFailure("Attempted to divide by zero.", "DivideByZeroException")
    if isinstance(error, RecursionError):
        return ExpressionFailure(
            "Insufficient stack to continue executing the program safely.",
            "InsufficientExecutionStackException",
        )
    if isinstance(error, OverflowError | ArithmeticError):
        return ExpressionFailure(
            "Value was either too large or too small for the type.", "OverflowException"
        )
    if isinstance(error, MemoryError):
        return ExpressionFailure("The expression asks for too much memory.", "BudgetExceeded")
    return argument(f"The call does not take these arguments ({type(error).__name__}: {error}).")
