"""What each policy of the baseline costs: the gateway called in this process and timed."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import Any

from hybridmandate.governance.gateway.policy_trace import PolicyTrace
from hybridmandate.governance.gateway.server import GatewayApp

CALLS = 400


def costs(
    app: GatewayApp, path: str, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> list[tuple[str, float]]:
    """Place and median microseconds of each policy that runs, in order.

    A policy that waits for the back end is charged with that wait.
    """
    times: dict[str, list[float]] = {}

    async def run() -> None:
        for _ in range(CALLS):
            trace = app.services.trace = PolicyTrace(time.perf_counter)
            status = await _call(app, path, headers, body)
            if status != 200:
                raise RuntimeError(f"the gateway answered {status}")
            for each in trace.policies:
                place = f"{each.section}/{each.scope}/{each.path}"
                times.setdefault(place, []).append(each.milliseconds * 1000)
        app.services.trace = None

    asyncio.run(run())
    return [(place, statistics.median(found)) for place, found in times.items()]


async def _call(
    app: GatewayApp, path: str, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> int:
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
        "scheme": "http",
        "client": ("127.0.0.1", 50000),
    }
    await app(scope, receive, send)
    return statuses[0]
