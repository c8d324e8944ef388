"""Latency of an idempotent replay at the execution service: goal under 2 ms (design.md section 10).

A call is made once, then repeated: door, body, contract check, claim look-up and answer, on a
SQLite file, the ASGI app called directly. Beside it, in the same run: the same service's liveness
answer (what the ASGI app itself costs), a first call (with its claim and group commit), and replays
from many callers at once.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from hybridmandate.contracts import Call, Registry, WireModel, operation
from hybridmandate.contracts.declaration import declared_operation
from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.execution.data_client import DataGatewayClient
from hybridmandate.execution.files import LocalFileContent
from hybridmandate.execution.host import create_app
from hybridmandate.execution.settings import DataGatewaySettings, ExecutionSettings
from hybridmandate.identity.principal import Principal

GOAL_MS = 2.0
BODY = b'{"text": "' + b"x" * 1000 + b'"}'


class Asked(WireModel):
    text: str


@operation("bench.echo", version=1, role="Bench.Echo")
async def echo(request: Asked, call: Call) -> Asked:
    """Say it back."""
    return request


class _Open:
    """A door that is always open and a recorder that counts: their cost is measured elsewhere."""

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        return Principal("oid", "gateway", "tenant", frozenset({"Execution.Invoke"}), 0.0)

    async def token(self, resource: str) -> str:
        return "unused"

    def record(self, record: Record) -> None:
        return


async def _post(app: Starlette, path: str, correlation_id: str) -> bytes:
    """One request to the app, without an HTTP client's own cost; returns the body."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET" if path.startswith("/health") else "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "server": ("execution", 80),
        "client": ("gateway", 1),
        "headers": [
            (b"authorization", b"Bearer x"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(BODY)).encode()),
            (b"x-correlation-id", correlation_id.encode()),
            (b"x-mandate-principal", b"oid-flow"),
            (b"x-mandate-app", b"app-flow"),
            (b"x-mandate-roles", b"Bench.Echo"),
        ],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if sent[0]["status"] != 200:
        raise RuntimeError(f"{path} answered {sent[0]['status']}: {sent[1]['body']!r}")
    return bytes(sent[1]["body"])


async def _timed(calls: int, act: Callable[[int], Awaitable[object]]) -> list[float]:
    times = []
    for number in range(calls):
        started = time.perf_counter()
        await act(number)
        times.append((time.perf_counter() - started) * 1000)
    return times


async def measure(folder: Path, calls: int, callers: int) -> dict[str, list[float]]:
    """Latencies in milliseconds by what was measured."""
    registry = Registry()
    declared = declared_operation(echo)
    if declared is None:
        raise TypeError("echo is no operation")
    registry.add(declared)
    outside, url = _Open(), f"sqlite:///{folder}/execution.db"
    async with httpx.AsyncClient() as outgoing:
        app = create_app(
            ExecutionSettings(
                gateway_app_id="gateway",
                process_id="bench",
                spool_folder=folder / "spool",
                service_version="bench",
            ),
            registry,
            verifier=outside,
            recorder=outside,
            durable=open_durable(
                name="bench-replay", url=url, executor_id="bench", application_version="1"
            ),
            engine=open_engine(url),
            content=LocalFileContent(folder / "files"),
            data=DataGatewayClient(
                DataGatewaySettings(gateway_url="http://127.0.0.1:1", resource="api://bench"),
                outside,
                outgoing,
            ),
        )
        path = "/operations/bench.echo/v1"
        async with app.router.lifespan_context(app):
            first = await _timed(calls, lambda n: _post(app, path, f"first-{n:08d}"))
            replay = await _timed(calls, lambda _: _post(app, path, "first-00000000"))
            if b'"replayed":true' not in await _post(app, path, "first-00000000"):
                raise RuntimeError("the repeat was not recognised")
            bare = await _timed(calls, lambda _: _post(app, "/health/live", "first-00000000"))

            async def caller(own: int) -> list[float]:
                share = calls // callers
                return await _timed(
                    share, lambda n: _post(app, path, f"first-{(own * share + n) % calls:08d}")
                )

            started = time.perf_counter()
            many = [
                t for times in await asyncio.gather(*map(caller, range(callers))) for t in times
            ]
            rate = len(many) / (time.perf_counter() - started)
    print(f"{callers} callers at once: {rate:,.0f} replays/s")
    return {"liveness": bare, "first call": first, "replay": replay, f"{callers} at once": many}


def main(argv: list[str]) -> int:
    """Print the figures; the exit status says whether a replay's median meets the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--callers", type=int, default=32)
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), chosen.calls, chosen.callers))
    print(f"{'':14}{'p50 ms':>9}{'p99 ms':>9}")
    for name, times in found.items():
        ordered = sorted(times)
        p99 = ordered[int(len(ordered) * 0.99)]
        print(f"{name:14}{statistics.median(ordered):9.3f}{p99:9.3f}")
    median = statistics.median(found["replay"])
    print(f"goal: replay under {GOAL_MS} ms; median {median:.3f} ms")
    return 0 if median < GOAL_MS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
