"""A tenant's directory as values: applications, the APIs they may call, identities and people."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class IdentityKind(StrEnum):
    """How a workload proves itself."""

    SERVICE_PRINCIPAL = "service-principal"
    MANAGED_IDENTITY = "managed-identity"
    FEDERATED = "federated"


@dataclass(frozen=True, slots=True)
class Workload:
    """An application or managed identity: ``client_id`` is its application id, ``object_id`` its
    service principal's id, ``tier`` and ``owner`` who it belongs to, as the solution declares."""

    name: str
    kind: IdentityKind
    client_id: str
    object_id: str
    tier: str = ""
    owner: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Api:
    """A resource that tokens are for.

    ``identifier`` is its identifier URI (or origin), the ``resource`` that callers ask for.
    ``token_version`` is 1 or 2: v1 tokens have ``aud`` = the resource as asked for, v2 tokens
    ``aud`` = the API's application id. ``roles`` are its application roles. Each API requires
    assignment: a workload that is not assigned gets no token.
    """

    name: str
    identifier: str
    client_id: str
    object_id: str
    roles: frozenset[str] = frozenset()
    token_version: int = 1

    def __post_init__(self) -> None:
        if self.token_version not in (1, 2):
            raise ValueError("tokens have version 1 or 2")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A workload's access to an API: its roles there, which may be none (Dataverse decides by its
    own security roles)."""

    workload: str
    api: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class User:
    """A person. Their tokens are delegated and open no unattended door."""

    name: str
    object_id: str
    display_name: str
    mail: str


@dataclass(frozen=True, slots=True)
class Directory:
    """One tenant. Lookups return None for what is not there."""

    tenant_id: str
    workloads: tuple[Workload, ...] = ()
    apis: tuple[Api, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    users: tuple[User, ...] = ()
    _by_client: dict[str, Workload] = field(init=False, repr=False, compare=False)
    _by_identifier: dict[str, Api] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_client = {each.client_id: each for each in self.workloads}
        by_identifier = {each.identifier: each for each in self.apis}
        by_identifier |= {each.client_id: each for each in self.apis}
        names = {each.name for each in self.workloads}
        if len(by_client) != len(self.workloads) or len(names) != len(self.workloads):
            raise ValueError("two workloads of the directory have the same id or name")
        if len(by_identifier) != 2 * len(self.apis):
            raise ValueError("two APIs of the directory have the same identifier")
        object.__setattr__(self, "_by_client", by_client)
        object.__setattr__(self, "_by_identifier", by_identifier)

    def workload(self, client_id: str) -> Workload | None:
        """The workload of an application id."""
        return self._by_client.get(client_id.lower())

    def named(self, name: str) -> Workload | None:
        """The workload of a name."""
        return next((each for each in self.workloads if each.name == name), None)

    def api(self, resource: str) -> Api | None:
        """The API of an identifier URI or application id; a trailing slash does not matter."""
        return self._by_identifier.get(resource.rstrip("/"))

    def assignment(self, workload: Workload, api: Api) -> Assignment | None:
        """What the workload may do on the API."""
        return next(
            (a for a in self.assignments if a.workload == workload.name and a.api == api.name),
            None,
        )

    def user(self, mail: str) -> User | None:
        """The person of a mail address."""
        return next((each for each in self.users if each.mail.lower() == mail.lower()), None)
