"""Triggers of libraries, lists, shared mailboxes and channels; the window of a reading."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from flow_kit import compose, flow_of
from office_kit import MAILBOX, SITE, Office
from office_kit import office as served
from trigger_kit import Host, connected, polled

from hybridmandate.orchestration.connectors.connector import Connector
from hybridmandate.orchestration.triggers import file_contents
from hybridmandate.orchestration.triggers.polled import polled_trigger
from hybridmandate.orchestration.triggers.polling import ReadingFailed
from hybridmandate.twin.office.files_surface import USER_DRIVE

SHAREPOINT, ONEDRIVE = "shared_sharepointonline", "shared_onedriveforbusiness"
VALUES = "@triggerOutputs()?['body/value']"
LIBRARY = {"dataset": SITE, "table": "Documents"}


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[Office]:
    with served(tmp_path) as started:
        started.store.library.add_folder("ap", "Documents/Inbox/Done")
        started.store.library.add_folder("ap", "Other")
        yield started


@pytest.fixture(name="connector")
async def _connector(office: Office) -> AsyncIterator[Connector]:
    made = connected(SHAREPOINT, office.address)
    yield made
    await made.session.close()


async def read(
    operation: str, parameters: dict[str, Any], connector: Connector, host: Any, **parts: Any
) -> int:
    trigger = polled(operation, parameters, **(parts or {"splitOn": VALUES}))
    polling = polled_trigger(
        flow_of({"A": compose(1)}, trigger=trigger), connector, host, seconds=1
    )
    assert polling is not None
    return await polling._read()


def put(office: Office, path: str, *, site: str = "ap", content: bytes = b"x") -> str:
    folder, _, name = path.rpartition("/")
    stored = office.store.library.put_file(
        site, folder, name, content, content_type="text/plain", author={}, on_conflict="replace"
    )
    return str(stored["id"])


def names(host: Host) -> list[str]:
    return [each["{FullPath}"] for each in host.bodies]


async def test_a_library_starts_runs_for_files_created_and_modified_at_any_depth(
    office: Office, connector: Connector
) -> None:
    host = Host()
    put(office, "Documents/old.txt")
    assert await read("GetOnUpdatedFileItems", LIBRARY, connector, host) == 0
    file = put(office, "Documents/Inbox/Done/a.txt")
    put(office, "Other/b.txt")
    put(office, "Documents/old.txt", content=b"y")
    assert await read("GetOnUpdatedFileItems", LIBRARY, connector, host) == 2
    assert names(host) == ["Documents/Inbox/Done/a.txt", "Documents/old.txt"]
    changed = {**LIBRARY, "id": file, "item/State": "paid"}
    await office.call(SHAREPOINT, "PatchFileItem", changed)
    assert await read("GetOnUpdatedFileItems", LIBRARY, connector, host) == 1
    body = host.bodies[-1]
    assert (body["State"], body["{VersionNumber}"], body["{Identifier}"]) == ("paid", "2.0", file)
    assert await read("GetOnUpdatedFileItems", LIBRARY, connector, host) == 0


@pytest.mark.parametrize("operation", ["GetOnNewFileItems", "GetOnUpdatedFileItems"])
async def test_a_folder_means_the_files_right_in_it(
    office: Office, connector: Connector, operation: str
) -> None:
    host, folder = Host(), {**LIBRARY, "folderPath": "/documents/Inbox"}
    assert await read(operation, folder, connector, host) == 0
    for path in ("Documents/Inbox/Done/a.txt", "Documents/Inbox/b.txt", "Documents/c.txt"):
        put(office, path)
    assert await read(operation, folder, connector, host) == 1
    assert names(host) == ["Documents/Inbox/b.txt"]


async def test_a_drive_takes_the_folders_below_when_it_is_told_to(office: Office) -> None:
    drive = f"{USER_DRIVE}{MAILBOX}"
    office.store.library.add_folder(drive, "In/Deep")
    connector = connected(ONEDRIVE, office.address, user=MAILBOX)
    flat, deep = Host(), Host()
    with_below = {"folderId": "/In", "includeSubfolders": True}
    assert await read("OnNewFilesV2", {"folderId": "/In"}, connector, flat) == 0
    assert await read("OnNewFilesV2", with_below, connector, deep) == 0
    put(office, "In/a.txt", site=drive)
    put(office, "In/Deep/b.txt", site=drive)
    assert await read("OnNewFilesV2", {"folderId": "/In"}, connector, flat) == 1
    assert await read("OnNewFilesV2", with_below, connector, deep) == 2
    assert [each["Path"] for each in deep.bodies] == ["/In/a.txt", "/In/Deep/b.txt"]
    await connector.session.close()


async def test_a_drive_gives_the_file_itself_with_its_place(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive, folder = f"{USER_DRIVE}{MAILBOX}", {"folderId": "/In"}
    office.store.library.add_folder(drive, "In")
    connector, host = connected(ONEDRIVE, office.address, user=MAILBOX), Host()
    each: dict[str, Any] = {"conditions": []}
    for operation in ("OnNewFileV2", "OnUpdatedFileV2"):
        assert await read(operation, folder, connector, host, **each) == 0
    file = put(office, "In/a.txt", site=drive, content=b"one")
    put(office, "In/empty.txt", site=drive, content=b"")
    gone = put(office, "In/gone.txt", site=drive)
    monkeypatch.setattr(file_contents, "MAX_BODY_BYTES", 5)
    put(office, "In/large.txt", site=drive, content=b"x" * 6)
    content = connector.session.send

    async def send(method: str, path: str, **parts: Any) -> Any:
        if gone in path:
            office.store.library.delete_file(drive, gone)
        return await content(method, path, **parts)

    monkeypatch.setattr(connector.session, "send", send)
    with pytest.raises(ReadingFailed, match=r"no run: /In/large\.txt"):
        await read("OnNewFileV2", folder, connector, host, **each)
    contents = [base64.b64decode(body["$content"]) for body in host.bodies]
    assert contents == [b"one", b""], "what is gone again or too large starts nothing"
    headers = next(iter(host.runs.values()))["headers"]
    assert (headers["x-ms-file-id"], headers["x-ms-file-path"]) == (file, "/In/a.txt")
    assert await read("OnNewFileV2", folder, connector, host, **each) == 0
    await connector.session.close()


async def test_modified_files_of_a_drive_start_a_run_for_each_version(office: Office) -> None:
    drive, host = f"{USER_DRIVE}{MAILBOX}", Host()
    office.store.library.add_folder(drive, "In")
    connector = connected(ONEDRIVE, office.address, user=MAILBOX)
    assert await read("OnUpdatedFilesV2", {"folderId": "/In"}, connector, host) == 0
    for content in (b"one", b"two"):
        put(office, "In/a.txt", site=drive, content=content)
        assert await read("OnUpdatedFilesV2", {"folderId": "/In"}, connector, host) == 1
    assert [each["Path"] for each in host.bodies] == ["/In/a.txt", "/In/a.txt"]
    await connector.session.close()


async def test_a_run_asks_for_what_changed_in_the_window_of_its_reading(
    office: Office, connector: Connector
) -> None:
    vendors, host = {"dataset": SITE, "table": "Vendors"}, Host()
    office.store.lists.add_list("ap", "Vendors")
    assert await read("GetOnUpdatedItems", vendors, connector, host) == 0
    await office.call(SHAREPOINT, "PostItem", {**vendors, "item/Title": "V", "item/Amount": 1})

    async def changed() -> dict[str, bool]:
        assert await read("GetOnUpdatedItems", vendors, connector, host) == 1
        item = host.bodies[-1]
        asked = {**vendors, "id": item["ID"], "since": item["{TriggerWindowStartToken}"],
                 "until": item["{TriggerWindowEndToken}"]}  # fmt: skip
        answer = await office.call(SHAREPOINT, "GetItemChanges", asked)
        return dict(answer.body["ColumnHasChanged"])

    assert await changed() == {"Amount": True, "Title": True}, "it was created in this window"
    await office.call(SHAREPOINT, "PatchItem", {**vendors, "id": 1, "item/Amount": 2})
    assert await changed() == {"Amount": True, "Title": False}
    await office.call(SHAREPOINT, "PatchItem", {**vendors, "id": 1, "item/Title": "W"})
    assert await changed() == {"Amount": False, "Title": True}


async def test_a_shared_mailbox_is_watched_by_its_address(office: Office) -> None:
    connector, host = connected("shared_office365", office.address, sender=MAILBOX), Host()
    operation = "SharedMailboxOnNewEmailV2"
    shared = {"mailboxAddress": "help@contoso.example", "folderId": "Inbox"}
    each: dict[str, Any] = {"conditions": []}
    assert await read(operation, shared, connector, host, **each) == 0
    for to, subject in (("help@contoso.example", "for all"), (MAILBOX, "own")):
        office.store.messages.send_mail(
            "ada@contoso.example", [to], subject, "x", "text", shown=[to], request=subject
        )
    assert await read(operation, shared, connector, host, **each) == 1
    assert [body["subject"] for body in host.bodies] == ["for all"]
    assert await read(operation, shared, connector, host, **each) == 0
    with pytest.raises(ReadingFailed, match="mailboxAddress"):
        await read(operation, {}, connector, host, **each)
    await connector.session.close()


async def test_a_message_of_a_channel_starts_one_run_and_a_reply_none(office: Office) -> None:
    connector, host = connected("shared_teams", office.address), Host()
    operation, place = "OnNewChannelMessage", {"groupId": "t", "channelId": "19:c@thread.tacv2"}
    post, split = office.store.messages.post_message, {"splitOn": "@triggerOutputs()?['body']"}
    first = post("t", place["channelId"], "before", "html", {})
    assert await read(operation, place, connector, host, **split) == 0
    post("t", place["channelId"], "a reply", "html", {}, reply_to=first["id"])
    post("t", "other", "elsewhere", "html", {})
    for text in ("one", "two"):
        post("t", place["channelId"], text, "html", {})
    assert await read(operation, place, connector, host, **split) == 2
    assert [body["body"]["content"] for body in host.bodies] == ["one", "two"]
    assert await read(operation, place, connector, host, **split) == 0
    with pytest.raises(ReadingFailed, match="channelId"):
        await read(operation, {"groupId": "t"}, connector, host, **split)
    await connector.session.close()


async def test_a_library_that_is_not_there_is_told(connector: Connector) -> None:
    nothing = {"dataset": SITE, "table": "Nothing"}
    with pytest.raises(ReadingFailed, match="404"):
        await read("GetOnUpdatedFileItems", nothing, connector, Host())
    with pytest.raises(ValueError, match="names no site"):
        await read("GetOnUpdatedFileItems", {"table": "Documents"}, connector, Host())
