"""What policies read most, each as one closure: variables, headers by a name known at load.

The general way (receiver, indexer, conversion) gives the same values; a policy set reads a dozen of
these a call, so the steps between are worth leaving out.
"""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp.compiler import Evaluate, Frame
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
STEADY: Final = frozenset({VARIABLES, REQUEST_HEADERS})
"""Parts that are the same objects throughout a call, so that they need no bringing up to date."""

_PARTS: Final[dict[str, Evaluate]] = {
    REQUEST: lambda frame: frame[0].context.request,
    VARIABLES: lambda frame: Variables(frame[0].context.variables),
    REQUEST_HEADERS: lambda frame: Values(frame[0].context.request.headers),
}


def part_of(place: str, name: str) -> tuple[str, Evaluate] | None:
    """A part of ``context`` that is never null, by the place it hangs on."""
    if not place:
        return None
    found = f"{place}.{name}"
    run = _PARTS.get(found)
    return None if run is None else (found, run)


def variable_named(name: str) -> Evaluate:
    """``context.Variables["name"]``."""

    def run(frame: Frame) -> Any:
        items = frame[0].context.variables
        value = items.get(name)
        if value is None or type(value) is bytes:
            return variable(Variables(items), name)
        return value

    return run


def variable_or_literal(name: str, default: str) -> Evaluate:
    """``context.Variables.GetValueOrDefault("name", "default")``."""

    def run(frame: Frame) -> Any:
        return of_gateway(frame[0].context.variables.get(name, default))

    return run


def header_or_literal(name: str, default: str) -> Evaluate:
    """``context.Request.Headers.GetValueOrDefault("name", "default")``."""

    def run(frame: Frame) -> str:
        run_ = frame[0]
        found = run_.context.request.headers.values(name)
        text: str = default if not found else found[0] if len(found) == 1 else ",".join(found)
        run_.budget.allocate(len(text))
        return text

    return run
