"""``context`` of an expression: plain objects that the gateway fills.

Source: learn.microsoft.com, "API Management policy expressions", context variable.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class NamedValues(Protocol):
    """Several values under each name; names are compared without case (headers, query)."""

    def values(self, name: str) -> Sequence[str]:
        """The values, empty when there is no such name."""

    def names(self) -> Iterable[str]:
        """The names as they were written first."""


class MappingValues:
    """:class:`NamedValues` over a mapping of lists."""

    __slots__ = ("_names", "_values")

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._names = list(values)
        self._values = {name.lower(): list(items) for name, items in values.items()}

    def values(self, name: str) -> Sequence[str]:
        """The values, empty when there is no such name."""
        return self._values.get(name.lower(), ())

    def names(self) -> Iterable[str]:
        """The names as they were written first."""
        return self._names


class MessageBody(Protocol):
    """A body that the gateway has read before the expression is evaluated."""

    def read(self) -> bytes | None:
        """The bytes; None when there is no body or it was consumed before."""

    def consume(self) -> None:
        """The expression took the body without preserving it."""


@dataclass(slots=True)
class Url:
    """``IUrl``: ``path`` begins with a slash, ``query_string`` with ``?`` or is empty."""

    scheme: str
    host: str
    port: int
    path: str
    query: NamedValues
    query_string: str = ""

    def __str__(self) -> str:
        usual = {"http": 80, "https": 443}.get(self.scheme)
        host = self.host if self.port in (usual, 0) else f"{self.host}:{self.port}"
        return f"{self.scheme}://{host}{self.path}{self.query_string}"

    def clr_text(self) -> str:
        """The whole URL."""
        return str(self)


@dataclass(slots=True)
class Request:
    """``context.Request``; ``certificate`` is DER, or None."""

    method: str
    url: Url
    original_url: Url
    headers: NamedValues
    body: MessageBody | None
    ip_address: str
    matched_parameters: Mapping[str, str] = field(default_factory=dict)
    certificate: bytes | None = None
    id: str = ""


@dataclass(slots=True)
class Response:
    """``context.Response``, and what ``send-request`` puts into a variable."""

    status_code: int
    status_reason: str
    headers: NamedValues
    body: MessageBody | None


@dataclass(slots=True)
class Workspace:
    """``context.Workspace``."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class SubscriptionKeyNames:
    """Where an API looks for a subscription key."""

    header: str = "Ocp-Apim-Subscription-Key"
    query: str = "subscription-key"


@dataclass(slots=True)
class Api:
    """``context.Api``."""

    id: str
    name: str
    path: str
    revision: str = "1"
    version: str | None = None
    service_url: Url | None = None
    is_current_revision: bool = True
    protocols: Sequence[str] = ("https",)
    workspace: Workspace | None = None
    subscription_key_names: SubscriptionKeyNames = SubscriptionKeyNames()


@dataclass(frozen=True, slots=True)
class Backend:
    """``context.Backend``; ``azure_region`` is empty where none is known."""

    id: str
    is_pool: bool
    azure_region: str = ""


@dataclass(slots=True)
class Operation:
    """``context.Operation``."""

    id: str
    method: str
    name: str
    url_template: str


@dataclass(slots=True)
class Group:
    """A group of a user."""

    id: str
    name: str


@dataclass(slots=True)
class UserIdentity:
    """How a user signs in."""

    id: str
    provider: str


@dataclass(slots=True)
class User:
    """``context.User``."""

    id: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    note: str = ""
    registration_date: float = 0.0
    groups: Sequence[Group] = ()
    identities: Sequence[UserIdentity] = ()


@dataclass(slots=True)
class Product:
    """``context.Product``; ``state`` is Published or NotPublished."""

    id: str
    name: str
    approval_required: bool = False
    subscription_required: bool = True
    subscription_limit: int | None = None
    state: str = "Published"
    groups: Sequence[Group] = ()
    apis: Sequence[Api] = ()
    workspace: Workspace | None = None


@dataclass(slots=True)
class Subscription:
    """``context.Subscription``; dates are seconds since the epoch, or None."""

    id: str
    name: str
    key: str
    primary_key: str = ""
    secondary_key: str = ""
    created_date: float = 0.0
    start_date: float | None = None
    end_date: float | None = None


@dataclass(slots=True)
class Certificate:
    """A certificate of the gateway: DER, and its private key as PEM if it has one."""

    der: bytes
    private_key: bytes | None = None


@dataclass(slots=True)
class Deployment:
    """``context.Deployment``; certificates by their id."""

    region: str = ""
    service_id: str = ""
    service_name: str = ""
    gateway_id: str = "managed"
    certificates: Mapping[str, Certificate] = field(default_factory=dict)


@dataclass(slots=True)
class LastError:
    """``context.LastError``."""

    source: str
    reason: str
    message: str
    section: str
    scope: str = ""
    path: str = ""
    policy_id: str | None = None


@dataclass(slots=True)
class PolicyContext:
    """Everything an expression can see.

    ``clock`` gives seconds since the epoch, ``random`` numbers in [0, 1), ``new_guid`` fresh GUIDs,
    ``trace`` takes what ``context.Trace`` is given. ``started`` is when the request came, in
    seconds since the epoch. ``variables`` is the live dictionary of the call.
    """

    request: Request
    clock: Callable[[], float]
    random: Callable[[], float]
    response: Response | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    api: Api | None = None
    operation: Operation | None = None
    product: Product | None = None
    subscription: Subscription | None = None
    user: User | None = None
    workspace: Workspace | None = None
    deployment: Deployment = field(default_factory=Deployment)
    last_error: LastError | None = None
    request_id: str = ""
    started: float = 0.0
    tracing: bool = False
    trace: Callable[[str], None] = lambda message: None
    backend: Callable[[], Backend | None] = lambda: None
    """The named back end that the call goes to, as it is when an expression asks."""
    new_guid: Callable[[], uuid.UUID] = uuid.uuid4
