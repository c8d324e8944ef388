"""The call: everything that an operation gets besides its request.

An operation is a function of (request, call). The call carries identity, correlation, deadline and
the declared dependencies as narrow protocols: never a raw client, so an operation cannot reach what
its contract does not name (requirements D1, N3).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hybridmandate.contracts.outcome import ContractRef, Outcome


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the workload principal as the door verified it.

    ``object_id`` is the service principal's id (``oid``), ``app_id`` its application id, ``name``
    the name in the solution's manifest where it is known, ``roles`` its application roles on the
    API that was called.
    """

    object_id: str
    app_id: str
    roles: frozenset[str] = frozenset()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """The request of an operation that takes a file: a stream, never a buffered body.

    ``size`` is the declared Content-Length in bytes, or None for a chunked body. ``file_name`` is
    what the sender called the file; it is a label, never a path.
    """

    stream: AsyncIterator[bytes]
    content_type: str
    file_name: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """The result of an operation that gives a file: streamed to the caller as it is read."""

    stream: AsyncIterator[bytes]
    content_type: str
    size: int
    file_name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the governed file store.

    ``handle`` is opaque and unguessable, ``digest`` the lower-case hex SHA-256 of the content,
    ``size`` bytes. ``correlation_id`` is the transaction that it belongs to.
    """

    handle: str
    digest: str
    size: int
    content_type: str
    file_name: str | None
    correlation_id: str


class Files(Protocol):
    """The governed file store as an operation sees it, already bound to caller and transaction."""

    async def store(
        self, stream: AsyncIterator[bytes], *, content_type: str, file_name: str | None
    ) -> StoredFile:
        """Keep a new file under this transaction.

        :raises Refused: ``payload_too_large`` past the store's limit; nothing is kept then.
        """

    async def describe(self, handle: str) -> StoredFile:
        """What is known of a file. :raises Refused: ``not_found`` or ``forbidden``."""

    def read(self, handle: str) -> AsyncIterator[bytes]:
        """The content in chunks. :raises Refused: ``not_found`` or ``forbidden``."""

    async def local_path(self, handle: str) -> str:
        """A readable path on this machine that holds the content until the call ends.

        For readers that need random access (workbooks). :raises Refused: as ``describe``.
        """


class DataGateway(Protocol):
    """The only way to business data: declared views and commits, through the gateway."""

    async def view(self, name: str, parameters: Mapping[str, Any]) -> Outcome:
        """The rows of a declared view, only its declared columns."""

    async def commit(self, name: str, job: str, records: Sequence[Mapping[str, Any]]) -> Outcome:
        """Write records through a declared commit; exactly once per (job, record)."""


class Call(Protocol):
    """One call of an operation."""

    @property
    def correlation_id(self) -> str:
        """The transaction's correlation id."""

    @property
    def contract(self) -> ContractRef:
        """The operation and version that was asked for."""

    @property
    def caller(self) -> Caller:
        """The verified workload principal that called."""

    @property
    def files(self) -> Files:
        """The governed file store."""

    @property
    def data(self) -> DataGateway:
        """The data gateway."""

    def remaining_seconds(self) -> float:
        """Seconds until the contract's deadline; 0 or less when it has passed."""

    def note(self, kind: str, subject: str, **detail: Any) -> None:
        """Write evidence of a decision taken inside the operation (requirement L3)."""

    async def progress(self, done: int, total: int | None, unit: str) -> None:
        """Tell how far a job is; shown to whoever polls it. Does nothing in a sync call."""
