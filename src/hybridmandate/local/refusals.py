"""The calls that must be refused, made for real, with the evidence that each one left.

A demonstration of the boundaries: each probe is an ordinary HTTP request that breaks one rule.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from hybridmandate.evidence.store import by_correlation_id, open_reader, uncorrelated
from hybridmandate.identity.audiences import GRAPH_AUDIENCE, gateway_audience
from hybridmandate.local.machine import Machine

EVIDENCE_SECONDS = 5.0
NORMALIZE = "/exec/operations/spreadsheets.normalize/v1"
MAX_RECORDS = 50
OVERSIZE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a probe met: HTTP status, failure type and reason, and who wrote evidence of it."""

    name: str
    status: int
    failure_type: str | None
    reason: str | None
    correlation_id: str | None
    evidence: str | None

    @property
    def refused(self) -> bool:
        """Whether the call was refused with one of our failure types, and evidence was left."""
        return self.status >= 400 and self.failure_type is not None and self.evidence is not None


class Refusals:
    """Makes the probes against a machine; ``principal`` is the flow's own service principal."""

    def __init__(self, machine: Machine, *, principal: str, outsider: str, person: str) -> None:
        self._machine = machine
        self._principal = principal
        self._outsider = outsider
        self._person = person
        plan = machine.plan
        self._gateway = plan.origin("gateway")
        self._audience = gateway_audience(machine.boot.folder.name, plan.environment)

    async def all(self) -> list[Refusal]:
        """Every probe, in the order in which a call meets the boundaries."""
        probes: list[tuple[str, Callable[[str], Awaitable[httpx.Response]]]] = [
            ("no token", self._no_token),
            ("a person's token", self._person_token),
            ("a token for another audience", self._other_audience),
            ("a principal without the role", self._without_role),
            ("no correlation id", self._no_correlation_id),
            ("direct call to execution", self._direct),
            ("body over the limit", self._oversize),
            ("write outside the commit rules", self._outside_commit),
        ]
        return [await self._probe(name, call) for name, call in probes]

    async def _probe(self, name: str, call: Callable[[str], Awaitable[httpx.Response]]) -> Refusal:
        correlation_id = str(uuid.uuid4())
        started = time.time_ns()
        answer = await call(correlation_id)
        failure = _failure(answer)
        sent = "x-correlation-id" in answer.request.headers
        evidence = await self._evidence(correlation_id if sent else None, started)
        return Refusal(
            name=name,
            status=answer.status_code,
            failure_type=failure.get("type"),
            reason=failure.get("reason"),
            correlation_id=correlation_id if sent else None,
            evidence=evidence,
        )

    async def _evidence(self, correlation_id: str | None, started: int) -> str | None:
        """The kind of the record of the refusal, once it is written."""
        deadline = time.monotonic() + EVIDENCE_SECONDS
        while time.monotonic() < deadline:
            found = await asyncio.to_thread(self._refused_record, correlation_id, started)
            if found is not None:
                return found
            await asyncio.sleep(0.05)
        return None

    def _refused_record(self, correlation_id: str | None, started: int) -> str | None:
        store = open_reader(self._machine.plan.folder.evidence_database)
        try:
            if correlation_id is not None:
                records = by_correlation_id(store, correlation_id)
            else:
                records = uncorrelated(
                    store, since_ns=started, until_ns=time.time_ns(), limit=MAX_RECORDS
                )
        finally:
            store.close()
        for record in records:
            if record.outcome == "refused" or record.failure_type is not None:
                return str(record.kind)
        return None

    async def _send(self, path: str, headers: dict[str, str], **options: Any) -> httpx.Response:
        return await self._machine.http.post(self._gateway + path, headers=headers, **options)

    async def _token(self, principal: str, resource: str) -> dict[str, str]:
        token = await self._machine.workload(principal).token(resource)
        return {"authorization": f"Bearer {token}"}

    async def _no_token(self, correlation_id: str) -> httpx.Response:
        return await self._send(NORMALIZE, {"x-correlation-id": correlation_id}, json={})

    async def _person_token(self, correlation_id: str) -> httpx.Response:
        scope = f"{self._audience}/user_impersonation"
        token = await self._machine.person(self._person).token(scope)
        headers = {"authorization": f"Bearer {token}", "x-correlation-id": correlation_id}
        return await self._send(NORMALIZE, headers, json={})

    async def _other_audience(self, correlation_id: str) -> httpx.Response:
        headers = await self._token("flow-office", GRAPH_AUDIENCE)
        return await self._send(NORMALIZE, {**headers, "x-correlation-id": correlation_id}, json={})

    async def _without_role(self, correlation_id: str) -> httpx.Response:
        headers = await self._token(self._outsider, self._audience)
        return await self._send(NORMALIZE, {**headers, "x-correlation-id": correlation_id}, json={})

    async def _no_correlation_id(self, _: str) -> httpx.Response:
        headers = await self._token(self._principal, self._audience)
        return await self._send(NORMALIZE, headers, json={})

    async def _direct(self, correlation_id: str) -> httpx.Response:
        """Straight to execution's socket, with a valid token of its own."""
        headers = await self._token(self._principal, self._audience)
        headers |= {"x-correlation-id": correlation_id, "x-mandate-roles": "Spreadsheets.Normalize"}
        async with self._machine.private_client("execution") as client:
            return await client.post(NORMALIZE.removeprefix("/exec"), headers=headers, json={})

    async def _oversize(self, correlation_id: str) -> httpx.Response:
        headers = await self._token(self._principal, self._audience)
        headers |= {"x-correlation-id": correlation_id, "content-type": "application/json"}
        body = b'{"handle": "' + b"x" * OVERSIZE_BYTES + b'"}'
        return await self._send(NORMALIZE, headers, content=body)

    async def _outside_commit(self, correlation_id: str) -> httpx.Response:
        headers = await self._token(self._principal, self._audience)
        record = {"record": "V-10001|X-1", "values": {"hm_approvedby": "nobody asked"}}
        return await self._send(
            "/data/commits/invoices/v1",
            {**headers, "x-correlation-id": correlation_id},
            json={"job": correlation_id, "records": [record]},
        )


def _failure(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    failure = body.get("failure") if isinstance(body, dict) else None
    return failure if isinstance(failure, dict) else {}
