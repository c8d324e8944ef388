"""Dataverse's error shape and the codes that the stand-in uses.

Source: Dataverse developer guide, 'Web service error codes' and 'Compose HTTP requests and handle
errors' (learn.microsoft.com/power-apps/developer/data-platform/webapi).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DataverseError(Exception):
    """An error as the Web API answers it: HTTP status, code, message, extra headers."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The error object."""
        return {"error": {"code": self.code, "message": self.message}}


def no_row(entity: str, row_id: str) -> DataverseError:
    """404: the row does not exist."""
    return DataverseError(404, "0x80040217", f"{entity} With Id = {row_id} Does Not Exist")


def bad_request(message: str) -> DataverseError:
    """400: the request cannot be understood."""
    return DataverseError(400, "0x80060888", message)


def no_resource(segment: str) -> DataverseError:
    """404: a segment of the address names nothing."""
    return DataverseError(404, "0x8006088a", f"Resource not found for the segment '{segment}'.")


def duplicate_key(columns: str) -> DataverseError:
    """412: an alternate key or the primary key is taken (0x80040237)."""
    return DataverseError(
        412,
        "0x80040237",
        f"A record that has the attribute values {columns} already exists. The entity key requires "
        "that this set of attributes contains unique values. Select unique values and try again.",
    )


def stale() -> DataverseError:
    """412: the row has another version than If-Match says."""
    return DataverseError(
        412,
        "0x80060882",
        "The version of the existing record doesn't match the RowVersion property provided.",
    )


def not_privileged(privilege: str, entity: str) -> DataverseError:
    """403: the application user lacks a privilege (0x80040220)."""
    return DataverseError(
        403,
        "0x80040220",
        f"Principal user is missing prv{privilege.title()}{entity} privilege.",
    )


def limit_reached(code: str, message: str, wait: int) -> DataverseError:
    """429: a service protection limit; ``wait`` is Retry-After in seconds."""
    return DataverseError(429, code, message, {"retry-after": str(wait)})


def unsupported(what: str) -> DataverseError:
    """501: a part of the Web API that the stand-in does not have."""
    return DataverseError(501, "0x80040265", f"The stand-in for Dataverse does not support {what}.")
