"""Requests per second, latency and CPU of the gateway with the whole baseline, against its peers.

The same back end is called directly, through nginx (a plain proxy), through Envoy (token, rate) and
through the gateway with every policy of the example. All run on loopback, one worker each: back end
(a Unix socket for the proxies, TCP for the direct measurement; also the issuer), proxies, and this
process, which makes the load. They share the machine's cores, so CPU per request, read from the
system for each process, says more than requests per second. Evidence is counted and thrown away
there; two workers as `mandate up` runs them keep it, with the counters, in files that they share.
Each call has a correlation id of its own.
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
from typing import Any, NamedTuple

from gateway_parts import back_end
from gateway_parts.gateways import (
    AUDIENCE,
    TENANT,
    Place,
    calls_kept,
    gateway_app,
    serve_alone,
    serve_beside_others,
)
from gateway_parts.load import Figures, load
from gateway_parts.peers import start_envoy, start_nginx
from gateway_parts.policies import costs
from joserfc import jwt
from joserfc.jwk import RSAKey

PATH = "/data/views/vendors/v1"
BODY = b'{"parameters": {"hm_country": "NO"}}'
GATEWAY, ENVOY, NGINX, DIRECT = "gateway, full baseline", "Envoy, token and rate", "nginx", "direct"
WORKERS = "two workers, evidence kept"
REQUESTS = 1000
"""Requests that take turns, each with its own correlation id."""
GOAL = 8000
"""Requests a second on two cores (design, section 10)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One door that is measured: its port, and the processes that are charged with its CPU."""

    name: str
    port: int
    pids: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """Processor time of its processes until now."""
        return sum(cpu_seconds(each) for each in self.pids)


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


def requests_to(port: int, token: str) -> list[bytes]:
    """Requests as they go over the wire."""
    begin = b"POST %b HTTP/1.1" % PATH.encode()
    found = []
    for _ in range(REQUESTS):
        lines = [b"%b: %b" % each for each in headers_of(token, f"127.0.0.1:{port}")]
        found.append(b"\r\n".join([begin, *lines, b"", BODY]))
    return found


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
    """Everything that is measured one worker each, ended afterwards."""
    path = str(Path(folder) / "data.sock")
    keys: dict[str, Any] = {"keys": [key.as_dict(private=False)]}
    edge, envoy_port, nginx_port = free_port(), free_port(), free_port()
    behind = multiprocessing.Process(target=back_end.serve, args=(keys, issuer, direct, path))
    gateway = multiprocessing.Process(target=serve_alone, args=(Place(edge, issuer, path),))
    nginx = start_nginx(folder, nginx_port, path)
    envoy = start_envoy(folder, envoy_port, path, issuer=issuer, audience=AUDIENCE, keys=keys)
    try:
        with started(behind, gateway) as (behind_pid, gateway_pid):
            yield [
                Target(DIRECT, direct, (behind_pid,)),
                Target(NGINX, nginx_port, (nginx.pid,)),
                Target(ENVOY, envoy_port, (envoy.pid,)),
                Target(GATEWAY, edge, (gateway_pid,)),
            ]
    finally:
        for peer in (nginx, envoy):
            peer.terminate()
            peer.wait(10)


@contextlib.contextmanager
def started(*processes: multiprocessing.Process) -> Iterator[list[int]]:
    """The process ids of processes that run meanwhile."""
    for each in processes:
        each.start()
    try:
        yield [each.pid for each in processes if each.pid is not None]
    finally:
        for each in processes:
            each.terminate()
            each.join(30)


class Measured(NamedTuple):
    """Figures under full load, CPU seconds a request, and all calls that were made."""

    figures: Figures
    cpu: float
    calls: int


def measure(target: Target, token: str, connections: int, seconds: float) -> Measured:
    """Measure a door after a second of warming up; the figures are printed as they come."""
    wait_for(target.port)
    requests = requests_to(target.port, token)
    warm = load(target.port, requests, connections=connections, seconds=1)
    before = target.cpu_seconds()
    figures = load(target.port, requests, connections=connections, seconds=seconds)
    cpu = (target.cpu_seconds() - before) / figures.calls
    print(
        f"{target.name:26} {figures.rate:9,.0f} requests/s  p50 {figures.p50:7.2f} ms  "
        f"p99 {figures.p99:7.2f} ms  CPU {cpu * 1e6:6.0f} us/request"
    )
    return Measured(figures, cpu, warm.calls + figures.calls)


def measure_workers(token: str, issuer: str, folder: str, connections: int, seconds: float) -> None:
    """Two workers that share a port, counters and the store of evidence, and what they kept."""
    state = str(Path(folder) / "state")
    place = Place(free_port(), issuer, str(Path(folder) / "data.sock"))
    workers = [
        multiprocessing.Process(target=serve_beside_others, args=(place, state, name))
        for name in ("gateway", "gateway-2")
    ]
    with started(*workers) as pids:
        found = measure(Target(WORKERS, place.port, tuple(pids)), token, connections, seconds)
    print(
        f"evidence kept of {calls_kept(state):,} of {found.calls:,} calls; two cores for these "
        f"workers alone: {2 / found.cpu:,.0f} requests/s (goal {GOAL:,})"
    )


def half_load(targets: Sequence[Target], token: str, rate: float, seconds: float) -> None:
    """Latency at a fixed rate through the gateway and without it: what the gateway adds."""
    seen: dict[str, Figures] = {}
    for each in (targets[0], targets[-1]):
        requests = requests_to(each.port, token)
        seen[each.name] = load(each.port, requests, connections=8, seconds=seconds, rate=rate)
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
        found = {each.name: measure(each, token, options.connections, seconds) for each in targets}
        half_load(targets, token, found[GATEWAY].figures.rate / 2, seconds)
        measure_workers(token, issuer, folder, options.connections, seconds)
        app = gateway_app(issuer, str(Path(folder) / "data.sock"))
        print("cost of each policy, microseconds")
        for place, cost in costs(app, PATH, lambda: headers_of(token, "localhost"), BODY):
            print(f"  {cost:7.1f}  {place}")
    cpu = found[GATEWAY].cpu
    print(f"two cores for the gateway alone: {2 / cpu:,.0f} requests/s (goal {GOAL:,})")
    for name in (ENVOY, NGINX):
        part = found[GATEWAY].figures.rate / found[name].figures.rate
        print(
            f"gateway against {name}: {part:.3f} of its requests/s, "
            f"{found[name].cpu / cpu:.3f} by CPU"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
