"""Polled triggers start one run for each thing that is new, also across crashes."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from flow_kit import compose, flow_of
from sqlalchemy.exc import OperationalError
from trigger_kit import (
    AnyToken,
    Host,
    Killed,
    connected,
    free_listener,
    numbered,
    polled,
    serving,
    storage_account,
)

from hybridmandate.durable.database import open_engine
from hybridmandate.orchestration.connectors.connector import Connector
from hybridmandate.orchestration.definition import Flow
from hybridmandate.orchestration.engine.outcomes import ActionFault
from hybridmandate.orchestration.limits import Profile
from hybridmandate.orchestration.triggers import mail_arrives
from hybridmandate.orchestration.triggers.polled import polled_trigger
from hybridmandate.orchestration.triggers.polling import (
    Found,
    Polling,
    ReadingFailed,
    batch_starts,
)
from hybridmandate.twin import office as graph
from hybridmandate.twin import storage
from hybridmandate.twin.office.files_surface import USER_DRIVE

MAILBOX = "ap@contoso.example"
SITE = "https://contoso.sharepoint.com/sites/ap"


@pytest.fixture(name="host")
def _host() -> Host:
    return Host()


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[tuple[str, graph.OfficeStore]]:
    listener, address = free_listener()
    store = graph.OfficeStore(
        open_engine(f"sqlite:///{tmp_path}/office.db"), clock=time.time, new_id=numbered()
    )
    app = graph.create_app(
        graph.OfficeSettings(address), store, AnyToken(), AnyToken(), new_request_id=lambda: "r"
    )
    with serving(app, listener):
        yield address, store


@pytest.fixture(name="account")
def _account(tmp_path: Path) -> Iterator[tuple[str, storage.StorageStore, list[float]]]:
    with storage_account(tmp_path) as account:
        yield account


@pytest.fixture(name="connect")
async def _connect() -> AsyncIterator[Any]:
    opened: list[Connector] = []

    def connect(name: str, address: str, **options: str) -> Connector:
        opened.append(connected(name, address, **options))
        return opened[-1]

    yield connect
    for each in opened:
        await each.session.close()


def watching(operation: str, parameters: dict[str, Any], **parts: Any) -> Flow:
    return flow_of({"A": compose(1)}, trigger=polled(operation, parameters, **parts))


async def read(flow: Flow, connector: Connector, host: Any) -> int:
    """One turn of the trigger, as after a restart: nothing is kept but what the host keeps."""
    polling = polled_trigger(flow, connector, host, seconds=1)
    assert polling is not None
    return await polling._read()


QUEUE_SPLIT = "@triggerBody()?['QueueMessagesList']?['QueueMessage']"


def queue_flow(**parts: Any) -> Flow:
    parameters = {"storageAccountName": "a", "queueName": "invoices"}
    return watching("OnMessages_V2", parameters, **parts)


async def test_each_message_starts_one_run_and_is_deleted(
    host: Host, account: tuple[str, storage.StorageStore, list[float]], connect: Any
) -> None:
    address, store, _ = account
    for n in range(40):
        store.queues.put("invoices", str(n), invisible=0, life=-1)
    connector = connect("shared_azurequeues", address)
    assert await read(queue_flow(splitOn=QUEUE_SPLIT), connector, host) == 40
    assert [each["MessageText"] for each in host.bodies] == [str(n) for n in range(40)]
    assert store.queues.properties("invoices") == ({}, 0)
    assert await read(queue_flow(splitOn=QUEUE_SPLIT), connector, host) == 0


async def test_a_crash_between_start_and_deletion_starts_nothing_twice(
    host: Host,
    account: tuple[str, storage.StorageStore, list[float]],
    connect: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, store, ahead = account
    store.queues.put("invoices", "17", invisible=0, life=-1)
    connector = connect("shared_azurequeues", address)

    async def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(connector), "remove", killed)
        with pytest.raises(Killed):
            await read(queue_flow(splitOn=QUEUE_SPLIT), connector, host)
    assert await read(queue_flow(splitOn=QUEUE_SPLIT), connector, host) == 0
    assert store.queues.properties("invoices") == ({}, 1), "the lease still holds it"
    ahead[0] += 61
    assert await read(queue_flow(splitOn=QUEUE_SPLIT), connector, host) == 0
    assert len(host.runs) == 1
    assert store.queues.properties("invoices") == ({}, 0)


async def test_without_split_on_the_body_is_a_list_of_one(
    host: Host, account: tuple[str, storage.StorageStore, list[float]], connect: Any
) -> None:
    address, store, _ = account
    store.queues.put("invoices", "17", invisible=0, life=-1)
    assert await read(queue_flow(), connect("shared_azurequeues", address), host) == 1
    (message,) = host.bodies[0]["QueueMessagesList"]["QueueMessage"]
    assert message["MessageText"] == "17"


async def test_a_queue_that_is_not_there_is_told(
    host: Host, account: tuple[str, storage.StorageStore, list[float]], connect: Any
) -> None:
    address, store, _ = account
    store.queues.drop("invoices")
    with pytest.raises(ReadingFailed, match="404"):
        await read(queue_flow(), connect("shared_azurequeues", address), host)


def post(store: graph.OfficeStore, subject: str, sender: str = "a@b.example", **parts: Any) -> None:
    store.messages.send_mail(
        sender, [MAILBOX], subject, "<p>x</p>", "html", shown=[MAILBOX], **parts
    )


FILE = {"id": "f", "name": "x.csv", "contentType": "text/csv", "contentBytes": "eA==", "size": 1}


async def test_new_mails_start_one_run_each_and_old_ones_none(
    host: Host, office: tuple[str, graph.OfficeStore], connect: Any
) -> None:
    address, store = office
    flow = watching("OnNewEmailV3", {"includeAttachments": True})
    connector = connect("shared_office365", address, sender=MAILBOX)
    store.messages.send_mail("a@b.example", ["other@x.example"], "not ours", "", "text", shown=[])
    assert await read(flow, connector, host) == 0
    post(store, "one", attachments=[FILE])
    post(store, "two")
    host.keeps = 0
    with pytest.raises(Killed):
        await read(flow, connector, host)
    host.keeps = math.inf
    assert await read(flow, connector, host) == 0, "the runs were started before the crash"
    post(store, "three")
    assert await read(flow, connector, host) == 1
    assert [each["subject"] for each in host.bodies] == ["one", "two", "three"]
    assert host.bodies[0]["attachments"] == [FILE]
    assert (host.bodies[0]["from"], host.bodies[0]["isHtml"]) == ("a@b.example", True)


@pytest.mark.parametrize(
    ("filters", "subjects"),
    [
        ({}, ["Invoice 1", "invoice 2", "Hello"]),
        ({"subjectFilter": "INVOICE"}, ["Invoice 1", "invoice 2"]),
        ({"from": "x@b.example; C@b.example"}, ["invoice 2"]),
        ({"fetchOnlyWithAttachment": True}, ["Invoice 1"]),
        ({"importance": "High"}, ["Hello"]),
        ({"to": "nobody@contoso.example"}, []),
        ({"folderPath": "Archive"}, []),
    ],
)
async def test_filters_of_the_mail_trigger(
    host: Host,
    office: tuple[str, graph.OfficeStore],
    connect: Any,
    filters: dict[str, Any],
    subjects: list[str],
) -> None:
    address, store = office
    flow = watching("OnNewEmailV3", filters)
    connector = connect("shared_office365", address, sender=MAILBOX)
    await read(flow, connector, host)
    post(store, "Invoice 1", attachments=[FILE])
    post(store, "invoice 2", sender="c@b.example")
    post(store, "Hello", importance="high")
    assert await read(flow, connector, host) == len(subjects)
    assert [each["subject"] for each in host.bodies] == subjects


async def test_a_connection_without_a_mailbox_is_told(
    host: Host, office: tuple[str, graph.OfficeStore], connect: Any
) -> None:
    flow = watching("OnNewEmailV3", {})
    connector = connect("shared_office365", office[0])
    with pytest.raises(ReadingFailed, match="sender"):
        await read(flow, connector, host)


LIST = {"dataset": SITE, "table": "Vendors"}
VALUES = "@triggerOutputs()?['body/value']"


@pytest.mark.parametrize(
    ("operation", "titles"),
    [("GetOnNewItems", ["new"]), ("GetOnUpdatedItems", ["old, changed", "new", "new, changed"])],
)
async def test_list_items_start_runs_when_created_or_modified(
    host: Host,
    office: tuple[str, graph.OfficeStore],
    connect: Any,
    operation: str,
    titles: list[str],
) -> None:
    address, store = office
    found = store.lists.add_list("ap", "Vendors")["id"]
    old = store.lists.add(found, {"Title": "old"}, {}, request=None)["number"]
    time.sleep(1.01)
    flow = watching(operation, LIST, splitOn=VALUES)
    connector = connect("shared_sharepointonline", address)
    assert await read(flow, connector, host) == 0
    store.lists.change(found, old, {"Title": "old, changed"}, {})
    new = store.lists.add(found, {"Title": "new"}, {}, request=None)["number"]
    host.keeps = 0
    with pytest.raises(Killed):
        await read(flow, connector, host)
    host.keeps = math.inf
    assert await read(flow, connector, host) > 0
    store.lists.change(found, new, {"Title": "new, changed"}, {})
    await read(flow, connector, host)
    assert [each["Title"] for each in host.bodies] == titles


@pytest.mark.parametrize(
    ("keeps", "starts"),
    [(0, math.inf), (1, 0), (1, math.inf)],
    ids=["before the batch is kept", "before its run is started", "before the place moves"],
)
async def test_without_split_on_each_item_is_in_one_run_wherever_the_process_dies(
    host: Host, office: tuple[str, graph.OfficeStore], connect: Any, keeps: float, starts: float
) -> None:
    address, store = office
    vendors = store.lists.add_list("ap", "Vendors")["id"]
    flow = watching("GetOnUpdatedItems", LIST)
    connector = connect("shared_sharepointonline", address)
    await read(flow, connector, host)
    store.lists.add(vendors, {"Title": "first"}, {}, request=None)
    host.keeps, host.starts = keeps, starts
    with pytest.raises(Killed):
        await read(flow, connector, host)
    store.lists.add(vendors, {"Title": "meanwhile"}, {}, request=None)
    host.keeps = host.starts = math.inf
    await read(flow, connector, host)
    assert await read(flow, connector, host) == 0
    titles = [each["Title"] for body in host.bodies for each in body["value"]]
    assert titles == ["first", "meanwhile"]


async def test_nothing_is_read_while_the_flow_admits_no_run() -> None:
    admitted = [False, False, True]
    reads: list[int] = []

    async def once() -> int:
        reads.append(len(admitted))
        raise asyncio.CancelledError

    polling = Polling(once, seconds=0, admits=lambda: admitted.pop(0))
    with pytest.raises(asyncio.CancelledError):
        await polling.run()
    assert reads == [0], "the third turn is the first that reads"


@pytest.mark.parametrize(("profile", "runs"), [(Profile.LOW, 0), (Profile.MEDIUM, 5_001)])
async def test_split_on_is_held_to_the_profile_of_the_environment(
    host: Host, profile: Profile, runs: int
) -> None:
    host.profile = profile
    flow = watching("GetOnUpdatedItems", LIST, splitOn="@triggerBody()?['value']")
    found = [Found(("1",), {"Title": "x"})]

    def many(items: list[Any]) -> dict[str, Any]:
        return {"value": items * 5_001}

    if runs:
        assert len(batch_starts(flow, host, found, many)) == runs  # type: ignore[arg-type]
        return
    with pytest.raises(ActionFault, match="5001 items are more than 5000"):
        batch_starts(flow, host, found, many)  # type: ignore[arg-type]


async def test_new_files_of_a_drive_start_runs(
    host: Host, office: tuple[str, graph.OfficeStore], connect: Any
) -> None:
    address, store = office
    drive = f"{USER_DRIVE}{MAILBOX}"
    store.library.add_folder(drive, "In/Box")
    flow = watching("OnNewFilesV2", {"folderId": "/In/Box"}, splitOn=VALUES)
    connector = connect("shared_onedriveforbusiness", address, user=MAILBOX)
    parts: dict[str, Any] = {"content_type": "text/csv", "author": {}, "on_conflict": "replace"}
    store.library.put_file(drive, "In/Box", "old.csv", b"x", **parts)
    assert await read(flow, connector, host) == 0
    store.library.put_file(drive, "In/Box", "new.csv", b"x", **parts)
    assert await read(flow, connector, host) == 1
    assert [(each["Name"], each["Path"]) for each in host.bodies] == [
        ("new.csv", "/In/Box/new.csv")
    ]


async def test_a_condition_that_is_false_starts_nothing(
    host: Host, office: tuple[str, graph.OfficeStore], connect: Any
) -> None:
    address, store = office
    condition = {"expression": "@equals(triggerBody()?['subject'], 'yes')"}
    flow = watching("OnNewEmailV3", {}, conditions=[condition])
    connector = connect("shared_office365", address, sender=MAILBOX)
    await read(flow, connector, host)
    post(store, "no")
    post(store, "yes")
    assert await read(flow, connector, host) == 1
    assert [each["subject"] for each in host.bodies] == ["yes"]


async def test_a_trigger_that_is_pointed_elsewhere_begins_there_anew(
    host: Host, office: tuple[str, graph.OfficeStore], connect: Any
) -> None:
    address, store = office
    connector = connect("shared_sharepointonline", address)
    lists = [store.lists.add_list("ap", name)["id"] for name in ("Vendors", "Orders")]
    await read(watching("GetOnUpdatedItems", LIST, splitOn=VALUES), connector, host)
    for each in lists:
        store.lists.add(each, {"Title": "before"}, {}, request=None)
    moved = watching("GetOnUpdatedItems", {**LIST, "table": "Orders"}, splitOn=VALUES)
    assert await read(moved, connector, host) == 0
    store.lists.add(lists[1], {"Title": "after"}, {}, request=None)
    assert await read(moved, connector, host) == 1
    mailbox = connect("shared_office365", address, sender=MAILBOX)
    assert await read(watching("OnNewEmailV3", {}), mailbox, host) == 0
    post(store, "to the inbox")
    assert await read(watching("OnNewEmailV3", {"folderPath": "Archive"}), mailbox, host) == 0
    assert await read(watching("OnNewEmailV3", {}), mailbox, host) == 0
    assert [each["Title"] for each in host.bodies] == ["after"]


async def test_more_mails_of_one_second_than_are_read_at_once_are_told(
    host: Host,
    office: tuple[str, graph.OfficeStore],
    connect: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, store = office
    monkeypatch.setattr(mail_arrives, "PAGE", 2)
    monkeypatch.setattr(store.messages, "_clock", lambda: 1_790_000_000.0)
    connector = connect("shared_office365", address, sender=MAILBOX)
    host.cursors["Test"] = {"folder": "Inbox", "since": "2026-01-01T00:00:00.000Z"}
    for subject in ("one", "two", "three"):
        post(store, subject)
    assert await read(watching("OnNewEmailV3", {}), connector, host) == 2
    with pytest.raises(ReadingFailed, match="more than 2 mails"):
        await read(watching("OnNewEmailV3", {}), connector, host)


async def test_a_reading_that_breaks_is_told_and_tried_again() -> None:
    answers = [OperationalError("SELECT", {}, Exception("locked")), 0]
    said: list[str | None] = []

    async def once() -> int:
        said.append(polling.failure)
        if not answers:
            raise asyncio.CancelledError
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    polling = Polling(once, seconds=0, admits=lambda: True)
    with pytest.raises(asyncio.CancelledError):
        await polling.run()
    assert said[0] == "the trigger has not been read yet"
    assert "locked" in str(said[1])
    assert said[2] is None


def test_an_operation_of_another_connector_is_not_polled(host: Host) -> None:
    flow = watching("OnNewEmailV3", {})
    other = connected("shared_teams", "http://127.0.0.1:1")
    assert polled_trigger(flow, other, host, seconds=1) is None  # type: ignore[arg-type]
    assert polled_trigger(flow, None, host, seconds=1) is None  # type: ignore[arg-type]
