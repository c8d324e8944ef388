"""Who may do what: Entra tokens, and the data roles that the account gives to principals.

Role names and data actions are those of Azure role-based access control
(learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage). Tokens for storage
carry no roles: assignments belong to the account.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from hybridmandate.identity.principal import TokenRefused, TokenVerifier
from hybridmandate.twin.storage.errors import StorageError


class Right(StrEnum):
    """A data action."""

    BLOB_READ = "blobs/read"
    BLOB_WRITE = "blobs/write"
    QUEUE_READ = "queues/read"
    QUEUE_WRITE = "queues/write"
    MESSAGE_READ = "messages/read"
    MESSAGE_ADD = "messages/add"
    MESSAGE_PROCESS = "messages/process"
    MESSAGE_DELETE = "messages/delete"
    MESSAGE_WRITE = "messages/write"


_QUEUE_CONTRIBUTOR = frozenset(
    each for each in Right if each not in (Right.BLOB_READ, Right.BLOB_WRITE)
)
ROLES: Mapping[str, frozenset[Right]] = {
    "Storage Blob Data Reader": frozenset({Right.BLOB_READ}),
    "Storage Blob Data Contributor": frozenset({Right.BLOB_READ, Right.BLOB_WRITE}),
    "Storage Queue Data Reader": frozenset({Right.QUEUE_READ, Right.MESSAGE_READ}),
    "Storage Queue Data Contributor": _QUEUE_CONTRIBUTOR,
    "Storage Queue Data Message Sender": frozenset({Right.MESSAGE_ADD}),
    "Storage Queue Data Message Processor": frozenset(
        {Right.MESSAGE_READ, Right.MESSAGE_PROCESS, Right.MESSAGE_DELETE}
    ),
}
"""What each built-in role may do."""


class Access:
    """The door of the account; ``assignments`` are role names by application id."""

    def __init__(
        self, verifier: TokenVerifier, assignments: Mapping[str, frozenset[str]], authority: str
    ) -> None:
        """:raises ValueError: for a role that there is not."""
        unknown = sorted({r for roles in assignments.values() for r in roles} - ROLES.keys())
        if unknown:
            raise ValueError(f"there is no storage data role '{unknown[0]}'")
        self._verifier = verifier
        self._rights = {
            application: frozenset(right for role in roles for right in ROLES[role])
            for application, roles in assignments.items()
        }
        self._challenge = (
            f"Bearer authorization_uri={authority}/oauth2/authorize "
            "resource_id=https://storage.azure.com"
        )

    async def rights(self, authorization: str | None, query: Mapping[str, str]) -> frozenset[Right]:
        """What the caller may do. :raises StorageError: 401 or 403 when it proves nothing."""
        if "sig" in query or (authorization or "").startswith("SharedKey"):
            raise StorageError(
                403,
                "KeyBasedAuthenticationNotPermitted",
                "Key based authentication is not permitted on this storage account.",
            )
        if authorization is None:
            raise StorageError(
                401,
                "NoAuthenticationInformation",
                "Server failed to authenticate the request. Please refer to the information in "
                "the www-authenticate header.",
                {"www-authenticate": self._challenge},
            )
        try:
            principal = await self._verifier.verify(authorization)
        except TokenRefused as refused:
            if refused.status == 403:
                raise _mismatch() from None
            raise StorageError(
                401,
                "InvalidAuthenticationInfo",
                f"Server failed to authenticate the request: {refused.message}",
                {"www-authenticate": self._challenge},
            ) from None
        return self._rights.get(principal.app_id, frozenset())


def demand(rights: frozenset[Right], *one_of: Right) -> None:
    """:raises StorageError: 403 when the caller has none of these rights."""
    if not rights & set(one_of):
        raise _mismatch()


def _mismatch() -> StorageError:
    return StorageError(
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
    )
