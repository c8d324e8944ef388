"""What policies read most, as short code: variables and headers by a name known at load.

The general way (receiver, indexer, conversion) gives the same values; a policy set reads a dozen of
these a call, so the steps between are worth leaving out.
"""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp.compiler import Code, Compiler
from hybridmandate.governance.gateway.csharp.types.http_types import (
    Values,
    Variables,
    of_gateway,
    variable,
)

CONTEXT: Final = "context"
REQUEST: Final = "context.Request"
VARIABLES: Final = "context.Variables"
REQUEST_HEADERS: Final = "context.Request.Headers"
STEADY: Final = frozenset({
    VARIABLES,
    REQUEST_HEADERS,
    *(f"{CONTEXT}.{name}" for name in (
        "Api", "Deployment", "Elapsed", "Operation", "Product", "RequestId", "Subscription",
        "Timestamp",
    )),
    *(f"{REQUEST}.{name}" for name in ("Id", "IpAddress", "MatchedParameters", "OriginalUrl")),
})  # fmt: skip
"""Parts that are the same throughout a call, so that they need no bringing up to date."""

_PARTS: Final[dict[str, str]] = {
    REQUEST: "context.request",
    VARIABLES: "k(context.variables)",
    REQUEST_HEADERS: "k(context.request.headers)",
}
_OBJECTS: Final[dict[str, Any]] = {VARIABLES: Variables, REQUEST_HEADERS: Values}


def part_of(c: Compiler, place: str, name: str, type_name: str) -> Code | None:
    """A part of ``context`` that is never null, by the place it hangs on."""
    found = f"{place}.{name}"
    template = _PARTS.get(found) if place else None
    if template is None:
        return None
    objects = {"k": _OBJECTS[found]} if found in _OBJECTS else {}
    return c.write(template, type_name, place=found, exact=True, **objects)


def variable_named(c: Compiler, name: Code, type_name: str) -> Code:
    """``context.Variables["name"]``."""
    return c.write(
        "V if (V := context.variables.get(A)) is not None and type(V) is not bytes "
        "else k(many(context.variables), A)",
        type_name, k=variable, many=Variables, A=name,
    )  # fmt: skip


def variable_or_literal(c: Compiler, name: Code, default: Code, type_name: str) -> Code:
    """``context.Variables.GetValueOrDefault("name", "default")``."""
    return c.write(
        "V if type(V := context.variables.get(A, B)) is not bytes else k(V)",
        type_name, k=of_gateway, A=name, B=default,
    )  # fmt: skip


def header_or_literal(c: Compiler, name: str, default: Code) -> Code:
    """``context.Request.Headers.GetValueOrDefault("name", "default")``."""
    return c.write(
        "B if not (V := context.request.headers.values(A)) "
        "else V[0] if len(V) == 1 else k(budget, V)",
        "string", exact=True, k=_joined, A=c.constant(name.lower(), "string"), B=default,
    )  # fmt: skip


def contains_variable(c: Compiler, name: Code) -> Code:
    """``context.Variables.ContainsKey("name")``."""
    return c.write("A in context.variables", "bool", exact=True, A=name)


def _joined(budget: Any, values: list[str]) -> str:
    text = ",".join(values)
    budget.allocate(len(text))
    return text
