"""Errors of SharePoint's REST interface: a code with the name of a .NET exception."""

from __future__ import annotations

_CLIENT = "Microsoft.SharePoint.Client"


class RestError(Exception):
    """An error as SharePoint answers it: HTTP status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    @classmethod
    def bad(cls, message: str) -> RestError:
        """400: the request cannot be understood."""
        return cls(400, f"-1, {_CLIENT}.InvalidClientQueryException", message)

    @classmethod
    def missing(cls, message: str) -> RestError:
        """404: what is asked for is not there."""
        return cls(404, f"-2130575338, {_CLIENT}.ResourceNotFoundException", message)

    @classmethod
    def no_list(cls, name: str) -> RestError:
        """404: the site has no list of that name."""
        message = f"List '{name}' does not exist at site."
        return cls(404, "-1, System.ArgumentException", message)

    @classmethod
    def no_file(cls) -> RestError:
        """404: there is no file or folder of that path."""
        return cls(404, "-2130575338, System.IO.FileNotFoundException", "File Not Found.")

    @classmethod
    def stale(cls) -> RestError:
        """412: the item has another version than If-Match says, or If-Match is missing."""
        code = f"-1, {_CLIENT}.ClientServiceException"
        return cls(412, code, "The request ETag value does not match the object's ETag value.")

    @classmethod
    def not_simulated(cls, what: str) -> RestError:
        """501: a part of the interface that the stand-in does not have."""
        message = f"The stand-in for SharePoint's REST interface has no {what}: not simulated."
        return cls(501, "-1, System.NotSupportedException", message)
