"""Graph's error shape (https://learn.microsoft.com/graph/errors)."""

from __future__ import annotations

from starlette.responses import JSONResponse


class GraphError(Exception):
    """An error as Graph answers it: HTTP status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self, request_id: str) -> JSONResponse:
        """The answer that carries it."""
        inner = {"request-id": request_id, "client-request-id": request_id}
        return JSONResponse(
            {"error": {"code": self.code, "message": self.message, "innerError": inner}},
            status_code=self.status,
        )


def not_found(what: str) -> GraphError:
    """404 for a resource that is not there."""
    return GraphError(404, "itemNotFound", f"{what} was not found.")


def not_supported(what: str) -> GraphError:
    """501 for a part of Graph that the stand-in does not have."""
    return GraphError(501, "notSupported", f"The stand-in for Microsoft Graph has no {what}.")
