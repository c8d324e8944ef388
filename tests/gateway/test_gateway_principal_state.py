"""A token does not outlive its principal: disabling and revoking take effect within a stated time.

The directory is the identity stand-in's own, asked over HTTP in Microsoft Graph's shape.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from gateway_edge import (
    AUDIENCE,
    JSON,
    POLICIES,
    TENANT,
    VIEW,
    BackEnd,
    Clock,
    Edge,
    Evidence,
    environment,
    respond,
    token,
)

from hybridmandate.governance.gateway.conformance import Served
from hybridmandate.governance.gateway.layout import baseline_folder, load_layout
from hybridmandate.governance.gateway.server import create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.identity.audiences import GRAPH_AUDIENCE
from hybridmandate.twin.entra.directory import Api, Assignment, Directory, IdentityKind, Workload
from hybridmandate.twin.entra.graph_directory import READ_ROLE, GraphDirectory
from hybridmandate.twin.entra.key_ring import KeyRing
from hybridmandate.twin.entra.store import EntraStore
from hybridmandate.twin.entra.tokens import Mint, Proof

STATE_SECONDS, LAST_KNOWN_SECONDS = 30, 300
"""The times that the baseline states."""
CALLER = "5a4b8f5e-7d0e-4a86-9a05-6d4f7e3f0a01"
EDGE = "5a4b8f5e-7d0e-4a86-9a05-6d4f7e3f0a02"
AUTHORITY = "https://authority.example"
ROLES = frozenset({"Data.View.Vendors", "Files.Store"})


def workload(name: str, object_id: str) -> Workload:
    return Workload(name, IdentityKind.SERVICE_PRINCIPAL, f"app-of-{name}", object_id)


class Tenant:
    """The directory, the gateway's own identity, and a switch that breaks the line to it."""

    def __init__(self, folder: Path) -> None:
        self.store = EntraStore(folder, time.time)
        self.store.save_directory(self._directory(ROLES, frozenset({READ_ROLE})))
        self.ring = KeyRing(self.store, keep_seconds=3600)
        self.graph = GraphDirectory(self.store, self.ring, AUTHORITY, time.time).app()
        self.asked: list[str] = []
        self.queries: list[str] = []
        self.broken = False
        self.instead: dict[str, dict[str, Any]] = {}
        """Answers by the end of a path, in place of the directory's own."""

    @staticmethod
    def _directory(roles: frozenset[str], graph: frozenset[str]) -> Directory:
        apis = (
            Api("gateway-api", AUDIENCE, "5a4b8f5e-7d0e-4a86-9a05-6d4f7e3f0b01", EDGE, ROLES),
            Api("graph", GRAPH_AUDIENCE, "5a4b8f5e-7d0e-4a86-9a05-6d4f7e3f0b02", CALLER),
        )
        return Directory(
            TENANT,
            (workload("flow", CALLER), workload("gateway", EDGE)),
            apis,
            (Assignment("flow", "gateway-api", roles), Assignment("gateway", "graph", graph)),
        )

    def grant(self, roles: frozenset[str]) -> None:
        self.store.save_directory(self._directory(roles, frozenset({READ_ROLE})))

    def switch(self, *, enabled: bool) -> None:
        self.store.set_enabled("app-of-flow", enabled)

    async def token(self, resource: str) -> str:
        mint = Mint(TENANT, f"{AUTHORITY}/{TENANT}/v2.0", self.ring)
        directory = self.store.directory()
        own, api = directory.named("gateway"), directory.api(GRAPH_AUDIENCE)
        assert own is not None
        assert api is not None
        assigned = directory.assignment(own, api)
        roles = assigned.roles if assigned and resource == GRAPH_AUDIENCE else frozenset[str]()
        now = time.time()
        return mint.for_workload(
            own, api, resource=resource, roles=roles, proof=Proof.NONE, now=now
        ).text

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.asked.append(scope["path"])
            self.queries.append(unquote(scope["query_string"].decode()))
            given = next(
                (b for end, b in self.instead.items() if scope["path"].endswith(end)), None
            )
            if given is not None:
                await respond(send, 200, json.dumps(given).encode(), [JSON])
                return
            if self.broken:
                await send({"type": "http.response.start", "status": 503, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await self.graph(scope, receive, send)


@pytest.fixture(name="tenant")
def _tenant(tmp_path: Path) -> Tenant:
    return Tenant(tmp_path / "entra")


@pytest.fixture(name="edge")
async def _edge(tenant: Tenant) -> AsyncIterator[Edge]:
    back_end, evidence, clock = BackEnd(), Evidence(), Clock()
    async with Served(back_end) as services, Served(tenant) as directory:
        configuration = load_layout(
            POLICIES,
            baseline=baseline_folder(),
            named_values={
                **environment(services.url, services.url),
                "principal-directory-url": f"{directory.url}/v1.0",
            },
        )
        app = create_app(GatewaySettings(), configuration, lambda _: tenant, evidence, clock=clock)
        async with Served(app) as gateway, httpx.AsyncClient(trust_env=False) as client:
            yield Edge(gateway.url, back_end, tenant, evidence, clock, app, client)  # type: ignore[arg-type]


async def call(edge: Edge, path: str = VIEW, **claims: Any) -> tuple[int, str | None]:
    """Status and reason of a call whose token is good for an hour."""
    now = int(edge.clock())
    bearer = token(oid=CALLER, sub=CALLER, iat=now, nbf=now, exp=now + 3600, **claims)
    answer = await edge.post(path, headers={"authorization": f"Bearer {bearer}"})
    failure = answer.json().get("failure")
    return answer.status_code, None if failure is None else failure["reason"]


async def test_an_enabled_principal_calls_and_the_directory_is_asked_once(
    edge: Edge, tenant: Tenant
) -> None:
    for _ in range(5):
        assert await call(edge) == (200, None)
    assert len(tenant.asked) == 3


async def test_a_disabled_principal_is_unauthorized_within_the_stated_time(
    edge: Edge, tenant: Tenant
) -> None:
    assert await call(edge) == (200, None)
    tenant.switch(enabled=False)
    edge.clock.ahead = STATE_SECONDS + 1
    assert await call(edge) == (401, "principal.disabled")
    assert edge.last.principal == CALLER
    assert edge.last.failure_type == "unauthorized"
    tenant.switch(enabled=True)
    edge.clock.ahead *= 2
    assert await call(edge) == (200, None)


async def test_a_principal_that_is_gone_is_unauthorized(edge: Edge, tenant: Tenant) -> None:
    directory = tenant.store.directory()
    tenant.store.save_directory(
        replace(directory, workloads=directory.workloads[1:], assignments=directory.assignments[1:])
    )
    assert await call(edge) == (401, "principal.disabled")


async def test_a_revoked_role_is_forbidden_within_the_stated_time(
    edge: Edge, tenant: Tenant
) -> None:
    assert await call(edge) == (200, None)
    tenant.grant(frozenset({"Files.Store"}))
    edge.clock.ahead = STATE_SECONDS + 1
    assert await call(edge) == (403, "token.role")


async def test_the_back_end_hears_only_of_roles_that_token_and_directory_both_name(
    edge: Edge, tenant: Tenant
) -> None:
    tenant.grant(ROLES)
    assert await call(edge, roles=["Data.View.Vendors", "Made.Up"]) == (200, None)
    assert edge.back_end.requests[-1]["headers"]["x-mandate-roles"] == "Data.View.Vendors"


async def test_while_the_directory_is_silent_what_it_said_last_stands_for_a_while(
    edge: Edge, tenant: Tenant
) -> None:
    assert await call(edge) == (200, None)
    tenant.broken = True
    edge.clock.ahead = STATE_SECONDS + 1
    assert await call(edge) == (200, None)
    asked = len(tenant.asked)
    assert await call(edge) == (200, None)
    assert len(tenant.asked) == asked, "a silent directory is not waited for by every call"
    edge.clock.ahead = LAST_KNOWN_SECONDS + 1
    assert await call(edge) == (503, "directory.unreachable")


async def test_assignments_are_asked_for_the_gateways_own_roles_only(
    edge: Edge, tenant: Tenant
) -> None:
    assert await call(edge) == (200, None)
    assert tenant.queries[-1] == f"$filter=resourceId eq {EDGE}&$top=999"


async def test_half_a_list_of_assignments_takes_no_role_away(edge: Edge, tenant: Tenant) -> None:
    assert await call(edge) == (200, None)
    tenant.instead["/appRoleAssignments"] = {"value": [], "@odata.nextLink": "https://next"}
    edge.clock.ahead = STATE_SECONDS + 1
    assert await call(edge) == (200, None)


async def test_an_audience_that_the_directory_does_not_know_is_our_defect(
    edge: Edge, tenant: Tenant
) -> None:
    tenant.instead["/servicePrincipals"] = {"value": []}
    assert await call(edge) == (500, "directory.audience")
    assert edge.last.failure_type == "internal_error"
    assert edge.back_end.requests == []
    tenant.instead.clear()
    assert await call(edge) == (200, None)


async def test_a_directory_that_never_answered_lets_nobody_in(edge: Edge, tenant: Tenant) -> None:
    tenant.broken = True
    assert await call(edge) == (503, "directory.unreachable")
    assert edge.back_end.requests == []


@pytest.mark.parametrize(
    ("path", "authorized", "status", "code"),
    [
        (f"/v1.0/servicePrincipals/{CALLER}", False, 401, "InvalidAuthenticationToken"),
        ("/v1.0/servicePrincipals/nobody", True, 404, "Request_ResourceNotFound"),
        ("/v1.0/servicePrincipals?$filter=x", True, 400, "Request_UnsupportedQuery"),
    ],
)
async def test_the_directory_refuses_in_graphs_own_shape(
    tenant: Tenant, path: str, authorized: bool, status: int, code: str
) -> None:
    headers = {"authorization": f"Bearer {await tenant.token(GRAPH_AUDIENCE)}"}
    transport = httpx.ASGITransport(tenant.graph)
    async with httpx.AsyncClient(transport=transport, base_url="http://graph") as client:
        answer = await client.get(path, headers=headers if authorized else {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_the_directory_is_closed_to_tokens_without_its_permission(tenant: Tenant) -> None:
    tenant.store.save_directory(Tenant._directory(ROLES, frozenset({"Mail.Send"})))
    headers = {"authorization": f"Bearer {await tenant.token(GRAPH_AUDIENCE)}"}
    transport = httpx.ASGITransport(tenant.graph)
    async with httpx.AsyncClient(transport=transport, base_url="http://graph") as client:
        answer = await client.get(f"/v1.0/servicePrincipals/{CALLER}", headers=headers)
    assert answer.status_code == 403
