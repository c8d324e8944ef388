"""Connectors of Office and the office stand-in understand each other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flow_kit import flow_of
from test_flow_connectors import asked, send
from trigger_kit import AnyToken, free_listener, numbered, serving, settings

from hybridmandate.durable.database import open_engine
from hybridmandate.orchestration.connectors import ConnectorHost
from hybridmandate.orchestration.connectors.list_items import under_fields
from hybridmandate.orchestration.engine import Answer, Watch
from hybridmandate.twin.office import OfficeSettings, OfficeStore, Profile, create_app
from hybridmandate.twin.office.approvals import Answer as Decision
from hybridmandate.twin.office.files_surface import USER_DRIVE

SITE = "https://contoso.sharepoint.com/sites/ap"
MAILBOX = "ap@contoso.example"
LIST = {"dataset": SITE, "table": "Vendors"}
PEOPLE = (
    Profile("oid-1", "Ada Lovelace", "ada@contoso.example", "Clerk", "chris@contoso.example"),
    Profile("oid-2", "Bob Stone", "bob@contoso.example", None, "chris@contoso.example"),
    Profile("oid-3", "Chris Controller", "chris@contoso.example", "Controller"),
)


class Workload(AnyToken):
    roles = AnyToken.roles | {
        "ChannelMessage.Send",
        "ChatMessage.Send",
        "TeamsActivity.Send",
        "ApprovalSolution.ReadWrite.All",
    }


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[tuple[str, OfficeStore]]:
    listener, address = free_listener()
    store = OfficeStore(
        open_engine(f"sqlite:///{tmp_path}/office.db"), clock=time.time, new_id=numbered()
    )
    app = create_app(
        OfficeSettings(address, PEOPLE), store, Workload(), Workload(), new_request_id=lambda: "r"
    )
    with serving(app, listener):
        yield address, store


async def test_list_items_are_made_read_changed_and_removed(
    office: tuple[str, OfficeStore],
) -> None:
    address, store = office
    store.lists.add_list("ap", "Vendors")
    sharepoint = settings("shared_sharepointonline", address)
    item = {**LIST, "item/Title": "V-1", "item/Amount": 10, "item/State/Value": "new"}
    made = await send(sharepoint, "PostItem", item)
    assert (made.body["ID"], made.body["State"], made.body["Amount"]) == (1, "new", 10)
    again = await send(sharepoint, "PostItem", item)
    assert again.body["ID"] == 1, "the same call repeated makes no second item"
    changed = await send(sharepoint, "PatchItem", {**LIST, "id": 1, "item/Amount": 11})
    assert (changed.body["Title"], changed.body["Amount"]) == ("V-1", 11)
    got = await send(sharepoint, "GetItem", {**LIST, "id": 1})
    assert got.body == changed.body
    assert (await send(sharepoint, "DeleteItem", {**LIST, "id": 1})).status == 204
    for operation in ("GetItem", "DeleteItem"):
        assert (await send(sharepoint, operation, {**LIST, "id": 1})).status == 404


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"$filter": "Amount ge 3 and Title ne 'v-5'"}, ["V-3", "V-4"]),
        ({"$filter": "startswith(Title,'V-1') or Amount eq 2"}, ["V-1", "V-2"]),
        ({"$filter": "not (Amount lt 5)"}, ["V-5"]),
        ({"$filter": "ID eq 4"}, ["V-4"]),
        ({"$filter": "Missing eq null and contains(Title,'3')"}, ["V-3"]),
        ({"$filter": "Title eq 'it''s'"}, []),
        ({"$orderby": "Amount desc", "$top": 2}, ["V-5", "V-4"]),
        ({"$orderby": "Group, Amount desc"}, ["V-4", "V-2", "V-5", "V-3", "V-1"]),
    ],
)
async def test_items_are_filtered_and_ordered_by_columns(
    office: tuple[str, OfficeStore], query: dict[str, Any], titles: list[str]
) -> None:
    address, store = office
    vendors = store.lists.add_list("ap", "Vendors")["id"]
    for n in range(1, 6):
        fields = {"Title": f"V-{n}", "Amount": n, "Group": "ab"[n % 2]}
        store.lists.add(vendors, fields, {}, request=None)
    answer = await send(settings("shared_sharepointonline", address), "GetItems", {**LIST, **query})
    assert [each["Title"] for each in answer.body["value"]] == titles


async def test_pages_are_followed_as_far_as_pagination_says(
    office: tuple[str, OfficeStore],
) -> None:
    address, store = office
    vendors = store.lists.add_list("ap", "Vendors")["id"]
    for n in range(250):
        store.lists.add(vendors, {"Title": str(n)}, {}, request=None)
    sharepoint = settings("shared_sharepointonline", address)
    plain = await send(sharepoint, "GetItems", LIST)
    paged = await send(sharepoint, "GetItems", LIST, pagination=220)
    topped = await send(sharepoint, "GetItems", {**LIST, "$top": 230})
    both = await send(sharepoint, "GetItems", {**LIST, "$top": 230}, pagination=220)
    answers = (plain, paged, topped, both)
    assert [len(each.body["value"]) for each in answers] == [100, 220, 230, 220]


@pytest.mark.parametrize(
    "expression", ["Amount", "Amount eq", "(Amount eq 1", "Amount eq 1)", "; drop", "(" * 200]
)
async def test_a_filter_that_cannot_be_read_is_400(
    office: tuple[str, OfficeStore], expression: str
) -> None:
    address, store = office
    store.lists.add_list("ap", "Vendors")
    query = {**LIST, "$filter": expression}
    answer = await send(settings("shared_sharepointonline", address), "GetItems", query)
    assert answer.status == 400


def test_columns_are_put_under_fields_and_texts_left_alone() -> None:
    assert (
        under_fields("Title eq 'Amount eq 1' and startswith(Name,'x')")
        == "fields/Title eq 'Amount eq 1' and startswith(fields/Name,'x')"
    )


async def test_files_of_a_drive_are_made_listed_replaced_and_removed(
    office: tuple[str, OfficeStore],
) -> None:
    address, store = office
    store.library.add_folder(f"{USER_DRIVE}{MAILBOX}", "Reports/2026")
    drive = settings("shared_onedriveforbusiness", address, user=MAILBOX)
    file = {"folderPath": "/Reports", "name": "a b.txt", "body": "one"}
    made = await send(drive, "CreateFile", file)
    item = {"id": made.body["Id"]}
    assert (await send(drive, "UpdateFile", {**item, "body": "twice"})).body["Size"] == 5
    content = await send(drive, "GetFileContentByPath", {"path": "/Reports/a b.txt"})
    assert content.body["$content"] == "dHdpY2U="
    root = await send(drive, "ListRootFolder", {})
    assert [(each["Name"], each["IsFolder"]) for each in root.body] == [("Reports", True)]
    under = await send(drive, "ListFolder", {"id": "/Reports"})
    assert [(e["Name"], e["IsFolder"]) for e in under.body] == [("2026", True), ("a b.txt", False)]
    by_path = await send(drive, "GetFileMetadataByPath", {"path": "/Reports/a b.txt"})
    assert by_path.body["Id"] == item["id"]
    assert (await send(drive, "DeleteFile", item)).status == 204
    assert (await send(drive, "GetFileMetadata", item)).status == 404


async def test_people_are_found_with_managers_and_reports(
    office: tuple[str, OfficeStore],
) -> None:
    users = settings("shared_office365users", office[0], user="bob@contoso.example")
    ada = await send(users, "UserProfile_V2", {"id": "ADA@contoso.example"})
    assert (ada.body["displayName"], ada.body["jobTitle"]) == ("Ada Lovelace", "Clerk")
    manager = await send(users, "Manager_V2", {"id": "oid-1", "$select": "mail"})
    assert manager.body == {"mail": "chris@contoso.example"}
    assert (await send(users, "Manager_V2", {"id": "oid-3"})).status == 404
    reports = await send(users, "DirectReports_V2", {"id": "chris@contoso.example"})
    assert [each["id"] for each in reports.body["value"]] == ["oid-1", "oid-2"]
    found = await send(users, "SearchUserV2", {"searchTerm": "lace"})
    assert [each["id"] for each in found.body["value"]] == ["oid-1"]
    assert (await send(users, "MyProfile_V2", {})).body["id"] == "oid-2"
    assert (await send(users, "UserProfile_V2", {"id": "nobody@x.example"})).status == 404


async def test_mails_are_listed_marked_moved_and_their_attachments_read(
    office: tuple[str, OfficeStore],
) -> None:
    mail = settings("shared_office365", office[0], sender=MAILBOX)
    message = {
        "emailMessage/To": f"{MAILBOX};ada@contoso.example",
        "emailMessage/Bcc": "secret@contoso.example",
        "emailMessage/Subject": "Invoice",
        "emailMessage/Body": "<p>x</p>",
        "emailMessage/Attachments": [{"Name": "a.csv", "ContentBytes": "eCx5"}],
    }
    assert (await send(mail, "SendEmailV2", message)).status == 202
    listed = await send(mail, "GetEmailsV3", {})
    (got,) = listed.body["value"]
    assert got["toRecipients"] == f"{MAILBOX};ada@contoso.example", "a blind copy is not shown"
    item = {"messageId": got["id"]}
    host = ConnectorHost({"c": mail})
    attachments = await host._connectors["c"].session.send(
        "GET", f"/v1.0/users/{MAILBOX}/messages/{got['id']}/attachments"
    )
    await host.close()
    wanted = {**item, "attachmentId": attachments.body["value"][0]["id"]}
    attachment = await send(mail, "GetAttachment_V2", wanted)
    assert (attachment.body["name"], attachment.body["contentBytes"]) == ("a.csv", "eCx5")
    assert (await send(mail, "GetAttachment_V2", {**item, "attachmentId": "x"})).status == 404
    await send(mail, "MarkAsRead_V3", item)
    assert (await send(mail, "GetEmailsV3", {})).body["value"] == []
    moved = await send(mail, "MoveV2", {**item, "folderPath": "Archive"})
    assert moved.body["isRead"] is True
    archive = {"folderPath": "Archive", "fetchOnlyUnread": False, "from": MAILBOX}
    assert len((await send(mail, "GetEmailsV3", archive)).body["value"]) == 1
    assert (await send(mail, "DeleteEmail_V2", item)).status == 204
    assert (await send(mail, "GetEmailV2", item)).status == 404


@pytest.mark.parametrize(
    ("attachment", "status"),
    [
        ({"Name": "a", "ContentBytes": "not base64!"}, 400),
        ({"Name": "a", "ContentBytes": "eHh4" * (1024 * 1024 + 1)}, 413),
    ],
)
async def test_attachments_that_cannot_be_sent_fail_the_action(
    office: tuple[str, OfficeStore], attachment: dict[str, str], status: int
) -> None:
    mail = settings("shared_office365", office[0], sender=MAILBOX)
    message = {"emailMessage/To": MAILBOX, "emailMessage/Attachments": [attachment]}
    assert (await send(mail, "SendEmailV2", message)).status == status


CHANNEL = {"location": "Channel", "body/recipient/groupId": "t", "body/recipient/channelId": "c"}
CARD = '{"type": "AdaptiveCard", "version": "1.4", "body": []}'


async def test_cards_messages_and_notifications_reach_teams(
    office: tuple[str, OfficeStore],
) -> None:
    address, store = office
    teams = settings("shared_teams", address)
    card = await send(teams, "PostCardToConversation", {**CHANNEL, "body/messageBody": CARD})
    assert card.status == 201
    group = store.chats.add("group", ["ada@contoso.example"], None, request=None)["id"]
    chat = {"location": "Group chat", "body/recipient": group, "body/messageBody": "hello"}
    assert (await send(teams, "PostMessageToConversation", chat)).status == 201
    notice = {
        "notificationDefinition/recipient/to": "ada@contoso.example",
        "notificationDefinition/notificationText": "approved",
    }
    assert (await send(teams, "PostUserNotification", notice)).status == 204
    (posted,) = store.messages.messages("t", "c")
    assert "adaptive" in posted["attachments"]
    assert [each["body"] for each in store.messages.messages("", group)] == ["hello"]
    assert [e["text"] for e in store.messages.notifications("ada@contoso.example")] == ["approved"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({**CHANNEL, "body/messageBody": "no json"}, "no JSON"),
        ({**CHANNEL, "body/messageBody": "{}"}, "AdaptiveCard"),
        ({"location": "Chat with Flow bot", "body/messageBody": CARD}, "names nobody"),
        ({"location": "Somewhere", "body/messageBody": CARD}, "not simulated"),
        ({"location": "Group chat", "body/messageBody": CARD}, "needs body/recipient"),
    ],
)
async def test_cards_that_cannot_be_posted_are_refused(
    office: tuple[str, OfficeStore], parameters: dict[str, str], message: str
) -> None:
    answer = await send(settings("shared_teams", office[0]), "PostCardToConversation", parameters)
    assert message in str(answer.message)


async def test_an_approval_is_created_and_waited_for_later(
    office: tuple[str, OfficeStore],
) -> None:
    address, store = office
    flow = flow_of({})
    host = ConnectorHost({"c": settings("shared_approvals", address)})
    parameters = {
        "approvalType": "BasicAwaitAll",
        "WebhookApprovalCreationInput/title": "Commit?",
        "WebhookApprovalCreationInput/assignedTo": "ada@contoso.example;bob@contoso.example",
    }
    created = await host.call(flow, asked("CreateAnApproval", parameters))
    name = created.body["name"]
    assert created.status == 201
    wait = asked("WaitForAnApproval", {"approvalName": name}, type="OpenApiConnectionWebhook")
    waiting = await host.call(flow, wait)
    watch = Watch("t", "A", wait.type, wait.request, waiting.headers["location"], 0, "c")

    def answered(who: str) -> None:
        person = {"user": {"email": who, "displayName": who}}
        store.approvals.respond(name, Decision(person, who, "Approve", ""))

    statuses = []
    for who in ("ada@contoso.example", "bob@contoso.example"):
        statuses.append((await host.read(flow, watch)).status)
        answered(who)
    decided: Answer = await host.read(flow, watch)
    unknown = asked("WaitForAnApproval", {"approvalName": "none"}, type=wait.type)
    missing = await host.call(flow, unknown)
    await host.close()
    assert (waiting.status, statuses, missing.status) == (202, [202, 202], 404)
    assert (decided.status, decided.body["outcome"]) == (200, "Approve")
