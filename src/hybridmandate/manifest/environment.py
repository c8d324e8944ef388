"""An environment of a solution: local, dev, test or prod, each with its own everything (V5)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from hybridmandate.contracts.quantities import parse_duration
from hybridmandate.manifest.solution import Declared, LogicalName, Slug

VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=100)]
TenantId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


def _duration(value: str) -> str:
    parse_duration(value)
    return value


class EnvironmentKind(StrEnum):
    """What the environment is for; ``local`` is one machine with stand-ins."""

    LOCAL = "local"
    DEV = "dev"
    TEST = "test"
    PROD = "prod"


class Place(Declared):
    """Name and tenant of the environment."""

    name: Slug
    kind: EnvironmentKind
    tenant: TenantId


class Connection(Declared):
    """What stands behind a connection reference of a flow in this environment.

    ``connector`` is the connector's API name (``shared_office365``) or the folder of a custom
    connector; ``principal`` the workload principal that the connection belongs to: never a person
    (requirement P1). ``options`` are what the platform knows by itself of a connection: ``user``
    whose drive it is (OneDrive), ``sender`` whose mailbox sends (mail), ``site`` (SharePoint).
    """

    connector: str
    principal: Slug
    options: dict[str, str] = Field(default_factory=dict)


class Library(Declared):
    """A drive that the local office stand-in creates with its folders: the document library of a
    ``site``, with its ``lists``, or the OneDrive of a ``user``."""

    site: str = ""
    user: str = ""
    folders: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.site) == bool(self.user):
            raise ValueError("write either site or user")
        return self


StorageName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9](-?[a-z0-9])+$", min_length=3, max_length=63)
]


class StorageAccount(Declared):
    """What the local stand-in for the environment's storage account creates at start."""

    containers: tuple[StorageName, ...] = ()
    queues: tuple[StorageName, ...] = ()


Duration = Annotated[str, AfterValidator(_duration)]
"""A length of time, such as ``30 s`` or ``1 h``."""


class FlowRules(Declared):
    """How the flows of the environment run.

    ``profile`` is the performance profile and ``licence`` that of the flows' owner: what was bought
    decides which platform limits hold (K4). Without a licence requests are counted by flow only
    (Power Automate limits; api-request-limits). ``keep_steps`` is how long the durable steps of a
    run stay after its end, ``database_patience`` how long a database that takes no steps is waited
    for before the runs that need it stop.
    """

    profile: Literal["low", "medium", "high"] = "medium"
    licence: Literal["standard", "premium", "process"] | None = None
    keep_steps: Duration = "1 h"
    database_patience: Duration = "30 s"


class GatewayProcesses(Declared):
    """The gateway's processes on one machine.

    ``workers`` is how many; without a number, one per core (up to 4). They share the port and the
    counters; each has its own response cache, circuit breakers and concurrency limits, as the units
    of a bought gateway have. Several machines share their counts through a database when
    ``counters_url_variable`` names the environment variable that holds its URL: the URL may hold a
    password, so it stands in no file. Within a database, all gateways count together.
    """

    workers: Annotated[int, Field(ge=1, le=64)] | None = None
    counters_url_variable: VariableName | None = None


class Environment(Declared):
    """One environment: named values of the gateway, variables of flows, connections."""

    environment: Place
    named_values: dict[str, str] = Field(default_factory=dict)
    variables: dict[LogicalName, Any] = Field(default_factory=dict)
    connections: dict[LogicalName, Connection] = Field(default_factory=dict)
    libraries: dict[Slug, Library] = Field(default_factory=dict)
    storage: StorageAccount = StorageAccount()
    flows: FlowRules = FlowRules()
    gateway: GatewayProcesses = GatewayProcesses()
