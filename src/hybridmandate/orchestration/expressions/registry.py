"""The functions of the language: what each takes, what it gives, where it is documented."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hybridmandate.orchestration.expressions.values import TYPE_NAMES

REFERENCE = (
    "https://learn.microsoft.com/azure/logic-apps/workflow-definition-language-functions-reference"
)

Thunk = Callable[[Any], Any]
Body = TypeVar("Body", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument. ``least`` and ``most`` say how often it stands (most None: any number)."""

    name: str
    accepts: frozenset[type]
    least: int = 1
    most: int | None = 1

    @property
    def expected(self) -> str:
        """The types that it takes, in words."""
        if len(self.accepts) == len(TYPE_NAMES):
            return "any value"
        names = sorted({TYPE_NAMES[each] for each in self.accepts})
        return " or ".join(f"{'an' if name[0] in 'AIO' else 'a'} {name.lower()}" for name in names)


def required(name: str, accepts: frozenset[type]) -> Parameter:
    """An argument that must stand."""
    return Parameter(name, accepts)


def optional(name: str, accepts: frozenset[type]) -> Parameter:
    """An argument that may be left out."""
    return Parameter(name, accepts, least=0)


def repeated(name: str, accepts: frozenset[type], least: int = 1) -> Parameter:
    """An argument that may stand any number of times."""
    return Parameter(name, accepts, least=least, most=None)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language. ``example`` (an expression without ``@``) evaluates to ``gives``.

    ``lazy`` holds the body of a function that evaluates its own arguments; its other ``body`` is
    the same function on values.
    """

    name: str
    family: str
    parameters: tuple[Parameter, ...]
    body: Callable[..., Any]
    example: str
    gives: Any
    lazy: Callable[..., Any] | None = None

    @property
    def summary(self) -> str:
        """The first paragraph of the body's docstring."""
        return " ".join((inspect.getdoc(self.body) or "").partition("\n\n")[0].split())

    @property
    def source(self) -> str:
        """The page that documents the function."""
        return f"{REFERENCE}#{self.name}"

    @property
    def least(self) -> int:
        """How few arguments it takes."""
        return sum(each.least for each in self.parameters)

    @property
    def most(self) -> int | None:
        """How many arguments it takes; None without an end."""
        total = 0
        for each in self.parameters:
            if each.most is None:
                return None
            total += each.most
        return total

    def parameter(self, index: int) -> Parameter:
        """The declaration of the argument at an index; the last one stands for all that follow."""
        return self.parameters[min(index, len(self.parameters) - 1)]

    def check_count(self, count: int) -> str | None:
        """What is wrong with a number of arguments, or None."""
        most = self.most
        if count >= self.least and (most is None or count <= most):
            return None
        if most is None:
            wanted = f"at least {self.least}"
        elif most == self.least:
            wanted = str(most)
        else:
            wanted = f"{self.least} to {most}"
        return (
            f"the template language function '{self.name}' expects {wanted} parameter(s), "
            f"it was invoked with {count}"
        )


FUNCTIONS: dict[str, Function] = {}


class Family:
    """A group of functions of the reference; its decorator registers the functions of a module."""

    def __init__(self, name: str) -> None:
        self.name = name

    def function(
        self, name: str, *parameters: Parameter, example: str, gives: Any
    ) -> Callable[[Body], Body]:
        """Register a body, called as ``body(frame, *values)``."""

        def register(body: Body) -> Body:
            _add(Function(name, self.name, parameters, body, example, gives))
            return body

        return register

    def lazy(
        self, name: str, *parameters: Parameter, example: str, gives: Any
    ) -> Callable[[Body], Body]:
        """Register a body that evaluates its own arguments: ``body(frame, thunks)``."""

        def register(body: Body) -> Body:
            def on_values(frame: Any, *values: Any) -> Any:
                return body(frame, [_constant(value) for value in values])

            on_values.__doc__ = body.__doc__
            _add(Function(name, self.name, parameters, on_values, example, gives, lazy=body))
            return body

        return register


def _constant(value: Any) -> Thunk:
    return lambda frame: value


def find(name: str) -> Function | None:
    """The function of a name, in any case, or None."""
    return FUNCTIONS.get(name.lower())


def _add(made: Function) -> None:
    key = made.name.lower()
    if key in FUNCTIONS:
        raise ValueError(f"the function {made.name} is declared twice")
    FUNCTIONS[key] = made
