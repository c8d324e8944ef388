"""Actions that name a path of their connector reach the operation that stands for it."""

from __future__ import annotations

from typing import Any

import pytest
from connector_kit import Service
from flow_kit import flow_of
from test_flow_connectors import CORRELATION, KEY

from hybridmandate.orchestration.connectors import ConnectorHost
from hybridmandate.orchestration.connectors.host import CONNECTORS
from hybridmandate.orchestration.connectors.swagger_paths import (
    ROUTES,
    connection_key,
    routed,
    without_values,
)
from hybridmandate.orchestration.engine import Answer, Call

SITE = "https%253A%252F%252Fcontoso.sharepoint.com%252Fsites%252Fap"

REQUESTS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("shared_commondataservice",
     {"method": "get", "path": "/v2/datasets/default.cds/tables/accounts/items",
      "queries": {"$filter": "x eq 1"}},
     "GetItems_V2", {"dataset": "default.cds", "table": "accounts", "$filter": "x eq 1"}),
    ("shared_commondataservice",
     {"method": "patch", "path": "/v2/datasets/d/tables/t/items/1", "body": {"a": 1}},
     "PatchItem_V2", {"dataset": "d", "table": "t", "id": "1", "item": {"a": 1}}),
    ("shared_office365", {"method": "post", "path": "/v2/Mail", "body": {"To": "a@x.example"}},
     "SendEmailV2", {"emailMessage": {"To": "a@x.example"}}),
    ("shared_sharepointonline",
     {"method": "POST", "path": f"/datasets/{SITE}/httprequest", "body": {"method": "GET"}},
     "HttpRequest",
     {"dataset": "https://contoso.sharepoint.com/sites/ap", "parameters": {"method": "GET"}}),
    ("shared_sharepointonline", {"method": "get", "path": f"/datasets/{SITE}/files/a%2Fb/content"},
     "GetFileContent", {"dataset": "https://contoso.sharepoint.com/sites/ap", "id": "a/b"}),
    ("shared_office365users", {"method": "get", "path": "/codeless/v1.0/users/a%40x.example"},
     "UserProfile_V2", {"id": "a@x.example"}),
    ("shared_approvals", {"path": "/types/Basic/subscriptions", "body": {"title": "t"}},
     "StartAndWaitForAnApproval",
     {"approvalType": "Basic", "WebhookApprovalCreationInput": {"title": "t"}}),
]  # fmt: skip


@pytest.mark.parametrize(("api", "request_", "operation", "parameters"), REQUESTS)
def test_a_path_stands_for_an_operation(
    api: str, request_: dict[str, Any], operation: str, parameters: dict[str, Any]
) -> None:
    found = routed(api, request_)
    assert found is not None
    assert (found.operation, dict(found.parameters)) == (operation, parameters)


def test_every_path_stands_for_an_operation_that_is_simulated() -> None:
    for api, routes in ROUTES.items():
        for route in routes:
            assert route.operation in CONNECTORS[api].operations, route


def test_expressions_of_a_definition_are_left_out() -> None:
    path = (
        "/datasets/@{encodeURIComponent(encodeURIComponent('https://x/}'))}/tables/@{item()}/items"
    )
    assert without_values(path) == "/datasets/value/tables/value/items"
    named = "@parameters('$connections')['shared_office365_1']['connectionId']"
    assert connection_key(named) == "shared_office365_1"
    assert connection_key("literal") is None


async def sent(service: Service, path: str) -> Answer:
    host = {"connection": {"name": "/connections/hm_users"}}
    request = {"host": host, "method": "get", "path": path}
    call = Call("t", "A", "ApiConnection", 1, request, CORRELATION, KEY)
    connectors = ConnectorHost({"hm_users": service.settings("shared_office365users")})
    try:
        return await connectors.call(flow_of({}), call)
    finally:
        await connectors.close()


async def test_the_connection_is_found_by_its_id(service: Service) -> None:
    service.on("GET", "/v1.0/users/a@x.example", body={"mail": "a@x.example"})
    answer = await sent(service, "/codeless/v1.0/users/a%40x.example")
    assert answer.body == {"mail": "a@x.example"}
    unknown = await sent(service, "/users/a/relevantpeople")
    assert "not simulated" in str(unknown.message)
    assert len(service.requests) == 1
