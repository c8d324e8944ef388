"""One operation of a connector as an action asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class OperationCall:
    """``parameters`` are flat as in the file: nested body fields have keys such as ``item/name``.

    ``idempotency_key`` is the same for every attempt and after a crash.
    """

    operation_id: str
    parameters: Mapping[str, Any]
    correlation_id: str
    idempotency_key: str
    pagination: int | None = None

    def required(self, name: str) -> Any:
        """A parameter. :raises MissingParameter: when the action does not give it."""
        value = self.parameters.get(name)
        if value is None:
            raise MissingParameter(self.operation_id, name)
        return value

    def nested(self, prefix: str) -> dict[str, Any]:
        """The object whose fields are given flat (``item/a``, ``item/b/c``) or whole (``item``)."""
        whole = self.parameters.get(prefix)
        built: dict[str, Any] = dict(whole) if isinstance(whole, Mapping) else {}
        for key, value in self.parameters.items():
            if not key.startswith(f"{prefix}/"):
                continue
            *path, last = key[len(prefix) + 1 :].split("/")
            place = built
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
        return built


class MissingParameter(Exception):
    """An action does not give a parameter that its operation needs."""

    def __init__(self, operation_id: str, name: str) -> None:
        super().__init__(f"operation '{operation_id}' needs the parameter '{name}'")
