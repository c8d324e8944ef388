"""Connectors send what the services' protocols say, once, with the right token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from connector_kit import NoTokens, Service
from flow_kit import flow_of

from hybridmandate.orchestration.connectors import ConnectorHost, dataverse
from hybridmandate.orchestration.engine import Answer, Call, Watch

FLOW = flow_of({})
SWAGGER = json.loads(
    Path("examples/vendor-invoices/connectors/mandate/apiDefinition.swagger.json").read_text()
)
KEY = "a" * 64
CORRELATION = "c0ffee00-0000-4000-8000-000000000001"


def asked(operation: str, parameters: Mapping[str, Any], **parts: Any) -> Call:
    request = {"host": {"connectionName": "c", "operationId": operation}, "parameters": parameters}
    return Call(
        token="t",
        action="A",
        type=parts.pop("type", "OpenApiConnection"),
        attempt=1,
        request=request,
        correlation_id=CORRELATION,
        idempotency_key=KEY,
        **parts,
    )


async def send(
    settings: Any, operation: str, parameters: Mapping[str, Any], **parts: Any
) -> Answer:
    host = ConnectorHost({"c": settings})
    try:
        return await host.call(FLOW, asked(operation, parameters, **parts))
    finally:
        await host.close()


DATAVERSE = "shared_commondataserviceforapps"
API = "/api/data/v9.2"
GRAPH = "/v1.0/sites/accounts-payable/drive"
SITE = "https://contoso.sharepoint.com/sites/accounts-payable"


async def test_every_request_carries_token_correlation_and_key(service: Service) -> None:
    service.on("GET", f"{API}/accounts(1)", body={"name": "A"})
    settings = service.settings(DATAVERSE)
    await send(settings, "GetItem", {"entityName": "accounts", "recordId": "1"})
    sent = service.requests[0]["headers"]
    assert sent["authorization"] == "Bearer token-of-the-connection"
    assert sent["x-correlation-id"] == CORRELATION
    assert sent["idempotency-key"] == KEY
    assert sent["traceparent"].split("-")[1] == CORRELATION.replace("-", "")
    assert settings.tokens.asked == ["https://resource.example"]


async def test_a_created_row_has_an_id_of_its_key_and_is_not_made_twice(service: Service) -> None:
    row = {"entityName": "hm_intakes", "item/hm_state": "received", "item/hm_counts/rows": 3}
    answers = []
    for _ in range(2):
        answers.append(await send(service.settings(DATAVERSE), "CreateRecord", row))
        path = service.requests[0]["path"]
        service.answers[("PATCH", path)] = [(412, {"error": {}}, {})]
        service.answers[("GET", path)] = [(200, {"hm_intakeid": "x"}, {})]
    first, second = (each for each in service.requests if each["method"] == "PATCH")
    assert first["path"] == second["path"]
    assert first["headers"]["if-none-match"] == "*"
    assert first["json"] == {"hm_state": "received", "hm_counts": {"rows": 3}}
    assert (answers[1].status, answers[1].body) == (201, {"hm_intakeid": "x"})


@pytest.mark.parametrize(
    ("operation", "match"), [("UpdateRecord", None), ("UpdateOnlyRecord", "*")]
)
async def test_updates(service: Service, operation: str, match: str | None) -> None:
    service.on("PATCH", f"{API}/hm_intakes(7)", body={"hm_state": "checking"})
    parameters = {"entityName": "hm_intakes", "recordId": "7", "item/hm_state": "checking"}
    answer = await send(service.settings(DATAVERSE), operation, parameters)
    assert answer.status == 200
    assert service.requests[0]["headers"].get("if-match") == match


async def test_an_upload_in_chunks_that_is_not_opened_is_no_success(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataverse, "CHUNK_BYTES", 3)
    service.on("PATCH", f"{API}/hm_intakes(7)/hm_file", body={})
    row = {"entityName": "hm_intakes", "recordId": "7", "fileImageFieldName": "hm_file"}
    file = {"item": {"$content": "Zm91ciBieXRlcw=="}, "x-ms-file-name": "a.txt"}
    answer = await send(
        service.settings(DATAVERSE), "UpdateEntityFileImageFieldContent", {**row, **file}
    )
    assert answer.fault == "refused"
    assert "location" in str(answer.message)


async def test_rows_are_listed_over_pages_up_to_the_threshold(service: Service) -> None:
    link = f"{service.address}{API}/accounts?page=2"
    service.on("GET", f"{API}/accounts", body={"value": [1, 2], "@odata.nextLink": link})
    service.on("GET", f"{API}/accounts", body={"value": [3]})
    parameters = {"entityName": "accounts", "$select": "name", "$filter": "x eq 'y'", "$top": None}
    answer = await send(service.settings(DATAVERSE), "ListRecords", parameters, pagination=5000)
    assert answer.body["value"] == [1, 2, 3]
    assert service.requests[0]["query"] == {"$select": "name", "$filter": "x eq 'y'"}


async def test_a_row_is_deleted(service: Service) -> None:
    service.on("DELETE", f"{API}/accounts(1)", status=204)
    answer = await send(
        service.settings(DATAVERSE), "DeleteRecord", {"entityName": "accounts", "recordId": "1"}
    )
    assert answer.status == 204


async def test_a_file_goes_through_the_custom_connector_as_it_is(service: Service) -> None:
    service.on("POST", "/exec/operations/files.store/v1", body={"status": "succeeded"})
    body = {"$content-type": "text/csv", "$content": "ZGF0YTv8"}
    parameters = {"x-correlation-id": CORRELATION, "x-file-name": "a%20b.csv", "body": body}
    settings = service.settings("mandate", definition=SWAGGER)
    answer = await send(settings, "files_store_v1", parameters)
    got = service.requests[0]
    assert answer.status == 200
    assert got["raw"] == b"data;\xfc"
    assert got["headers"]["content-type"] == "text/csv"
    assert got["headers"]["x-file-name"] == "a%20b.csv"


async def test_a_media_type_that_the_contract_does_not_name_becomes_octets(
    service: Service,
) -> None:
    service.on("POST", "/exec/operations/files.store/v1", body={})
    body = {"$content-type": "application/x-strange", "$content": "eA=="}
    settings = service.settings("mandate", definition=SWAGGER)
    await send(settings, "files_store_v1", {"x-correlation-id": CORRELATION, "body": body})
    assert service.requests[0]["headers"]["content-type"] == "application/octet-stream"


async def test_flat_parameters_become_the_body_of_the_custom_connector(service: Service) -> None:
    path = "/exec/operations/spreadsheets.normalize/v1"
    service.on("POST", path, status=202, body={}, Location="/exec/jobs/1", Retry_After="1")
    parameters = {
        "x-correlation-id": CORRELATION,
        "Prefer": "respond-async",
        "body/handle": "h",
        "body/profile": "invoice",
    }
    settings = service.settings("mandate", definition=SWAGGER)
    answer = await send(settings, "spreadsheets_normalize_v1", parameters)
    assert service.requests[0]["json"] == {"handle": "h", "profile": "invoice"}
    assert service.requests[0]["headers"]["prefer"] == "respond-async"
    assert (answer.status, answer.headers["location"]) == (202, "/exec/jobs/1")


@pytest.mark.parametrize(
    ("operation", "parameters", "said"),
    [
        ("files_read_v1", {"body/handle": "h"}, "needs the parameter 'x-correlation-id'"),
        ("files_read_v1", {"x-correlation-id": CORRELATION}, "needs the parameter 'body'"),
        (
            "files_read_v1",
            {"x-correlation-id": CORRELATION, "body/handle": "h", "extra": 1},
            "has no parameter 'extra'",
        ),
        ("files_delete_v1", {}, "'files_delete_v1' of connector 'mandate' is not simulated"),
    ],
)
async def test_a_call_that_breaks_the_contract_never_leaves(
    service: Service, operation: str, parameters: dict[str, Any], said: str
) -> None:
    answer = await send(service.settings("mandate", definition=SWAGGER), operation, parameters)
    assert answer.fault == "refused"
    assert said in str(answer.message)
    assert not service.requests


async def test_a_job_is_read_where_its_location_says(service: Service) -> None:
    service.on("GET", "/exec/jobs/1", body={"status": "succeeded"})
    host = ConnectorHost({"c": service.settings("mandate", definition=SWAGGER)})
    request = {"host": {"connectionName": "c"}, "parameters": {}}
    watch = Watch("t", "A", "OpenApiConnection", request, "/exec/jobs/1", 0, CORRELATION)
    answer = await host.read(FLOW, watch)
    away = Watch("t", "A", "OpenApiConnection", request, "https://evil.example/", 0, CORRELATION)
    refused = await host.read(FLOW, away)
    await host.close()
    assert answer.body == {"status": "succeeded"}
    assert refused.fault == "refused"
    assert "no token is sent there" in str(refused.message)


ITEM = {
    "id": "item-1",
    "name": "a.csv",
    "size": 5,
    "eTag": '"1"',
    "webUrl": "https://x/a.csv",
    "createdBy": {"user": {"email": "ada@contoso.example", "displayName": "Ada"}},
    "parentReference": {"path": "/drive/root:/Invoices/Inbox"},
    "file": {"mimeType": "text/csv"},
}


async def test_file_content_is_bytes_whatever_its_type(service: Service) -> None:
    service.on("GET", f"{GRAPH}/items/item-1/content", body=b"\xfc;1", content_type="text/csv")
    service.on("GET", f"{GRAPH}/root:/Invoices/a.csv:/content", body=b"{}")
    sharepoint = service.settings("shared_sharepointonline")
    by_id = await send(sharepoint, "GetFileContent", {"dataset": SITE, "id": "item-1"})
    path = {"dataset": SITE, "path": "/Invoices/a.csv"}
    by_path = await send(sharepoint, "GetFileContentByPath", path)
    assert by_id.body == {"$content-type": "text/csv", "$content": "/Dsx"}
    assert by_path.body["$content"] == "e30="


async def test_file_metadata_and_properties(service: Service) -> None:
    service.on("GET", f"{GRAPH}/items/item-1", body=ITEM)
    sharepoint = service.settings("shared_sharepointonline")
    file = {"dataset": SITE, "id": "item-1", "table": "t"}
    metadata = await send(sharepoint, "GetFileMetadata", file)
    properties = await send(sharepoint, "GetFileItem", file)
    assert (metadata.body["Size"], metadata.body["Path"]) == (5, "/Invoices/Inbox/a.csv")
    assert properties.body["Author"]["Email"] == "ada@contoso.example"
    assert properties.body["{Link}"] == "https://x/a.csv"
    assert properties.body["{Name}"] == "a"


async def test_a_file_is_created_by_replacing(service: Service) -> None:
    service.on("PUT", f"{GRAPH}/root:/Invoices/Returned/b.xlsx:/content", status=201, body=ITEM)
    parameters = {
        "dataset": SITE,
        "folderPath": "/Invoices/Returned",
        "name": "b.xlsx",
        "body": {"$content-type": "x/y", "$content": "eA=="},
    }
    answer = await send(service.settings("shared_sharepointonline"), "CreateFile", parameters)
    assert answer.body["ItemId"] == "item-1"
    assert service.requests[0]["raw"] == b"x"


async def test_mail_is_sent_from_the_mailbox_that_is_named(service: Service) -> None:
    service.on("POST", "/v1.0/users/ap@contoso.example/sendMail", status=202)
    parameters = {
        "emailMessage/To": "a@x.example; b@x.example",
        "emailMessage/Subject": "Hello",
        "emailMessage/Body": "<p>x</p>",
    }
    mail = service.settings("shared_office365", options={"sender": "ap@contoso.example"})
    answer = await send(mail, "SendEmailV2", parameters)
    message = service.requests[0]["json"]["message"]
    assert answer.status == 202
    assert [e["emailAddress"]["address"] for e in message["toRecipients"]] == [
        "a@x.example",
        "b@x.example",
    ]
    without = await send(service.settings("shared_office365"), "SendEmailV2", parameters)
    assert "needs a sender" in str(without.message)


async def test_a_channel_message_is_posted(service: Service) -> None:
    service.on("POST", "/v1.0/teams/team/channels/channel/messages", status=201, body={"id": "1"})
    parameters = {
        "location": "Channel",
        "body/recipient/groupId": "team",
        "body/recipient/channelId": "channel",
        "body/messageBody": "<p>parked</p>",
    }
    teams = service.settings("shared_teams")
    answer = await send(teams, "PostMessageToConversation", parameters)
    assert answer.status == 201
    assert service.requests[0]["json"]["body"]["content"] == "<p>parked</p>"
    elsewhere = {**parameters, "location": "Somewhere else"}
    chat = await send(teams, "PostMessageToConversation", elsewhere)
    assert "is not simulated" in str(chat.message)


async def test_an_approval_is_started_and_watched_until_it_is_decided(service: Service) -> None:
    items = "/beta/solutions/approval/approvalItems"
    service.on("POST", items, status=201, body={"id": "7", "state": "pending"})
    service.on("GET", f"{items}/7", body={"id": "7", "state": "pending"})
    decided = {"id": "7", "state": "completed", "result": "Approve", "displayName": "Commit?"}
    service.on("GET", f"{items}/7", body=decided)
    person = {"user": {"email": "controller@contoso.example", "displayName": "Chris"}}
    response = {"response": "Approve", "comments": "fine", "createdBy": person}
    service.on("GET", f"{items}/7/responses", body={"value": [response]})
    parameters = {
        "approvalType": "Basic",
        "WebhookApprovalCreationInput/title": "Commit?",
        "WebhookApprovalCreationInput/assignedTo": "controller@contoso.example",
    }
    host = ConnectorHost({"c": service.settings("shared_approvals")})
    call = asked("StartAndWaitForAnApproval", parameters, type="OpenApiConnectionWebhook")
    started = await host.call(FLOW, call)
    assert (started.status, started.headers["location"]) == (202, f"{items}/7")
    watch = Watch("t", "A", call.type, call.request, f"{items}/7", 0, CORRELATION)
    waiting, ended = await host.read(FLOW, watch), await host.read(FLOW, watch)
    await host.close()
    assert waiting.status == 202
    assert ended.body["outcome"] == "Approve"
    assert ended.body["responses"][0]["responder"]["email"] == "controller@contoso.example"
    assert service.requests[0]["json"]["approvers"] == [
        {"user": {"userPrincipalName": "controller@contoso.example"}}
    ]


@pytest.mark.parametrize(("transient", "fault"), [(True, "unreachable"), (False, "refused")])
async def test_without_a_token_nothing_is_sent(
    service: Service, transient: bool, fault: str
) -> None:
    settings = service.settings(DATAVERSE, tokens=NoTokens(transient=transient))
    answer = await send(settings, "GetItem", {"entityName": "a", "recordId": "1"})
    assert answer.fault == fault
    assert not service.requests


async def test_a_service_that_is_down_is_unreachable(service: Service) -> None:
    settings = service.settings(DATAVERSE)
    await service.close()
    answer = await send(settings, "GetItem", {"entityName": "a", "recordId": "1"})
    assert answer.fault == "unreachable"


@pytest.mark.parametrize(
    "connector",
    [
        DATAVERSE,
        "shared_sharepointonline",
        "shared_office365",
        "shared_teams",
        "shared_approvals",
    ],
)
async def test_an_unknown_operation_says_that_it_is_not_simulated(
    service: Service, connector: str
) -> None:
    answer = await send(service.settings(connector), "DanceTheTango", {})
    assert answer.fault == "refused"
    assert f"'DanceTheTango' of connector '{connector}' is not simulated" in str(answer.message)


async def test_an_unknown_connector_is_refused_when_it_is_configured(service: Service) -> None:
    with pytest.raises(ValueError, match="'shared_saperp' is not simulated"):
        ConnectorHost({"c": service.settings("shared_saperp")})


async def test_a_connection_that_the_environment_lacks_is_refused() -> None:
    answer = await ConnectorHost({}).call(FLOW, asked("GetItem", {}))
    assert answer.fault == "refused"


async def test_http_actions_send_no_token_and_no_secret_of_a_definition(service: Service) -> None:
    service.on("POST", "/x", body={"ok": True})
    host = ConnectorHost({})
    plain = {"method": "post", "uri": f"{service.address}/x", "body": {"a": 1}}
    secret = {"type": "ActiveDirectoryOAuth", "audience": "api://x", "secret": "s3cret"}
    answers = [
        await host.call(FLOW, Call("t", "A", "Http", 1, each, CORRELATION, KEY))
        for each in (plain, {**plain, "authentication": secret})
    ]
    await host.close()
    assert answers[0].body == {"ok": True}
    assert "authorization" not in service.requests[0]["headers"]
    assert answers[1].fault == "refused"
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("operation", "parameters", "method", "path", "body"),
    [
        (
            "AssociateEntities",
            {
                "entityName": "accounts",
                "recordId": "1",
                "associationEntityRelationship": "contacts",
                "item/@odata.id": "contacts(2)",
            },
            "POST",
            f"{API}/accounts(1)/contacts/$ref",
            "contacts(2)",
        ),
        (
            "PerformUnboundAction",
            {"actionName": "WinQuote", "item/Status": 4},
            "POST",
            f"{API}/WinQuote",
            '"Status": 4',
        ),
        (
            "PerformBoundAction",
            {"entityName": "queues", "recordId": "1", "actionName": "AddToQueue", "item/a": 1},
            "POST",
            f"{API}/queues(1)/Microsoft.Dynamics.CRM.AddToQueue",
            '"a": 1',
        ),
    ],
)
async def test_dataverse_relates_rows_and_runs_actions(
    service: Service,
    operation: str,
    parameters: dict[str, Any],
    method: str,
    path: str,
    body: str,
) -> None:
    service.on(method, path, 204)
    answer = await send(service.settings(DATAVERSE), operation, parameters)
    assert answer.status == 204
    assert body in json.dumps(service.requests[0]["json"])


async def test_a_person_is_read_by_sign_in_name(service: Service) -> None:
    service.on("GET", "/v1.0/users/ada@contoso.example", body={"displayName": "Ada"})
    settings = service.settings("shared_office365users")
    answer = await send(settings, "UserProfile_V2", {"id": "ada@contoso.example"})
    assert answer.body == {"displayName": "Ada"}


async def paged(service: Service, pagination: int, path: str = "/rows") -> Answer:
    request = {"method": "GET", "uri": f"{service.address}{path}"}
    call = Call("t", "A", "Http", 1, request, CORRELATION, KEY, pagination)
    host = ConnectorHost({})
    try:
        return await host.call(FLOW, call)
    finally:
        await host.close()


async def test_pages_of_an_http_action_come_as_one_up_to_its_threshold(service: Service) -> None:
    service.on(
        "GET", "/rows", body={"value": [1, 2], "nextLink": f"{service.address}/rows2", "x": 1}
    )
    service.on("GET", "/rows2", body={"value": [3, 4], "@odata.nextLink": "/rows3"})
    service.on("GET", "/rows3", body={"value": [5]})
    whole = await paged(service, 100)
    assert whole.body == {"value": [1, 2, 3, 4, 5], "x": 1}
    assert (await paged(service, 3)).body["value"] == [1, 2, 3, 4]


async def test_a_page_that_fails_or_leads_back_ends_the_action(service: Service) -> None:
    service.on("GET", "/round", body={"value": [], "nextLink": f"{service.address}/round"})
    service.on("GET", "/broken", body={"value": [1], "nextLink": "/gone"})
    service.on("GET", "/single", body={"value": "no list", "nextLink": "/gone"})
    service.on("GET", "/away", body={"value": [], "nextLink": "https://elsewhere.example/"})
    assert "circle" in str((await paged(service, 9, "/round")).message)
    assert "is not on" in str((await paged(service, 9, "/away")).message)
    assert (await paged(service, 9, "/broken")).status == 404
    assert (await paged(service, 9, "/single")).body["value"] == "no list"
