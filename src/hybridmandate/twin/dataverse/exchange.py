"""A single request of the Web API and its answer, as values: also what stands inside a batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hybridmandate.twin.dataverse.errors import DataverseError, bad_request

ROOT = "/api/data/v9.2/"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request; ``path`` is below the API's root and decoded, header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> ApiRequest:
        """A request for an absolute or relative address; spaces in it may be raw."""
        try:
            parts = urlsplit(target)
        except ValueError:
            raise bad_request("The address of the request cannot be read.") from None
        path = parts.path
        start = path.find(ROOT)
        path = path[start + len(ROOT) :] if start >= 0 else path.lstrip("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(
            method.upper(),
            unquote(path),
            query,
            {name.lower(): value for name, value in headers.items()},
            body,
        )

    def json(self) -> dict[str, Any]:
        """The body as an object. :raises DataverseError: 400 when it is none."""
        try:
            value = json.loads(self.body or b"{}", parse_constant=no_constant)
        except (ValueError, RecursionError):
            raise bad_request("The body is not valid JSON.") from None
        if not isinstance(value, dict):
            raise bad_request("The body must be a JSON object.")
        return value

    def prefers(self, name: str) -> bool:
        """Whether the Prefer header asks for something."""
        return any(
            part.strip().lower() == name for part in self.headers.get("prefer", "").split(",")
        )


def no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python's reader takes. :raises ValueError: always."""
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """One answer; ``body`` is JSON or None for an empty one, ``data`` the bytes of a file."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None

    def content(self) -> bytes:
        """The body's bytes."""
        if self.data is not None:
            return self.data
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()

    @classmethod
    def of_error(cls, error: DataverseError) -> ApiAnswer:
        """An error as an answer."""
        return cls(error.status, error.body(), error.headers)
