"""What can go wrong: a document that must not be deployed, and a call that a policy ends.

The fields of :class:`PolicyError` are those of ``context.LastError``
(learn.microsoft.com/azure/api-management/api-management-error-handling-policies).
"""

from __future__ import annotations

from collections.abc import Sequence


class PolicyDocumentError(Exception):
    """A policy document or configuration that API Management would reject at deployment.

    ``file`` is the document's path or name, ``line`` and ``column`` count from 1.
    """

    def __init__(self, file: str, line: int, column: int, reason: str) -> None:
        super().__init__(f"{file}:{line}:{column}: {reason}")
        self.file = file
        self.line = line
        self.column = column
        self.reason = reason


class PolicyError(Exception):
    """A policy stops the pipeline: the call goes to on-error with this status and reason.

    ``public`` is what the caller reads where ``message`` is not meant for it; ``source`` is filled
    in by the pipeline with the policy's name when it is left empty;
    ``headers`` go on the error response; with ``keep_response`` the response at hand is the error
    response (forward-request with fail-on-error-status-code).
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        source: str = "",
        headers: Sequence[tuple[str, str]] = (),
        keep_response: bool = False,
        public: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.source = source
        self.headers = tuple(headers)
        self.keep_response = keep_response
        self.public = public
        self.section = ""
        self.scope = ""
        self.path = ""
        self.policy_id: str | None = None


class ResponseReady(Exception):
    """A policy has made the final response: the rest of the pipeline does not run."""


class StoredResponse(ResponseReady):
    """A response of the cache: the call goes on in outbound, after the policy that stored it.

    ``scope`` and ``path`` are the place of that policy. API Management's own trace says so: a hit
    goes on "from the step in the response pipeline that is after the corresponding cache-store".
    """

    def __init__(self, scope: str, path: str) -> None:
        super().__init__()
        self.scope = scope
        self.path = path
