"""What a gateway serves: APIs, operations, documents, named values; as loaded, nothing compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from hybridmandate.contracts.lifecycle import Lifecycle
from hybridmandate.governance.gateway.contract_check import SchemaCheck


@dataclass(frozen=True, slots=True)
class Document:
    """The raw text of one policy document and the file it came from."""

    text: str
    file: str


@dataclass(frozen=True, slots=True)
class OperationEntry:
    """One operation of an API.

    ``url_template`` starts with ``/`` and may hold ``{parameter}`` segments or end in ``/*``;
    ``method`` is upper case, ``*`` for any. ``request_content_types`` are those of its
    representations, ``parameters`` its declared OpenAPI parameters, ``responses`` by status the
    schema of each content type; ``samples`` by status (content type, text) for mock-response. The
    checks are the schemas, compiled, by bare content type.
    """

    id: str
    name: str
    method: str
    url_template: str
    policy: Document | None = None
    request_schemas: Mapping[str, Any] = field(default_factory=dict)
    parameters: tuple[Mapping[str, Any], ...] = ()
    responses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    samples: Mapping[int, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    lifecycle: Lifecycle | None = None
    request_checks: Mapping[str, SchemaCheck] = field(default_factory=dict)
    response_checks: Mapping[str, Mapping[str, SchemaCheck]] = field(default_factory=dict)


class VersioningScheme(StrEnum):
    """Where a request of a version set says which version it wants (API versions page)."""

    SEGMENT = "Segment"
    HEADER = "Header"
    QUERY = "Query"


@dataclass(frozen=True, slots=True)
class VersionSet:
    """Versions of one API below one path; ``parameter`` names the header or query parameter."""

    id: str
    name: str
    scheme: VersioningScheme
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class ApiEntry:
    """One API: its path below the gateway, its back end, its operations and policy.

    ``version_set`` is the id of the set that ``version`` belongs to; the version without a name is
    the set's original. A ``revision`` that is not ``current`` answers only when it is asked for
    by number (``path;rev=2``). ``file`` is where it was read from, for findings.
    """

    id: str
    name: str
    path: str
    service_url: str | None
    operations: tuple[OperationEntry, ...]
    policy: Document | None = None
    subscription_required: bool = False
    subscription_key_header: str = "Ocp-Apim-Subscription-Key"
    subscription_key_query: str = "subscription-key"
    revision: str = "1"
    current: bool = True
    version: str | None = None
    version_set: str | None = None
    file: str = "apiInformation.json"
    workspace: str | None = None
    workspace_name: str = ""


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """A product: the APIs that a subscription to it opens.

    Without ``subscription_required`` it is open: its policies stand for calls without a key too.
    With ``approval_required`` a subscription opens nothing until somebody has made it active.
    """

    id: str
    name: str
    apis: frozenset[str]
    policy: Document | None = None
    subscription_required: bool = True
    approval_required: bool = False
    published: bool = True
    """What ``context.Product.State`` says. A gateway handles calls alike whether it is or not
    (learn.microsoft.com/azure/api-management/api-management-howto-add-products, State)."""
    file: str = "productInformation.json"
    workspace: str | None = None


class SubscriptionState(StrEnum):
    """States of a subscription (subscriptions page); only an active one opens anything."""

    SUBMITTED = "submitted"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription and its keys.

    ``product`` is the id of the product that it opens, ``api`` that of the one API; neither: all,
    or all of the ``workspace`` that it belongs to.
    ``started`` (seconds since the epoch) is where the periods of its quotas begin.
    """

    id: str
    name: str
    keys: tuple[str, ...]
    product: str | None = None
    api: str | None = None
    state: SubscriptionState = SubscriptionState.ACTIVE
    file: str = "subscriptionInformation.json"
    workspace: str | None = None
    started: float = 0.0


@dataclass(frozen=True, slots=True)
class BackendEntry:
    """A named back end: a URL, or a pool of other back ends tried by priority then in turn.

    ``headers`` and ``query`` are the back end's credentials, added to each request.
    ``breaker_failures`` failures (statuses in ``breaker_statuses``) within ``breaker_interval``
    seconds open the circuit for ``breaker_duration`` seconds; 0 means no breaker.
    """

    id: str
    url: str | None
    pool: tuple[tuple[str, int, int], ...] = ()
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    breaker_failures: int = 0
    breaker_interval: float = 0.0
    breaker_duration: float = 0.0
    breaker_statuses: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class WorkspaceEntry:
    """A team's part of the service: its policy, and what the documents of its APIs may refer to.

    Source: learn.microsoft.com/azure/api-management/workspaces-overview.
    """

    id: str
    name: str
    policy: Document | None = None
    fragments: Mapping[str, Document] = field(default_factory=dict)
    named_values: Mapping[str, str] = field(default_factory=dict)
    schemas: Mapping[str, Any] = field(default_factory=dict)
    loggers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that the gateway runs. Compiled once by ``compile_gateway``."""

    apis: tuple[ApiEntry, ...]
    version_sets: tuple[VersionSet, ...] = ()
    global_policy: Document | None = None
    fragments: Mapping[str, Document] = field(default_factory=dict)
    named_values: Mapping[str, str] = field(default_factory=dict)
    products: tuple[ProductEntry, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    backends: Mapping[str, BackendEntry] = field(default_factory=dict)
    schemas: Mapping[str, Any] = field(default_factory=dict)
    loggers: frozenset[str] = frozenset()
    workspaces: tuple[WorkspaceEntry, ...] = ()

    def seen_from(self, workspace: str | None) -> Configuration:
        """What documents of a workspace may refer to: nothing of the service or of others.

        :raises KeyError: when there is no such workspace.
        """
        if workspace is None:
            return self
        own = next((each for each in self.workspaces if each.id == workspace), None)
        if own is None:
            raise KeyError(workspace)
        return replace(
            self,
            fragments=own.fragments,
            named_values=own.named_values,
            schemas=own.schemas,
            loggers=own.loggers,
        )
