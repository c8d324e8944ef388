"""Who calls Graph: a workload with application permissions, or a person with a delegated token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from hybridmandate.identity.principal import TokenRefused, TokenVerifier
from hybridmandate.twin.office.errors import GraphError


@dataclass(frozen=True, slots=True)
class Persona:
    """Who acts: object id, and for people their name and mail address."""

    object_id: str
    name: str
    mail: str | None = None
    permissions: frozenset[str] = frozenset()

    @property
    def is_person(self) -> bool:
        """Whether this is a person acting for themselves."""
        return self.mail is not None

    def to_graph(self) -> dict[str, dict[str, str | None]]:
        """As an identity set of Graph."""
        if self.is_person:
            return {"user": {"id": self.object_id, "displayName": self.name, "email": self.mail}}
        return {"application": {"id": self.object_id, "displayName": self.name}}


Endpoint = Callable[[Request, Persona], Awaitable[Response]]
"""What answers a request of a caller who is known."""
Guard = Callable[[Endpoint], Callable[[Request], Awaitable[Response]]]
"""Makes a route of an endpoint: finds out who calls, renders refusals."""


class PersonVerifier(Protocol):
    """Checks a delegated token; people may act on their own files, mail and approvals."""

    async def verify_person(self, authorization: str | None) -> Persona:
        """The person of an ``Authorization`` header. :raises TokenRefused: when it is none."""


class Callers:
    """Finds out who calls, and refuses what the caller may not do."""

    def __init__(self, workloads: TokenVerifier, people: PersonVerifier) -> None:
        self._workloads = workloads
        self._people = people

    async def identify(self, authorization: str | None) -> Persona:
        """The caller. :raises GraphError: 401 when the token is not valid for Graph."""
        try:
            principal = await self._workloads.verify(authorization)
        except TokenRefused as refused:
            if refused.reason != "token.human":
                raise _unauthenticated(refused) from None
        else:
            name = str(principal.claims.get("app_displayname") or principal.app_id)
            return Persona(principal.object_id, name, permissions=principal.roles)
        try:
            return await self._people.verify_person(authorization)
        except TokenRefused as refused:
            raise _unauthenticated(refused) from None


def require(caller: Persona, *permissions: str) -> None:
    """Let a person pass for themselves, and a workload with one of the application permissions.

    :raises GraphError: 403 otherwise.
    """
    if caller.is_person or caller.permissions & set(permissions):
        return
    needed = " or ".join(permissions)
    raise GraphError(
        403, "accessDenied", f"The application needs the permission {needed} and does not have it."
    )


def _unauthenticated(refused: TokenRefused) -> GraphError:
    return GraphError(401, "InvalidAuthenticationToken", refused.message)
