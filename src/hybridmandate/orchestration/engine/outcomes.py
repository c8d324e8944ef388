"""How an action ended: the value that every action kind gives back to the stepper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hybridmandate.orchestration.definition.model import Status
from hybridmandate.orchestration.expressions import type_name


class Ended(NamedTuple):
    """A final status with what goes with it; ``outputs`` None means that there are none."""

    status: Status
    outputs: Any = None
    code: str | None = None
    error: Mapping[str, Any] | None = None

    @classmethod
    def succeeded(cls, outputs: Any = None, code: str = "OK") -> Ended:
        """It did what it should."""
        return cls(Status.SUCCEEDED, outputs, code)

    @classmethod
    def failed(cls, code: str, message: str, outputs: Any = None) -> Ended:
        """It did not; ``code`` and ``message`` as the platform shows them."""
        return cls(Status.FAILED, outputs, code, {"code": code, "message": message})


class ActionFault(Exception):
    """Raised while an action is evaluated; becomes a failed action with this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def object_of(value: Any, name: str) -> dict[str, Any]:
    """The fields of what must be an object, none of null.

    :raises ActionFault: for any other value; ``name`` says which it is.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ActionFault(
            "InvalidTemplate",
            f"'{name}' is of type '{type_name(value)}'. The value must be an object.",
        )
    return value
