"""The directory in Graph's shape opens to tokens with its permission only."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from entra_kit import TENANT, small_directory
from starlette.testclient import TestClient

from hybridmandate.identity.audiences import GRAPH_AUDIENCE
from hybridmandate.twin.entra.directory import Api
from hybridmandate.twin.entra.graph_directory import READ_ROLE, GraphDirectory
from hybridmandate.twin.entra.key_ring import KeyRing
from hybridmandate.twin.entra.store import EntraStore
from hybridmandate.twin.entra.tokens import Mint, Proof

AUTHORITY = "https://authority.example"
PRINCIPALS = "/v1.0/servicePrincipals"
FLOW = small_directory().named("flow")


class Tenant:
    """The directory's routes, and tokens for them."""

    def __init__(self, folder: Path) -> None:
        self.store = EntraStore(folder, time.time)
        graph = Api("graph", GRAPH_AUDIENCE, str(uuid.uuid4()), str(uuid.uuid4()))
        whole = small_directory()
        self.store.save_directory(replace(whole, apis=(*whole.apis, graph)))
        self.ring = KeyRing(self.store, keep_seconds=3600)
        app = GraphDirectory(self.store, self.ring, AUTHORITY, time.time).app()
        self.client = TestClient(app, raise_server_exceptions=False)

    def token(self, resource: str, *roles: str) -> str:
        directory = self.store.directory()
        own, api = directory.named("flow"), directory.api(resource)
        assert own is not None
        assert api is not None
        mint = Mint(TENANT, f"{AUTHORITY}/{TENANT}/v2.0", self.ring)
        minted = mint.for_workload(
            own, api, resource=resource, roles=frozenset(roles), proof=Proof.NONE, now=time.time()
        )
        return minted.text

    def ask(self, token: str | None, method: str = "GET", path: str = PRINCIPALS) -> Any:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return self.client.request(method, path, headers=headers)


@pytest.fixture(name="tenant")
def _tenant(tmp_path: Path) -> Iterator[Tenant]:
    tenant = Tenant(tmp_path)
    yield tenant
    tenant.store.close()


@pytest.mark.parametrize(
    "path",
    [PRINCIPALS, f"{PRINCIPALS}/x", f"{PRINCIPALS}/x/appRoleAssignments", "/v1.0/users"],
)
def test_every_path_asks_for_a_token_and_the_permission(tenant: Tenant, path: str) -> None:
    other = small_directory().apis[0].identifier
    for token, status in (
        (None, 401),
        ("no.such.token", 401),
        (tenant.token(other, READ_ROLE), 401),
        (tenant.token(GRAPH_AUDIENCE), 403),
        (tenant.token(GRAPH_AUDIENCE, "Directory.Read.Some"), 403),
    ):
        answer = tenant.ask(token, path=path)
        assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_what_is_not_there_says_so_in_graphs_shape(tenant: Tenant) -> None:
    token = tenant.token(GRAPH_AUDIENCE, READ_ROLE)
    assert FLOW is not None
    for method, path in (("GET", "/v1.0/users"), ("PATCH", f"{PRINCIPALS}/{FLOW.object_id}")):
        answer = tenant.ask(token, method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "notSupported")
    assert tenant.ask(token).status_code == 400
    known = tenant.ask(token, path=f"{PRINCIPALS}/{FLOW.object_id}")
    assert (known.status_code, known.json()["displayName"]) == (200, "flow")


def test_assignments_are_those_of_the_resource_that_the_filter_names(tenant: Tenant) -> None:
    token = tenant.token(GRAPH_AUDIENCE, READ_ROLE)
    assert FLOW is not None
    path = f"{PRINCIPALS}/{FLOW.object_id}/appRoleAssignments"
    everything = tenant.ask(token, path=path).json()["value"]
    resource = everything[0]["resourceId"]
    filtered = tenant.ask(token, path=f"{path}?$filter=resourceId eq {resource}&$top=999").json()
    assert filtered["value"] == [each for each in everything if each["resourceId"] == resource]
    other = tenant.ask(token, path=f"{path}?$filter=resourceId eq {uuid.uuid4()}")
    assert other.json() == {"value": []}
    assert tenant.ask(token, path=f"{path}?$filter=appRoleId ne null").status_code == 400
