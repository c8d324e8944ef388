"""The hybrid solution as a checked model: `mandate.toml` (requirements T1, P3, P5, D1, D2)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from hybridmandate.contracts.outcome import ContractRef
from hybridmandate.contracts.quantities import parse_duration, parse_size

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
LogicalName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*_[a-z0-9_]+$")]
Role = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*(\.[A-Z][A-Za-z0-9]*)+$")]
Mail = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Declared(BaseModel):
    """Base of everything declared in a manifest: closed and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SolutionClass(StrEnum):
    """How much a solution matters; decides its guard rails (requirement C1)."""

    PRODUCTIVITY = "productivity"
    TEAM = "team"
    DEPARTMENTAL = "departmental"
    ENTERPRISE = "enterprise"
    REGULATED = "regulated"


class About(Declared):
    """Name, version and class of the solution; ``publisher`` is the Dataverse prefix."""

    name: Slug
    title: str
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
    class_: SolutionClass = Field(alias="class")
    publisher: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{1,7}$")]


class Owner(Declared):
    """Who answers for one tier of the solution."""

    team: Annotated[str, StringConstraints(min_length=2)]
    contact: Mail


class Owners(Declared):
    """The three owners without whom a solution is refused (requirement T1)."""

    orchestration: Owner
    execution: Owner
    governance: Owner


class Services(Declared):
    """Operations of the shipped services that the solution publishes: ``name/version``."""

    operations: tuple[str, ...] = ()

    @field_validator("operations")
    @classmethod
    def _names_and_versions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            name, _, version = each.partition("/")
            if not name or not version.isdigit():
                raise ValueError(f"'{each}': write name/version, such as files.store/1")
        return value

    @property
    def refs(self) -> tuple[ContractRef, ...]:
        """The operations as contract references."""
        parts = (each.partition("/") for each in self.operations)
        return tuple(ContractRef(operation=name, version=int(v)) for name, _, v in parts)


class PrincipalKind(StrEnum):
    """How a principal proves itself; managed identity first (requirement P6)."""

    SERVICE_PRINCIPAL = "service-principal"
    MANAGED_IDENTITY = "managed-identity"
    FEDERATED = "federated"


TierName = Literal["orchestration", "execution", "governance"]
Privilege = Literal["create", "read", "update", "delete"]
StorageRole = Literal[
    "Storage Blob Data Reader",
    "Storage Blob Data Contributor",
    "Storage Queue Data Reader",
    "Storage Queue Data Contributor",
    "Storage Queue Data Message Sender",
    "Storage Queue Data Message Processor",
]


class DeclaredPrincipal(Declared):
    """A workload identity: named, owned, with the roles it needs and no others.

    ``roles`` are application roles on the gateway API, ``internal`` roles on the services behind
    it, ``dataverse`` privileges by table, ``graph`` application permissions in Microsoft Graph,
    ``flows`` roles on the triggers of flows (requirement I2), ``storage`` data roles on the
    environment's storage account.
    """

    kind: PrincipalKind
    tier: TierName
    owner: TierName
    purpose: Annotated[str, StringConstraints(min_length=8)]
    roles: tuple[Role, ...] = ()
    internal: tuple[Role, ...] = ()
    dataverse: dict[LogicalName, tuple[Privilege, ...]] = Field(default_factory=dict)
    graph: tuple[str, ...] = ()
    flows: tuple[Literal["Flows.Trigger"], ...] = ()
    storage: tuple[StorageRole, ...] = ()
    enabled: bool = True


class Person(Declared):
    """A person in the local directory; never a caller of an unattended path.

    ``title`` is their job, ``manager`` the person they report to.
    """

    name: str
    mail: Mail
    title: str | None = None
    manager: Slug | None = None


Classification = Literal["public", "internal", "confidential", "restricted"]


class View(Declared):
    """A declared reading of one table: exactly these columns may leave (requirement D1)."""

    version: int = Field(ge=1)
    table: LogicalName
    columns: tuple[LogicalName, ...] = Field(min_length=1)
    filter: tuple[LogicalName, ...] = ()
    role: Role
    classification: Classification
    max_rows: int = Field(default=1000, ge=1, le=5000)


class Commit(Declared):
    """A declared write: this table, these columns, these actions (requirement D2).

    ``key`` is the alternate key that identifies a record; ``ledger`` the table that receives a row
    per record in the same change set.
    """

    version: int = Field(ge=1)
    table: LogicalName
    key: tuple[LogicalName, ...] = Field(min_length=1)
    columns: tuple[LogicalName, ...] = Field(min_length=1)
    actions: tuple[Literal["create", "update"], ...] = Field(min_length=1)
    role: Role
    classification: Classification
    max_records: int = Field(default=1000, ge=1, le=1000)
    ledger: LogicalName


class FileRules(Declared):
    """The governed file store: limits, retention, and which principals may read files."""

    max_size: str = "32 MiB"
    retention: str = "90 d"
    readers: tuple[Slug, ...] = ()

    @field_validator("max_size")
    @classmethod
    def _size(cls, value: str) -> str:
        parse_size(value)
        return value

    @field_validator("retention")
    @classmethod
    def _duration(cls, value: str) -> str:
        parse_duration(value)
        return value


class ExecutionRules(Declared):
    """What the execution tier may reach: names of dependencies (requirement N3)."""

    dependencies: tuple[Literal["gateway", "identity"], ...] = ("gateway", "identity")


class Solution(Declared):
    """A hybrid solution's manifest."""

    solution: About
    owners: Owners
    services: Services = Services()
    principals: dict[Slug, DeclaredPrincipal]
    people: dict[Slug, Person] = Field(default_factory=dict)
    views: dict[Slug, View] = Field(default_factory=dict)
    commits: dict[Slug, Commit] = Field(default_factory=dict)
    files: FileRules = FileRules()
    execution: ExecutionRules = ExecutionRules()
