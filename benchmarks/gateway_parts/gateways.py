"""The gateway of the benchmark: the example's policies on the baseline, as `mandate up` serves it.

One worker whose evidence is counted and thrown away shows what the policies cost. Several workers
share a port, a file of counters and a store of evidence, as those of a run do.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import uvloop

from hybridmandate.evidence.checkpoint import ensure_signing_key
from hybridmandate.evidence.record import Record, Recorder, Tier
from hybridmandate.evidence.writer import EvidenceWriter
from hybridmandate.governance.gateway.counters import Counters
from hybridmandate.governance.gateway.door import HeadLimits, door_protocol
from hybridmandate.governance.gateway.layout import baseline_folder, load_layout
from hybridmandate.governance.gateway.server import GatewayApp, create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.governance.gateway.worker_counters import WorkerCounters
from hybridmandate.local.serving import Serving, bind, server_of

TENANT = "6f1c9e1a-3b0e-4c57-9d52-7a0a6c1f2b10"
AUDIENCE = "api://vendor-invoices/bench"
POLICIES = Path(__file__).parents[2] / "examples" / "vendor-invoices" / "policies"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gateway stands: its port, the issuer, and the back end's socket."""

    port: int
    issuer: str
    socket: str


class _Counted:
    """Evidence that is counted and thrown away."""

    def __init__(self) -> None:
        self.records = 0

    def record(self, record: Record) -> None:
        self.records += 1


class _OwnToken:
    async def token(self, resource: str) -> str:
        return "token-of-the-gateway"


def gateway_app(
    issuer: str,
    socket: str,
    *,
    recorder: Recorder | None = None,
    counters: Counters | None = None,
) -> GatewayApp:
    """The gateway with limits out of the way; without a recorder evidence is thrown away."""
    configuration = load_layout(
        POLICIES,
        baseline=baseline_folder(),
        named_values={
            "openid-config-url": f"{issuer}/openid",
            "tenant-id": TENANT,
            "issuer-v1": issuer,
            "issuer-v2": issuer,
            "gateway-audience": AUDIENCE,
            "internal-audience": "api://vendor-invoices-internal/bench",
            "execution-backend": f"http+unix://{socket}",
            "data-backend": f"http+unix://{socket}",
            "rate-calls-per-minute": "100000000",
            "quota-calls-per-day": "100000000",
        },
    )
    return create_app(
        GatewaySettings(),
        configuration,
        lambda _: _OwnToken(),
        recorder or _Counted(),
        counters=counters,
    )


def serve_alone(place: Place) -> None:
    """One worker, evidence thrown away."""
    _serve(gateway_app(place.issuer, place.socket), place.port, is_shared=False)


def serve_beside_others(place: Place, state: str, name: str) -> None:
    """One of several workers; evidence and counters are kept in the state folder."""
    folder = Path(state)
    key = ensure_signing_key(folder)
    with EvidenceWriter(store_of(state), name=name, tier=Tier.GATEWAY, signing_key=key) as evidence:
        counters = WorkerCounters(folder / "counters", time.time)
        app = gateway_app(place.issuer, place.socket, recorder=evidence, counters=counters)
        _serve(app, place.port, is_shared=True)


def store_of(state: str) -> Path:
    """The store of evidence in a state folder."""
    return Path(state) / "evidence.sqlite"


def calls_kept(state: str) -> int:
    """How many calls the evidence holds."""
    with closing(sqlite3.connect(store_of(state))) as store:
        found = store.execute("SELECT count(*) FROM evidence WHERE kind = 'gateway.call'")
        return int(found.fetchone()[0])


def _serve(app: GatewayApp, port: int, *, is_shared: bool) -> None:
    protocol = door_protocol(app, HeadLimits())
    serving = Serving(app, port=port, protocol=protocol, is_shared=is_shared)
    uvloop.run(server_of(serving).serve(sockets=[bind(serving)]))
