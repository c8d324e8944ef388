"""Files of SharePoint libraries and OneDrive: columns, folders, copies and moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from office_kit import MAILBOX, SITE, Office, Waiting
from office_kit import office as served

from hybridmandate.orchestration.engine import Answer
from hybridmandate.twin.office.files_surface import USER_DRIVE

SHAREPOINT, ONEDRIVE = "shared_sharepointonline", "shared_onedriveforbusiness"
LIBRARY = {"dataset": SITE, "table": "Documents"}


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[Office]:
    with served(tmp_path) as started:
        for site in ("ap", "archive"):
            started.store.library.add_folder(site, "Documents/Inbox")
        yield started


async def sharepoint(office: Office, operation: str, **parameters: Any) -> Answer:
    given = {name.replace("__", "/").replace("_S_", "$"): v for name, v in parameters.items()}
    return await office.call(SHAREPOINT, operation, {"dataset": SITE, **given})


async def file(office: Office, name: str, folder: str = "/Documents/Inbox") -> str:
    made = await sharepoint(office, "CreateFile", folderPath=folder, name=name, body=name)
    assert made.status == 200, made.body
    return str(made.body["Id"])


async def copied(
    office: Office, connector: str, operation: str, parameters: dict[str, Any], **options: str
) -> Answer:
    waiting = Waiting(office, connector, **options)
    started = await waiting.start(operation, parameters)
    done = await waiting.read() if started.status == 202 else started
    await waiting.close()
    return done


async def test_files_have_columns_by_which_they_are_found(office: Office) -> None:
    one = await file(office, "a.pdf")
    await file(office, "b.docx", "/Documents")
    changed = await office.call(
        SHAREPOINT,
        "PatchFileItem",
        {**LIBRARY, "id": one, "item/State/Value": "paid", "item/No": 7},
    )
    assert (changed.body["State"], changed.body["{FilenameWithExtension}"]) == ("paid", "a.pdf")
    for query, names in (
        ({}, ["b.docx", "a.pdf"]),
        ({"$filter": "State eq 'paid' and No gt 6"}, ["a.pdf"]),
        ({"$filter": "FSObjType eq 0 and File_x0020_Type eq 'docx'"}, ["b.docx"]),
        ({"folderPath": "/Documents/Inbox"}, ["a.pdf"]),
        ({"$filter": "FileLeafRef eq 'none'"}, []),
    ):
        listed = await office.call(SHAREPOINT, "GetFileItems", {**LIBRARY, **query})
        shown = [each["{FilenameWithExtension}"] for each in listed.body["value"]]
        assert shown == names, query
    properties = await office.call(SHAREPOINT, "GetFileItems", {**LIBRARY, "$filter": "No eq 7"})
    assert properties.body["value"][0]["{Path}"] == "Documents/Inbox/"
    read_only = {**LIBRARY, "id": one, "item/FileLeafRef": "x"}
    assert (await office.call(SHAREPOINT, "PatchFileItem", read_only)).status == 400
    assert (await office.call(SHAREPOINT, "GetFileItems", {**LIBRARY, "table": "No"})).status == 404


async def test_a_folder_is_made_with_those_above_it(office: Office) -> None:
    for _ in range(2):
        made = await sharepoint(
            office, "CreateNewFolder", table="Documents", parameters__path="2026/Q1"
        )
        assert made.status == 200
        assert made.body["{IsFolder}"] is True
    found = await sharepoint(office, "GetFolderMetadataByPath", path="/Documents/2026/Q1")
    assert (found.body["Name"], found.body["IsFolder"]) == ("Q1", True)
    missing = await sharepoint(office, "GetFolderMetadataByPath", path="/Documents/2027")
    assert missing.status == 404


async def test_a_file_is_copied_to_another_site_and_moved_within_its_own(office: Office) -> None:
    one = await file(office, "a.pdf")
    place = {"dataset": SITE, "parameters/sourceFileId": one,
             "parameters/destinationDataset": SITE.replace("/ap", "/archive"),
             "parameters/destinationFolderPath": "/Documents/Inbox"}  # fmt: skip
    copy = await copied(office, SHAREPOINT, "CopyFileAsync", place)
    assert (copy.status, copy.body["Name"]) == (200, "a.pdf")
    assert copy.body["Id"] != one
    taken = await copied(office, SHAREPOINT, "CopyFileAsync", place)
    assert taken.status == 409
    renamed = await copied(
        office, SHAREPOINT, "CopyFileAsync", {**place, "parameters/nameConflictBehavior": 2}
    )
    assert renamed.body["Name"] == "a 1.pdf"
    moved = await sharepoint(
        office, "MoveFileAsync", parameters__sourceFileId="%252fDocuments%252fInbox%252fa.pdf",
        parameters__destinationFolderPath="/Documents", parameters__nameConflictBehavior=1,
    )  # fmt: skip
    assert (moved.body["Id"], moved.body["Path"]) == (one, "/Documents/a.pdf")
    assert (await sharepoint(office, "GetFileMetadata", id=one)).body["Path"] == "/Documents/a.pdf"


async def test_a_persons_drive_copies_and_moves_by_path(office: Office) -> None:
    office.store.library.add_folder(f"{USER_DRIVE}{MAILBOX}", "Reports/Old")
    drive = {"user": MAILBOX}
    new = {"folderPath": "/Reports", "name": "a.txt", "body": "x"}
    made = await office.call(ONEDRIVE, "CreateFile", new, **drive)
    copy = {"source": "/Reports/a.txt", "destination": "/Reports/Old/b.txt"}
    done = await copied(office, ONEDRIVE, "CopyDriveFileByPath", copy, **drive)
    assert done.body["Path"] == "/Reports/Old/b.txt"
    move = {"id": made.body["Id"], "destination": "/Reports/Old/b.txt"}
    assert (await office.call(ONEDRIVE, "MoveFile", move, **drive)).status == 409
    over = await office.call(ONEDRIVE, "MoveFile", {**move, "overwrite": True}, **drive)
    assert over.body["Id"] == made.body["Id"]
    listed = await office.call(ONEDRIVE, "ListFolder", {"id": "/Reports/Old"}, **drive)
    assert [each["Name"] for each in listed.body] == ["b.txt"]
    page = await office.call(ONEDRIVE, "ListFolderV2", {"id": "/Reports/Old"}, **drive)
    assert page.body == {"value": listed.body}


async def test_lists_of_a_site_are_named(office: Office) -> None:
    office.store.lists.add_list("ap", "Vendors")
    tables = await sharepoint(office, "GetAllTables")
    assert [each["DisplayName"] for each in tables.body["value"]] == ["Vendors"]
