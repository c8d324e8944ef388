"""What a verified workload token says, and the seams for verifying and obtaining tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller.

    ``object_id`` is claim ``oid``, ``app_id`` claim ``azp`` (v2) or ``appid`` (v1), ``roles`` the
    application roles on the audience that was called, ``claims`` everything the token said.
    ``expires_at`` is epoch seconds.
    """

    object_id: str
    app_id: str
    tenant_id: str
    roles: frozenset[str]
    expires_at: float
    claims: Mapping[str, Any] = field(default_factory=dict)


class TokenRefused(Exception):
    """A token that does not open the door.

    ``reason`` is a stable code (``token.missing``, ``token.signature``, ``token.expired``,
    ``token.audience``, ``token.issuer``, ``token.tenant``, ``token.human``, ``token.role`` …).
    ``status`` is 401, or 403 for a valid token that lacks the role or belongs to a person.
    """

    def __init__(self, reason: str, message: str, *, status: int = 401) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.status = status


class TokenVerifier(Protocol):
    """The door's check, the same at execution, data gateway and flow triggers."""

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        """The principal of an ``Authorization`` header value.

        ``role`` is an application role that the token must carry, when given.
        :raises TokenRefused: for every token that is not valid here.
        """


class TokenSource(Protocol):
    """Where a workload gets its own tokens; managed identity first (requirement P6)."""

    async def token(self, resource: str) -> str:
        """A bearer token for a resource (``api://…`` or an https origin, without ``/.default``).

        Cached until shortly before it expires.
        :raises TokenUnavailable: when the identity endpoint refuses or does not answer.
        """


class TokenUnavailable(Exception):
    """No token could be had; ``transient`` says whether asking again later can help."""

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient
