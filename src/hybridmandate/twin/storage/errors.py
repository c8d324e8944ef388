"""The error shape of Azure Storage.

Sources: learn.microsoft.com/rest/api/storageservices, 'Status and error codes', 'Blob service error
codes', 'Queue service error codes'.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from hybridmandate.twin.storage.markup import document, leaf


class StorageError(Exception):
    """An error as the service answers it: HTTP status, code, message, further headers."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The answer that carries it; the error code stands in a header, too."""
        headers = {**self.headers, "x-ms-error-code": self.code}
        if self.status == 304:
            return Response(status_code=304, headers=headers)
        body = document("Error", leaf("Code", self.code) + leaf("Message", self.message))
        return Response(
            body, status_code=self.status, headers=headers, media_type="application/xml"
        )


def not_implemented(what: str) -> StorageError:
    """501 for a part of the service that the stand-in does not have."""
    return StorageError(501, "NotImplemented", f"The stand-in for Azure Storage has no {what}.")


def queue_not_found() -> StorageError:
    """404: there is no such queue."""
    return StorageError(404, "QueueNotFound", "The specified queue does not exist.")


def container_not_found() -> StorageError:
    """404: there is no such container."""
    return StorageError(404, "ContainerNotFound", "The specified container does not exist.")


def blob_not_found() -> StorageError:
    """404: there is no such blob."""
    return StorageError(404, "BlobNotFound", "The specified blob does not exist.")


def invalid_query(name: str, value: object) -> StorageError:
    """400: a query parameter has a value that the service does not take."""
    return StorageError(
        400,
        "InvalidQueryParameterValue",
        f"Value for one of the query parameters specified in the request URI is invalid: "
        f"{name}={value}",
    )


def out_of_range(name: str, value: object, lowest: int, highest: int) -> StorageError:
    """400: a query parameter is a number outside of its bounds."""
    return StorageError(
        400,
        "OutOfRangeQueryParameterValue",
        f"{name}={value} is outside of the permissible range {lowest} to {highest}.",
    )


def invalid_header(name: str) -> StorageError:
    """400: a header has a value that the service does not take."""
    return StorageError(
        400,
        "InvalidHeaderValue",
        f"The value for one of the HTTP headers is not in the correct format: {name}",
    )
