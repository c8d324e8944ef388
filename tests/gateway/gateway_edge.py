"""A whole gateway on the example's policies: issuer, back end behind a socket, evidence kept."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from hybridmandate.contracts import Outcome, Status
from hybridmandate.evidence.record import Record
from hybridmandate.governance.gateway.conformance import Served
from hybridmandate.governance.gateway.door import HeadLimits, door_protocol
from hybridmandate.governance.gateway.layout import baseline_folder, load_layout
from hybridmandate.governance.gateway.pace import PaceLimits
from hybridmandate.governance.gateway.server import GatewayApp, create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.identity.principal import TokenUnavailable

POLICIES = Path(__file__).parents[2] / "examples" / "vendor-invoices" / "policies"
TENANT = "6f1c9e1a-3b0e-4c57-9d52-7a0a6c1f2b10"
ISSUER = "https://issuer.example/v2.0"
AUDIENCE = "api://vendor-invoices/test"
KEY = RSAKey.generate_key(2048, {"kid": "k1"})
CORRELATION = "4c0b8a52-7a5e-4df5-9f0b-0d7a1f8f7e11"
VIEW = "/data/views/vendors/v1"
STORE = "/exec/operations/files.store/v1"
SUCCEEDED = json.dumps(
    Outcome(status=Status.SUCCEEDED, correlation_id=CORRELATION).to_json()
).encode()
ACCEPTED = json.dumps(
    Outcome(status=Status.ACCEPTED, correlation_id=CORRELATION).to_json()
).encode()
JSON = (b"content-type", b"application/json")


def token(key: RSAKey = KEY, *, kid: str = "k1", alg: str = "RS256", **claims: Any) -> str:
    """A workload's token; claims given as None are left out."""
    now = int(time.time())
    content = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "tid": TENANT,
        "oid": "caller",
        "sub": "caller",
        "azp": "app-of-caller",
        "roles": ["Data.View.Vendors", "Files.Store", "Spreadsheets.Normalize"],
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        **claims,
    }
    content = {name: value for name, value in content.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": kid}, content, key, algorithms=[alg])


class BackEnd:
    """Execution, data gateway and issuer at once; ``answer`` may be replaced by a test."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys = [KEY]
        self.key_fetches = 0
        self.answer: Any = self.succeed

    async def succeed(self, request: dict[str, Any], send: Any) -> None:
        await respond(send, 200, SUCCEEDED, [(b"content-type", b"application/json")])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        if scope["path"] == "/openid":
            host = dict(scope["headers"])[b"host"].decode()
            body = {"issuer": ISSUER, "jwks_uri": f"http://{host}/keys"}
            await respond(send, 200, json.dumps(body).encode())
            return
        if scope["path"] == "/keys":
            self.key_fetches += 1
            body = {"keys": [each.as_dict(private=False) for each in self.keys]}
            await respond(send, 200, json.dumps(body).encode())
            return
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        request = {
            "method": scope["method"],
            "path": scope["path"],
            "headers": {n.decode(): v.decode("latin-1") for n, v in scope["headers"]},
            "size": size,
        }
        self.requests.append(request)
        await self.answer(request, send)


async def respond(
    send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    lines = [*(headers or []), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


class OwnToken:
    """The gateway's managed identity."""

    def __init__(self) -> None:
        self.available = True

    async def token(self, resource: str) -> str:
        if not self.available:
            raise TokenUnavailable("the identity endpoint does not answer", transient=True)
        return f"own-token-for-{resource}"


class Evidence:
    def __init__(self) -> None:
        self.records: list[Record] = []

    def record(self, record: Record) -> None:
        self.records.append(record)


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0
        self.stopped_at: float | None = None

    def stop(self) -> None:
        """No time passes but what ``ahead`` says: a slow machine changes nothing."""
        self.stopped_at = time.time()

    def __call__(self) -> float:
        return (self.stopped_at or time.time()) + self.ahead


@dataclass
class Edge:
    """What a test works with."""

    url: str
    back_end: BackEnd
    identity: OwnToken
    evidence: Evidence
    clock: Clock
    app: GatewayApp
    client: httpx.AsyncClient

    async def post(self, path: str = VIEW, **options: Any) -> httpx.Response:
        """A proper call unless the options say otherwise; headers given as None are left out."""
        headers = {
            "authorization": f"Bearer {token()}",
            "x-correlation-id": CORRELATION,
            "content-type": "application/json",
            **options.pop("headers", {}),
        }
        sent = {name: value for name, value in headers.items() if value is not None}
        options.setdefault("content", b"{}")
        return await self.client.post(self.url + path, headers=sent, **options)

    async def raw(self, text: bytes) -> bytes:
        """Bytes over the wire, and what came back until the connection ended or went quiet."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(text)
        await writer.drain()
        found = b""
        try:
            async with asyncio.timeout(3):
                while chunk := await reader.read(65536):
                    found += chunk
                    if b"\r\n\r\n" in found and found.rstrip().endswith(b"}"):
                        break
        except TimeoutError:
            pass
        finally:
            writer.close()
        return found

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    @property
    def last(self) -> Record:
        """The evidence of the last call."""
        return [each for each in self.evidence.records if each.kind == "gateway.call"][-1]


def environment(issuer: str, back_end: str) -> dict[str, str]:
    """The named values of an environment whose issuer and back ends have these URLs."""
    return {
        "openid-config-url": f"{issuer}/openid",
        "tenant-id": TENANT,
        "issuer-v1": f"https://sts.windows.net/{TENANT}/",
        "issuer-v2": ISSUER,
        "gateway-audience": AUDIENCE,
        "internal-audience": "api://internal",
        "execution-backend": back_end,
        "data-backend": back_end,
    }


@pytest.fixture
def settings() -> GatewaySettings:
    return GatewaySettings(
        body_limits={"exec/files-store-v1": 32 * 1024 * 1024},
        pace=PaceLimits(pause_seconds=1.0),
        disconnect_after=0.1,
        key_refetch_seconds=30.0,
    )


@pytest.fixture
def named_values() -> dict[str, str]:
    return {"backend-timeout-seconds": "2"}


@pytest.fixture
async def edge(
    tmp_path: Path, settings: GatewaySettings, named_values: dict[str, str]
) -> AsyncIterator[Edge]:
    back_end, identity, evidence, clock = BackEnd(), OwnToken(), Evidence(), Clock()
    path = str(tmp_path / "b.sock")
    async with Served(back_end, socket_path=path), Served(back_end) as issuer:
        configuration = load_layout(
            POLICIES,
            baseline=baseline_folder(),
            named_values={**environment(issuer.url, f"http+unix://{path}"), **named_values},
        )
        app = create_app(settings, configuration, lambda _: identity, evidence, clock=clock)
        door = door_protocol(app, HeadLimits())
        async with (
            Served(app, protocol=door) as gateway,
            httpx.AsyncClient(trust_env=False, timeout=30) as client,
        ):
            yield Edge(gateway.url, back_end, identity, evidence, clock, app, client)
