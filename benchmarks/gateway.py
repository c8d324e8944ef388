"""Requests per second, latency and CPU of the gateway with the whole baseline, against its peers.

The same back end is called directly, through nginx (a plain proxy), through Envoy (token, rate) and
through the gateway with every policy of the example. All run on loopback, one worker each: back end
(a Unix socket for the proxies, TCP for the direct measurement; also the issuer), proxies, and this
process, which makes the load. They share the machine's cores, so CPU per request, read from the
system for each process, says more than requests per second. Evidence is counted and thrown away.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from gateway_parts import back_end
from gateway_parts.load import Figures, load
from gateway_parts.peers import start_envoy, start_nginx
from gateway_parts.policies import costs
from joserfc import jwt
from joserfc.jwk import RSAKey

from hybridmandate.evidence.record import Record
from hybridmandate.governance.gateway.door import HeadLimits, door_protocol
from hybridmandate.governance.gateway.layout import baseline_folder, load_layout
from hybridmandate.governance.gateway.server import GatewayApp, create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.local.serving import Serving, bind, server_of

TENANT = "6f1c9e1a-3b0e-4c57-9d52-7a0a6c1f2b10"
AUDIENCE = "api://vendor-invoices/bench"
POLICIES = Path(__file__).parents[1] / "examples" / "vendor-invoices" / "policies"
PATH = "/data/views/vendors/v1"
BODY = b'{"parameters": {"hm_country": "NO"}}'
GATEWAY, ENVOY, NGINX, DIRECT = "gateway, full baseline", "Envoy, token and rate", "nginx", "direct"
GOAL = 8000
"""Requests a second on two cores (design, section 10)."""


class _Counted:
    """Evidence that is counted and thrown away."""

    def __init__(self) -> None:
        self.records = 0

    def record(self, record: Record) -> None:
        self.records += 1


class _OwnToken:
    async def token(self, resource: str) -> str:
        return "token-of-the-gateway"


@dataclass(frozen=True, slots=True)
class Target:
    """One door that is measured: its port, and the process that is charged with its CPU."""

    name: str
    port: int
    pid: int


def gateway_app(issuer: str, back_end_url: str) -> GatewayApp:
    """The gateway with the example's policies on the baseline, limits out of the way."""
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
            "execution-backend": back_end_url,
            "data-backend": back_end_url,
            "rate-calls-per-minute": "100000000",
            "quota-calls-per-day": "100000000",
        },
    )
    return create_app(GatewaySettings(), configuration, lambda _: _OwnToken(), _Counted())


def serve_gateway(port: int, issuer: str, back_end_url: str) -> None:
    """The gateway's process, behind the door that `mandate up` gives it."""
    app = gateway_app(issuer, back_end_url)
    serving = Serving(app, port=port, protocol=door_protocol(app, HeadLimits()))
    uvloop.run(server_of(serving).serve(sockets=[bind(serving)]))


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Return when something listens. :raises TimeoutError: after fifteen seconds."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def headers_of(token: str, host: str) -> list[tuple[bytes, bytes]]:
    """The headers of a call, as a flow sends them."""
    found = {
        "host": host,
        "authorization": f"Bearer {token}",
        "x-correlation-id": str(uuid.uuid4()),
        "content-type": "application/json",
        "user-agent": "bench",
        "accept": "application/json",
        "content-length": str(len(BODY)),
    }
    return [(name.encode(), value.encode()) for name, value in found.items()]


def request_bytes(host: str, token: str) -> bytes:
    """One request as it goes over the wire."""
    lines = [b"%b: %b" % each for each in headers_of(token, host)]
    return b"\r\n".join([b"POST %b HTTP/1.1" % PATH.encode(), *lines, b"", BODY])


def signed_token(key: RSAKey, issuer: str) -> str:
    """A workload's token."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "tid": TENANT,
        "oid": "bench",
        "sub": "bench",
        "azp": "bench-app",
        "roles": ["Data.View.Vendors"],
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
    }
    return jwt.encode({"alg": "RS256", "kid": "bench"}, claims, key)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process (Linux), user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(key: RSAKey, issuer: str, direct: int, folder: str) -> Iterator[list[Target]]:
    """Everything that is measured, ended afterwards."""
    path = str(Path(folder) / "data.sock")
    keys: dict[str, Any] = {"keys": [key.as_dict(private=False)]}
    edge, envoy_port, nginx_port = free_port(), free_port(), free_port()
    behind = multiprocessing.Process(target=back_end.serve, args=(keys, issuer, direct, path))
    gateway = multiprocessing.Process(
        target=serve_gateway, args=(edge, issuer, f"http+unix://{path}")
    )
    behind.start()
    gateway.start()
    nginx = start_nginx(folder, nginx_port, path)
    envoy = start_envoy(folder, envoy_port, path, issuer=issuer, audience=AUDIENCE, keys=keys)
    try:
        assert behind.pid is not None
        assert gateway.pid is not None
        yield [
            Target(DIRECT, direct, behind.pid),
            Target(NGINX, nginx_port, nginx.pid),
            Target(ENVOY, envoy_port, envoy.pid),
            Target(GATEWAY, edge, gateway.pid),
        ]
    finally:
        for peer in (nginx, envoy):
            peer.terminate()
            peer.wait(10)
        for process in (gateway, behind):
            process.terminate()
            process.join(10)


def measure(
    targets: Sequence[Target], token: str, connections: int, seconds: float
) -> dict[str, tuple[Figures, float]]:
    """Figures under full load and CPU seconds a request, by target; printed as they come."""
    found: dict[str, tuple[Figures, float]] = {}
    for each in targets:
        wait_for(each.port)
        request = request_bytes(f"127.0.0.1:{each.port}", token)
        load(each.port, request, connections=connections, seconds=1)
        before = cpu_seconds(each.pid)
        figures = load(each.port, request, connections=connections, seconds=seconds)
        cpu = (cpu_seconds(each.pid) - before) / (figures.rate * seconds)
        found[each.name] = figures, cpu
        print(
            f"{each.name:24} {figures.rate:9,.0f} requests/s  p50 {figures.p50:7.2f} ms  "
            f"p99 {figures.p99:7.2f} ms  CPU {cpu * 1e6:6.0f} us/request"
        )
    return found


def half_load(targets: Sequence[Target], token: str, rate: float, seconds: float) -> None:
    """Latency at a fixed rate through the gateway and without it: what the gateway adds."""
    seen: dict[str, Figures] = {}
    for each in (targets[0], targets[-1]):
        request = request_bytes(f"127.0.0.1:{each.port}", token)
        seen[each.name] = load(each.port, request, connections=8, seconds=seconds, rate=rate)
    direct, through = seen[DIRECT], seen[GATEWAY]
    print(
        f"at {rate:,.0f} requests/s the gateway adds p50 {through.p50 - direct.p50:.2f} ms, "
        f"p99 {through.p99 - direct.p99:.2f} ms"
    )


def main(argv: Sequence[str]) -> int:
    """Measure and print; 0 when every answer was 200."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each measurement")
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args(argv)
    seconds = min(max(options.seconds, 0.5), 60.0)
    key = RSAKey.generate_key(2048, {"kid": "bench"})
    direct = free_port()
    issuer = f"http://127.0.0.1:{direct}"
    token = signed_token(key, issuer)
    with tempfile.TemporaryDirectory() as folder, running(key, issuer, direct, folder) as targets:
        found = measure(targets, token, options.connections, seconds)
        half_load(targets, token, found[GATEWAY][0].rate / 2, seconds)
        app = gateway_app(issuer, issuer)
        print("cost of each policy, microseconds")
        for place, cost in costs(app, PATH, headers_of(token, "localhost"), BODY):
            print(f"  {cost:7.1f}  {place}")
    cpu = found[GATEWAY][1]
    print(f"two cores for the gateway alone: {2 / cpu:,.0f} requests/s (goal {GOAL:,})")
    for name in (ENVOY, NGINX):
        print(
            f"gateway against {name}: {found[GATEWAY][0].rate / found[name][0].rate:.3f} of its "
            f"requests/s, {found[name][1] / cpu:.3f} by CPU"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
