"""An account and the Entra stand-in that opens it: real TLS, port 0."""

from __future__ import annotations

import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from azure.identity import CertificateCredential
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from starlette.types import ASGIApp

from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.identity.jwks_http import HttpJwks
from hybridmandate.identity.signing_keys import SigningKeys
from hybridmandate.identity.token_claims import AcceptedTokens, entra_issuers
from hybridmandate.identity.verifier import JwksTokenVerifier
from hybridmandate.twin.certificates import ensure_ca, issue_client_certificate
from hybridmandate.twin.entra.app import EntraSettings
from hybridmandate.twin.entra.app import create_app as create_entra
from hybridmandate.twin.entra.directory import Api, Assignment, Directory, IdentityKind, Workload
from hybridmandate.twin.entra.store import EntraStore
from hybridmandate.twin.storage import StorageSettings, StorageStore, create_app

TENANT = "6f1c9e1a-3b0e-4c57-9d52-7a0a6c1f2b10"
AUDIENCE = "https://storage.azure.com"
ROLES = {
    "owner": {"Storage Blob Data Contributor", "Storage Queue Data Contributor"},
    "reader": {"Storage Blob Data Reader", "Storage Queue Data Reader"},
    "sender": {"Storage Queue Data Message Sender"},
    "processor": {"Storage Queue Data Message Processor"},
    "stranger": set[str](),
}


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class NoEvidence:
    """What the identity stand-in records is not looked at here."""

    def record(self, record: Record) -> None:
        pass


@dataclass
class Account:
    """The running account and its official clients."""

    origin: str
    ca: str
    clock: Clock
    credential: Callable[[str], CertificateCredential]

    def queues(self, who: str = "owner", **options: Any) -> QueueServiceClient:
        return QueueServiceClient(f"{self.origin}/queue", **self._client(who), **options)

    def blobs(self, who: str = "owner", **options: Any) -> BlobServiceClient:
        return BlobServiceClient(f"{self.origin}/blob", **self._client(who), **options)

    def raw(self, method: str, path: str, who: str | None = "owner", **parts: Any) -> Any:
        """A request by hand, for what official clients never send."""
        headers = dict(parts.pop("headers", {}))
        if who is not None:
            token = self.credential(who).get_token(f"{AUDIENCE}/.default").token
            headers["authorization"] = f"Bearer {token}"
        return httpx.request(
            method,
            f"{self.origin}{path}",
            headers=headers,
            verify=ssl.create_default_context(cafile=self.ca),
            trust_env=False,
            **parts,
        )

    def _client(self, who: str) -> dict[str, Any]:
        return {
            "credential": self.credential(who),
            "connection_verify": self.ca,
            "retry_total": 0,
        }


@contextmanager
def _serving(app: ASGIApp, listener: socket.socket, **tls: str) -> Iterator[None]:
    config = uvicorn.Config(
        app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1, **tls
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    yield
    server.should_exit = True
    thread.join(10)


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def _directory() -> Directory:
    workloads = tuple(
        Workload(name, IdentityKind.SERVICE_PRINCIPAL, _id(name), _id(f"object of {name}"))
        for name in ROLES
    )
    return Directory(
        tenant_id=TENANT,
        workloads=workloads,
        apis=(Api("storage", AUDIENCE, _id("storage"), _id("object of storage")),),
        assignments=tuple(Assignment(name, "storage", frozenset()) for name in ROLES),
    )


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(TENANT), name))


@contextmanager
def running(folder: Path) -> Iterator[Account]:
    """The account and its identity stand-in, until the block ends."""
    ca = ensure_ca(folder / "tls")
    certificate, key = ca.server_certificate("storage")
    tls = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    entra, storage = _listener(), _listener()
    authority = f"https://localhost:{entra.getsockname()[1]}"
    origin = f"https://localhost:{storage.getsockname()[1]}"
    state = EntraStore(folder / "entra", time.time)
    state.save_directory(_directory())
    files = {}
    for name in ROLES:
        files[name] = issue_client_certificate(folder / "credentials", name)
        state.add_certificate(_id(name), files[name].read_text())
    http = httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=str(ca.certificate_file)), trust_env=False
    )
    keys = SigningKeys(
        HttpJwks(f"{authority}/{TENANT}/discovery/v2.0/keys", http=http), clock=time.time
    )
    accepted = AcceptedTokens(
        tenant_id=TENANT,
        issuers=entra_issuers(TENANT, authority),
        audiences=frozenset({AUDIENCE}),
    )
    clock = Clock()
    store = StorageStore(
        open_engine(f"sqlite:///{folder}/storage.db"),
        clock=clock,
        new_id=lambda: str(uuid.uuid4()),
    )
    app = create_app(
        StorageSettings(
            origin,
            f"{authority}/{TENANT}",
            {_id(name): frozenset(roles) for name, roles in ROLES.items()},
        ),
        store,
        JwksTokenVerifier(accepted, keys, clock=time.time),
        new_request_id=lambda: str(uuid.uuid4()),
    )
    credentials: dict[str, CertificateCredential] = {}

    def credential(who: str) -> CertificateCredential:
        if who not in credentials:
            credentials[who] = CertificateCredential(
                TENANT,
                _id(who),
                certificate_path=str(files[who]),
                authority=authority,
                disable_instance_discovery=True,
                connection_verify=str(ca.certificate_file),
            )
        return credentials[who]

    with ExitStack() as stack:
        identity = create_entra(EntraSettings(TENANT, authority), state, NoEvidence(), time.time)
        stack.enter_context(_serving(identity, entra, **tls))
        stack.enter_context(_serving(app, storage, **tls))
        yield Account(origin, str(ca.certificate_file), clock, credential)
    state.close()
