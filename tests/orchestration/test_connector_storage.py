"""The storage connectors and the storage stand-in understand each other; so do web contents."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from connector_kit import Service
from test_flow_connectors import send

from hybridmandate.durable.database import open_engine
from hybridmandate.identity.principal import Principal
from hybridmandate.orchestration.connectors import ConnectorSettings
from hybridmandate.orchestration.connectors.conversion import text_of
from hybridmandate.twin.storage import StorageSettings, StorageStore, create_app

QUEUES, BLOBS, WEB = "shared_azurequeues", "shared_azureblob", "shared_webcontents"


class AnyToken:
    """Stands for Entra on both sides."""

    async def token(self, resource: str) -> str:
        return "x"

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        return Principal("o", "app", "t", frozenset(), 9e9)


@pytest.fixture(name="account")
def _account(tmp_path: Path) -> Iterator[tuple[str, StorageStore]]:
    ids = itertools.count(1)
    store = StorageStore(
        open_engine(f"sqlite:///{tmp_path}/storage.db"),
        clock=lambda: 1_790_000_000.0,
        new_id=lambda: f"id-{next(ids):015d}",
    )
    roles = frozenset({"Storage Blob Data Contributor", "Storage Queue Data Contributor"})
    settings = StorageSettings("http://127.0.0.1", "https://entra.example/t", {"app": roles})
    app = create_app(settings, store, AnyToken(), new_request_id=lambda: "r")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", store
    server.should_exit = True
    thread.join(5)


def connection(connector: str, address: str) -> ConnectorSettings:
    return ConnectorSettings(connector, address, "https://storage.azure.com", AnyToken())


async def test_messages_are_put_taken_and_deleted(account: tuple[str, StorageStore]) -> None:
    address, store = account
    settings = connection(QUEUES, f"{address}/queue")
    named = {"storageAccountName": "AccountNameFromSettings", "queueName": "invoices"}
    assert (await send(settings, "PutQueue_V2", named)).status == 201
    put = await send(settings, "PutMessage_V2", {**named, "message": "<17> & ü"})
    assert put.status == 201
    taken = await send(settings, "GetMessages_V2", {**named, "numofmessages": 5})
    (message,) = taken.body["QueueMessagesList"]["QueueMessage"]
    assert (message["MessageText"], message["DequeueCount"]) == ("<17> & ü", "1")
    held = {**named, "messageId": message["MessageId"]}
    stale = await send(settings, "DeleteMessage_V2", {**held, "popreceipt": "other"})
    assert stale.status == 400
    assert "PopReceiptMismatch" in stale.body
    receipt = {"popreceipt": message["PopReceipt"]}
    assert (await send(settings, "DeleteMessage_V2", {**held, **receipt})).status == 204
    assert store.queues.properties("invoices") == ({}, 0)


async def test_an_oversize_message_fails_its_action(account: tuple[str, StorageStore]) -> None:
    address, store = account
    store.queues.create("invoices", {})
    message = {"storageAccountName": "a", "queueName": "invoices", "message": "x" * 65_537}
    answer = await send(connection(QUEUES, f"{address}/queue"), "PutMessage_V2", message)
    assert answer.status == 413
    missing = {"storageAccountName": "a", "queueName": "invoices"}
    refused = await send(connection(QUEUES, f"{address}/queue"), "PutMessage_V2", missing)
    assert "needs the parameter 'message'" in str(refused.message)


async def test_blobs_are_created_read_described_listed_and_deleted(
    account: tuple[str, StorageStore],
) -> None:
    address, store = account
    store.blobs.create_container("inbox", {})
    settings = connection(BLOBS, f"{address}/blob")
    body = {"$content-type": "text/csv", "$content": "YTti/A=="}
    file = {"dataset": "a", "folderPath": "/inbox/2026", "name": "ä #1.csv", "body": body}
    created = await send(settings, "CreateFile_V2", file)
    assert (created.status, created.body["Path"]) == (200, "/inbox/2026/ä #1.csv")
    assert (created.body["Size"], created.body["MediaType"]) == (4, "text/csv")
    item = {"dataset": "a", "id": created.body["Id"]}
    path = {"dataset": "a", "path": "/inbox/2026/ä #1.csv"}
    for operation, parameters in (
        ("GetFileContent_V2", item),
        ("GetFileContentByPath_V2", path),
    ):
        assert (await send(settings, operation, parameters)).body == body
    for operation, parameters in (
        ("GetFileMetadata_V2", item),
        ("GetFileMetadataByPath_V2", path),
    ):
        assert (await send(settings, operation, parameters)).body == created.body
    root = await send(settings, "ListFolder_V4", {"dataset": "a", "id": "inbox"})
    assert [(e["Path"], e["IsFolder"]) for e in root.body["value"]] == [("/inbox/2026/", True)]
    under = await send(settings, "ListFolder_V4", {"dataset": "a", "id": "%2finbox%2f2026"})
    assert [each["Id"] for each in under.body["value"]] == [created.body["Id"]]
    assert (await send(settings, "DeleteFile_V2", item)).status == 202
    assert (await send(settings, "GetFileContent_V2", item)).status == 404


@pytest.mark.parametrize("path", ["", "/", "container", "/container/"])
async def test_a_path_without_a_blob_is_refused_before_anything_is_sent(
    service: Service, path: str
) -> None:
    settings = service.settings(BLOBS)
    answer = await send(settings, "GetFileContentByPath_V2", {"dataset": "a", "path": path})
    assert answer.fault is not None
    assert service.requests == []


async def test_web_contents_sends_to_its_own_address_with_its_own_token(service: Service) -> None:
    service.on("POST", "/api/data/v9.2/accounts", 201, {"id": 1})
    request = {
        "request/method": "post",
        "request/url": f"{service.address}/api/data/v9.2/accounts",
        "request/headers": {"Prefer": "return=representation"},
        "request/body": '{"name": "A"}',
    }
    answer = await send(service.settings(WEB), "InvokeHttp", request)
    assert (answer.status, answer.body) == (201, {"id": 1})
    sent = service.requests[0]
    assert sent["json"] == {"name": "A"}
    assert sent["headers"]["authorization"] == "Bearer token-of-the-connection"
    assert sent["headers"]["prefer"] == "return=representation"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"method": "GET", "url": "https://elsewhere.example/x"}, "no token is sent there"),
        ({"method": "TRACE", "url": "/x"}, "needs request/method"),
        ({"url": "/x"}, "needs request/method"),
        ({"method": "GET"}, "needs request/url"),
        ({"method": "GET", "url": "/x", "headers": {"Authorization": "mine"}}, "may not"),
    ],
)
async def test_web_contents_refuses_what_would_leave_its_address(
    service: Service, request_: dict[str, Any], message: str
) -> None:
    answer = await send(service.settings(WEB), "InvokeHttp", {"request": request_})
    assert message in str(answer.message)
    assert service.requests == []


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>x</li><li>y</li></ul>", "* x\n\n* y"),
        ('<a href="https://c.example/1">open</a>', "open [https://c.example/1]"),
        ("<style>p{}</style><script>evil()</script>seen", "seen"),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1 2"),
        ("</p></script></a>text", "text"),
        ("", ""),
    ],
)
def test_html_becomes_what_a_reader_sees(html: str, text: str) -> None:
    assert text_of(html) == text
