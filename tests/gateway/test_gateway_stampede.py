"""K2: a thousand parallel callers of one principal do not stampede the back end."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest
from gateway_edge import CORRELATION, VIEW, Edge, token

CALLERS, LIMIT = 1000, 50
"""Parallel callers, and the calls a minute that one principal has."""


@pytest.fixture
def named_values() -> dict[str, str]:
    return {"backend-timeout-seconds": "10", "rate-calls-per-minute": str(LIMIT)}


async def one_call(client: aiohttp.ClientSession, bearer: str) -> tuple[int, str | None, Any]:
    """Status, Retry-After and body of a call."""
    headers = {
        "authorization": f"Bearer {bearer}",
        "x-correlation-id": CORRELATION,
        "content-type": "application/json",
    }
    async with client.post(VIEW, headers=headers, data=b"{}") as answer:
        return answer.status, answer.headers.get("retry-after"), await answer.json()


async def test_the_back_end_sees_the_limit_and_no_other_principal_feels_it(edge: Edge) -> None:
    stampeding, bystander = token(), token(oid="bystander", sub="bystander")
    edge.clock.stop()
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(
        edge.url, connector=connector, timeout=aiohttp.ClientTimeout(total=120)
    ) as client:
        crowd = [asyncio.create_task(one_call(client, stampeding)) for _ in range(CALLERS)]
        other = [asyncio.create_task(one_call(client, bystander)) for _ in range(10)]
        answers = await asyncio.gather(*crowd)
        unaffected = await asyncio.gather(*other)
        assert Counter(status for status, _, _ in answers) == {200: LIMIT, 429: CALLERS - LIMIT}
        assert [status for status, _, _ in unaffected] == [200] * 10
        seen = Counter(each["headers"]["x-mandate-principal"] for each in edge.back_end.requests)
        assert seen == {"caller": LIMIT, "bystander": 10}

        for status, retry_after, body in answers:
            if status == 429:
                assert body["failure"]["type"] == "throttled"
                assert body["failure"]["retryable"] is True
                assert (retry_after, body["failure"]["retryAfterSeconds"]) == ("60", 60)

        # Whoever waits as long as it was told gets in; a second less is too early.
        edge.clock.ahead = 59
        assert (await one_call(client, stampeding))[:2] == (429, "1")
        edge.clock.ahead = 60
        assert (await one_call(client, stampeding))[0] == 200
