"""The connectors against the office stand-in itself: files, mail, Teams, approvals."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from connector_kit import Tokens
from flow_kit import flow_of
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from test_flow_connectors import asked

from hybridmandate.identity.principal import Principal
from hybridmandate.orchestration.connectors import ConnectorHost, ConnectorSettings
from hybridmandate.orchestration.engine import Watch
from hybridmandate.twin.office.app import OfficeSettings, create_app
from hybridmandate.twin.office.approvals import Answer as Decision
from hybridmandate.twin.office.store import OfficeStore

SITE = "https://contoso.sharepoint.com/sites/accounts-payable"
ROLES = frozenset(
    {"Sites.Selected", "Mail.Send", "ChannelMessage.Send", "ApprovalSolution.ReadWrite.All"}
)


class AnyToken:
    """Takes every token for a workload with the rights of a flow."""

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        return Principal("oid", "app", "tenant", ROLES, 0.0)

    async def verify_person(self, authorization: str | None) -> Any:
        raise AssertionError("no person acts here")


@pytest.fixture
def office() -> Iterator[tuple[str, OfficeStore]]:
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    numbers = itertools.count(1)
    store = OfficeStore(engine, clock=time.time, new_id=lambda: f"id-{next(numbers)}")
    store.library.add_folder("accounts-payable", "Invoices/Returned")
    app = create_app(
        OfficeSettings("http://office"), store, AnyToken(), AnyToken(), new_request_id=lambda: "r"
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", store
    server.should_exit = True
    thread.join(5)


async def test_the_connectors_and_the_stand_in_understand_each_other(
    office: tuple[str, OfficeStore],
) -> None:
    address, store = office

    def connection(name: str) -> ConnectorSettings:
        return ConnectorSettings(name, address, "https://graph.microsoft.com", Tokens())

    flow = flow_of({})
    body = {"$content-type": "text/csv", "$content": "YTti/A=="}
    file = {"dataset": SITE, "folderPath": "/Invoices/Returned", "name": "a b.csv", "body": body}
    host = ConnectorHost({"c": connection("shared_sharepointonline")})
    created = await host.call(flow, asked("CreateFile", file))
    item = {"dataset": SITE, "id": created.body["ItemId"]}
    content = await host.call(flow, asked("GetFileContent", item))
    metadata = await host.call(flow, asked("GetFileMetadata", item))
    path = {"dataset": SITE, "path": "/Invoices/Returned/a b.csv"}
    by_path = await host.call(flow, asked("GetFileContentByPath", path))
    await host.close()
    assert content.body == body
    assert by_path.body == body
    assert (metadata.body["Size"], metadata.body["Name"]) == (4, "a b.csv")
    assert metadata.body["Path"] == "/Invoices/Returned/a b.csv"

    host = ConnectorHost({"c": connection("shared_approvals")})
    parameters = {
        "approvalType": "Basic",
        "WebhookApprovalCreationInput/title": "Commit?",
        "WebhookApprovalCreationInput/assignedTo": "controller@contoso.example",
    }
    call = asked("StartAndWaitForAnApproval", parameters, type="OpenApiConnectionWebhook")
    started = await host.call(flow, call)
    location = started.headers["location"]
    watch = Watch("t", "A", call.type, call.request, location, 0, call.correlation_id)
    waiting = await host.read(flow, watch)
    person = {"user": {"email": "controller@contoso.example", "displayName": "Chris"}}
    decision = Decision(person, "controller@contoso.example", "Approve", "fine")
    await asyncio.to_thread(store.approvals.respond, location.rpartition("/")[2], decision)
    decided = await host.read(flow, watch)
    await host.close()
    assert (waiting.status, decided.body["outcome"]) == (202, "Approve")

    host = ConnectorHost({"c": connection("shared_office365")})
    mail = {
        "emailMessage/From": "ap@contoso.example",
        "emailMessage/To": "ada@contoso.example",
        "emailMessage/Subject": "Hello",
        "emailMessage/Body": "<p>x</p>",
    }
    sent = await host.call(flow, asked("SendEmailV2", mail))
    await host.close()
    assert sent.status == 202
    assert [each["subject"] for each in store.messages.mailbox("ada@contoso.example")] == ["Hello"]

    host = ConnectorHost({"c": connection("shared_teams")})
    message = {
        "location": "Channel",
        "body/recipient/groupId": "team",
        "body/recipient/channelId": "channel",
        "body/messageBody": "<p>parked</p>",
    }
    posted = await host.call(flow, asked("PostMessageToConversation", message))
    await host.close()
    assert posted.status == 201
    assert len(store.messages.messages("team", "channel")) == 1
