"""What a process that is killed between a call and its record costs: the call is sent again.

Every operation that makes something is called twice under one key, as after a kill; then the
stand-in is counted. docs/flows/connectors.md says the same ('When a call is sent again').
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from office_kit import MAILBOX, SITE, Office
from office_kit import office as served
from sqlalchemy import func, select

from hybridmandate.twin.office import tables

ADA, BOB = "ada@contoso.example", "bob@contoso.example"
CARD = '{"type": "AdaptiveCard", "version": "1.4", "body": [], "actions": []}'
SHAREPOINT, ONEDRIVE = "shared_sharepointonline", "shared_onedriveforbusiness"
OFFICE, TEAMS = "shared_office365", "shared_teams"
GROUPS, APPROVALS = "shared_office365groups", "shared_approvals"
LIST = {"dataset": SITE, "table": "Vendors"}
CHANNEL = {"location": "Channel", "body/recipient/groupId": "t", "body/recipient/channelId": "c"}
BOT = {"location": "Chat with Flow bot"}
MAIL = {"To": ADA, "Subject": "s", "Body": "b"}
TIMES = {"item/subject": "x", "item/start": "2026-01-01T09:00", "item/end": "2026-01-01T10:00"}


def under(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}/{name}": value for name, value in values.items()}


ONCE: list[tuple[str, str, dict[str, Any], Any, int]] = [
    (OFFICE, "SendEmailV2", under("emailMessage", MAIL), tables.MAILS, 1),
    (OFFICE, "SendMailWithOptions", under("optionsEmailSubscription/Message", {
        **MAIL, "Options": "Yes, No"}), tables.QUESTIONS, 1),
    (OFFICE, "V4CalendarPostItem", {"table": "Calendar", **TIMES}, tables.EVENTS, 1),
    (TEAMS, "CreateTeamsMeeting", {"calendarid": "Calendar", **TIMES}, tables.EVENTS, 1),
    (TEAMS, "PostMessageToConversation", {**CHANNEL, "body/messageBody": "x"},
     tables.CHANNEL_MESSAGES, 1),
    (TEAMS, "PostMessageToConversation", {**BOT, "body/recipient": f"{ADA};{BOB}",
                                          "body/messageBody": "x"}, tables.CHANNEL_MESSAGES, 2),
    (TEAMS, "PostCardAndWaitForResponse", {
        **CHANNEL,
        "body/body/recipient/groupId": "t", "body/body/recipient/channelId": "c",
        "body/body/messageBody": CARD}, tables.QUESTIONS, 1),
    (TEAMS, "CreateChat", {"item/members": f"{ADA};{BOB}", "item/topic": "x"}, tables.CHATS, 1),
    (TEAMS, "PostUserNotification", {
        "notificationDefinition/recipient/to": ADA,
        "notificationDefinition/notificationText": "x"}, tables.NOTIFICATIONS, 1),
    (SHAREPOINT, "PostItem", {**LIST, "item/Title": "x"}, tables.LIST_ITEMS, 1),
    (SHAREPOINT, "CreateAttachment", {**LIST, "itemId": 1, "displayName": "a", "body": "x"},
     tables.ATTACHMENTS, 1),
    (SHAREPOINT, "CreateFile", {"dataset": SITE, "folderPath": "/Documents", "name": "a",
                                "body": "x"}, tables.FILES, 1),
    (GROUPS, "AddMemberToGroup", {"groupId": "G", "userUpn": ADA}, tables.GROUP_PEOPLE, 1),
    (APPROVALS, "CreateAnApproval", {"approvalType": "Basic", "ApprovalCreationInput/title": "t",
                                     "ApprovalCreationInput/assignedTo": ADA}, tables.APPROVALS, 1),
]  # fmt: skip


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Any:
    with served(tmp_path) as started:
        started.store.library.add_folder("ap", "Documents")
        vendors = started.store.lists.add_list("ap", "Vendors")["id"]
        started.store.lists.add(vendors, {"Title": "first"}, {}, request=None)
        yield started


def counter(office: Office) -> Callable[[Any], int]:
    def count(table: Any) -> int:
        with office.store.groups._engine.connect() as db:
            return int(db.execute(select(func.count()).select_from(table)).scalar() or 0)

    return count


async def test_what_is_sent_again_makes_nothing_twice_in_the_stand_in(office: Office) -> None:
    made = office.store.groups.add("Makers", "makers", "", unified=True, request=None)
    count = counter(office)
    for connector, operation, given, table, expected in ONCE:
        parameters = {name: made["id"] if value == "G" else value for name, value in given.items()}
        before = count(table)
        for _ in range(2):
            answer = await office.call(connector, operation, parameters, user=BOB, sender=MAILBOX)
            assert answer.fault is None, (operation, answer.message)
            assert answer.status < 300, (operation, answer.status, answer.body)
        assert count(table) - before == expected, operation


async def test_a_copy_that_may_be_renamed_is_made_twice(office: Office) -> None:
    new = {"dataset": SITE, "folderPath": "/Documents", "name": "a.txt", "body": "x"}
    file = (await office.call(SHAREPOINT, "CreateFile", new)).body["Id"]
    copy = {"dataset": SITE, "parameters/sourceFileId": file,
            "parameters/destinationFolderPath": "/Documents",
            "parameters/nameConflictBehavior": 2}  # fmt: skip
    for _ in range(2):
        assert (await office.call(SHAREPOINT, "CopyFileAsync", copy)).status == 202
    names = [each["name"] for each in office.store.library.files_in("ap", "Documents")]
    assert names == ["a.txt", "a 1.txt", "a 2.txt"]
