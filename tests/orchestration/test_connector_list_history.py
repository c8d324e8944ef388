"""Items of SharePoint lists: attached files, and which columns changed between two versions."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from office_kit import SITE, Office
from office_kit import office as served

from hybridmandate.orchestration.connectors.item_changes import _changes

SHAREPOINT = "shared_sharepointonline"
LIST = {"dataset": SITE, "table": "Vendors"}
NAME = "it's 5% [final].txt"


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[Office]:
    with served(tmp_path) as started:
        started.store.lists.add_list("ap", "Vendors")
        yield started


async def made_item(office: Office, **columns: Any) -> int:
    item = {f"item/{name}": value for name, value in columns.items()}
    made = await office.call(SHAREPOINT, "PostItem", {**LIST, **item})
    return int(made.body["ID"])


async def test_files_are_attached_read_and_removed(office: Office) -> None:
    item = await made_item(office, Title="V-1")
    new = {**LIST, "itemId": item, "displayName": NAME, "body": "one"}
    for _ in range(2):
        added = await office.call(SHAREPOINT, "CreateAttachment", new)
        assert (added.status, added.body["DisplayName"]) == (200, NAME), "a repetition adds nothing"
    listed = await office.call(SHAREPOINT, "GetItemAttachments", {**LIST, "itemId": item})
    assert listed.body == [added.body]
    stored = office.store.attachments.of(office.store.lists.of_site("ap")[0]["id"], item)
    assert [(each["name"], each["content"]) for each in stored] == [(NAME, b"one")]
    for identifier in (added.body["Id"], NAME.upper()):
        one = {**LIST, "itemId": item, "attachmentId": identifier}
        content = await office.call(SHAREPOINT, "GetAttachmentContent", one)
        assert base64.b64decode(content.body["$content"]) == b"one"
    has = await office.call(SHAREPOINT, "GetItem", {**LIST, "id": item})
    assert (has.body["{HasAttachments}"], has.body["{VersionNumber}"]) == (True, "2.0")
    assert (await office.call(SHAREPOINT, "DeleteAttachment", one)).status == 200
    gone = await office.call(SHAREPOINT, "GetAttachmentContent", one)
    assert (gone.status, gone.body["odata.error"]["message"]["value"]) == (404, "File Not Found.")
    left = await office.call(SHAREPOINT, "GetItem", {**LIST, "id": item})
    assert (left.body["{HasAttachments}"], left.body["{VersionNumber}"]) == (False, "3.0")


async def test_attachments_go_with_their_item(office: Office) -> None:
    item = await made_item(office, Title="V-1")
    new = {**LIST, "itemId": item, "displayName": "a.txt", "body": "one"}
    await office.call(SHAREPOINT, "CreateAttachment", new)
    await office.call(SHAREPOINT, "DeleteItem", {**LIST, "id": item})
    again = await made_item(office, Title="V-2")
    listed = await office.call(SHAREPOINT, "GetItemAttachments", {**LIST, "itemId": again})
    assert (again, listed.body) == (item, []), "the number is used again, with nothing attached"


REFUSED: list[tuple[str, dict[str, Any], int | str]] = [
    ("GetItemAttachments", {"itemId": 9}, 404),
    ("GetItemAttachments", {"itemId": 1, "table": "Nothing"}, 404),
    ("GetItemAttachments", {"itemId": 1, "table": "0" * 8 + "-0000" * 3 + "-" + "0" * 12}, 404),
    ("GetItemAttachments", {}, "needs the parameter 'itemId'"),
    ("GetItemAttachments", {"itemId": "1)/x"}, "the number of an item"),
    ("GetAttachmentContent", {"itemId": 1}, "needs the parameter 'attachmentId'"),
    ("GetAttachmentContent", {"itemId": 1, "attachmentId": "none.txt"}, 404),
    ("DeleteAttachment", {"itemId": 1, "attachmentId": "none.txt"}, 404),
    ("CreateAttachment", {"itemId": 1, "displayName": "b.txt"}, "needs the parameter 'body'"),
    ("CreateAttachment", {"itemId": 9, "displayName": "b.txt", "body": "x"}, 404),
    ("CreateAttachment", {"itemId": 1, "displayName": "a.txt", "body": "other"}, 400),
    ("CreateAttachment", {"itemId": 1, "displayName": "a|b", "body": "x"}, 400),
    ("CreateAttachment", {"itemId": 1, "displayName": "..\\a", "body": "x"}, 400),
    ("PatchItem", {"id": 1, "item/Attachments": True}, 400),
    ("PatchItem", {"id": 1, "item/_UIVersionString": "9.0"}, 400),
    ("GetItemChanges", {"id": 9, "since": "1.0"}, 404),
    ("GetItemChanges", {"id": "x", "since": "1.0"}, 404),
    ("GetItemChanges", {"id": 1, "since": "1.0", "table": "Nothing"}, 404),
    ("GetItemChanges", {"id": 1}, "needs the parameter 'since'"),
    ("GetItemChanges", {"since": "1.0"}, "needs the parameter 'id'"),
    ("GetItemChanges", {"id": 1, "since": "7.0"}, "no such version"),
    ("GetItemChanges", {"id": 1, "since": "1", "until": "7"}, "until is 7.0"),
    ("GetItemChanges", {"id": 1, "since": "yesterday"}, "a time or a window token"),
    ("GetItemChanges", {"id": 1, "since": "1.0", "until": "x" * 9999}, "a time or a window token"),
]


async def test_what_cannot_be_attached_found_or_compared_is_refused(office: Office) -> None:
    item = await made_item(office, Title="V-1")
    kept = {**LIST, "itemId": item, "displayName": "a.txt", "body": "one"}
    await office.call(SHAREPOINT, "CreateAttachment", kept)
    for operation, parameters, expected in REFUSED:
        answer = await office.call(SHAREPOINT, operation, {**LIST, **parameters})
        if isinstance(expected, int):
            assert (answer.fault, answer.status) == (None, expected), (operation, parameters)
        else:
            assert answer.fault == "refused", (operation, parameters)
            assert expected in (answer.message or "")
    (stored,) = office.store.attachments.of(office.store.lists.of_site("ap")[0]["id"], item)
    assert stored["content"] == b"one"


async def test_a_trigger_sees_columns_that_changed_since_a_version(office: Office) -> None:
    item = await made_item(office, Title="V-1", Amount=1)
    for change in ({"item/Amount": 2}, {"item/Amount": 3, "item/State/Value": "new"}):
        await office.call(SHAREPOINT, "PatchItem", {**LIST, "id": item, **change})

    async def changed(**window: Any) -> dict[str, bool]:
        answer = await office.call(
            SHAREPOINT, "GetItemChanges", {**LIST, "id": item, "includeDrafts": False, **window}
        )
        assert answer.fault is None, answer.message
        return dict(answer.body["ColumnHasChanged"])

    assert await changed(since="2.0") == {"Amount": True, "State": True, "Title": False}
    assert await changed(since=1, until="2") == {"Amount": True, "Title": False}
    assert await changed(since=3) == {"Amount": False, "State": False, "Title": False}
    assert await changed(since="0") == {"Amount": True, "State": True, "Title": True}
    assert await changed(since="2001-01-01T00:00:00Z", until="1.0") == {
        "Amount": True, "Title": True,
    }  # fmt: skip
    assert not any((await changed(since="2999-01-01")).values())


async def test_a_file_that_is_moved_and_described_has_changed_columns(office: Office) -> None:
    office.store.library.add_folder("ap", "Documents/Old")
    new = {"dataset": SITE, "folderPath": "/Documents", "name": "a.pdf", "body": "x"}
    file = (await office.call(SHAREPOINT, "CreateFile", new)).body["Id"]
    library = {"dataset": SITE, "table": "Documents", "id": file}
    await office.call(SHAREPOINT, "PatchFileItem", {**library, "item/State": "paid"})
    move = {"dataset": SITE, "parameters/sourceFileId": file,
            "parameters/destinationFolderPath": "/Documents/Old"}  # fmt: skip
    await office.call(SHAREPOINT, "MoveFileAsync", move)
    answer = await office.call(SHAREPOINT, "GetItemChanges", {**library, "since": "1.0"})
    assert answer.body["ColumnHasChanged"] == {
        "FileDirRef": True, "FileLeafRef": False, "State": True,
    }  # fmt: skip
    later = await office.call(SHAREPOINT, "GetItemChanges", {**library, "since": "2.0"})
    assert later.body["ColumnHasChanged"]["State"] is False
    await office.call(SHAREPOINT, "DeleteFile", {"dataset": SITE, "id": file})
    gone = await office.call(SHAREPOINT, "GetItemChanges", {**library, "since": "1.0"})
    assert gone.status == 404


def test_a_moment_stands_for_the_version_of_that_moment() -> None:
    versions = [
        {"id": f"{n}.0", "lastModifiedDateTime": f"2026-01-0{n}T00:00:00.000Z", "fields": {"A": n}}
        for n in (3, 2, 1)
    ]
    at = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    assert _changes(versions, at[1], None) == {"ColumnHasChanged": {"A": True}}
    assert _changes(versions, at[2], None) == {"ColumnHasChanged": {"A": False}}
    assert _changes(versions, at[1], at[1]) == {"ColumnHasChanged": {"A": False}}
