"""Office 365 Outlook: the calendar, answers and forwards, mails with options."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flow_kit import after, call, compose, flow_of, statuses
from office_kit import MAILBOX, Office, Waiting
from office_kit import office as served
from trigger_kit import settings

from hybridmandate.orchestration.connectors import ConnectorHost
from hybridmandate.orchestration.connectors.calendar_events import graph_event
from hybridmandate.orchestration.engine import Answer
from hybridmandate.orchestration.shells.memory import MemoryHost

ADA, BOB = "ada@contoso.example", "bob@contoso.example"
OUTLOOK = "shared_office365"
CALENDAR = {"table": "Calendar"}
UTC = "(UTC) Coordinated Universal Time"


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[Office]:
    with served(tmp_path) as started:
        yield started


async def outlook(office: Office, operation: str, parameters: dict[str, Any]) -> Answer:
    return await office.call(OUTLOOK, operation, parameters, sender=MAILBOX)


def event(subject: str, start: str, end: str, zone: str = UTC, **item: Any) -> dict[str, Any]:
    fields = {"subject": subject, "start": start, "end": end, "timeZone": zone, **item}
    return {**CALENDAR, **{f"item/{name}": value for name, value in fields.items()}}


async def test_an_event_is_made_read_changed_and_removed(office: Office) -> None:
    asked = event(
        "Close",
        "2026-01-31T08:00:00Z",
        "2026-01-31T09:00:00Z",
        body="<p>books</p>",
        requiredAttendees=f"{ADA};{BOB}",
        location="Room 1",
    )
    made = await outlook(office, "V4CalendarPostItem", asked)
    again = await outlook(office, "V4CalendarPostItem", asked)
    assert again.body["id"] == made.body["id"], "the same call repeated makes no second event"
    item = {**CALENDAR, "id": made.body["id"]}
    got = (await outlook(office, "V3CalendarGetItem", item)).body
    assert got["start"] == "2026-01-31T08:00:00.0000000"
    assert got["endWithTimeZone"] == "2026-01-31T09:00:00.0000000+00:00"
    assert (got["requiredAttendees"], got["location"]) == (f"{ADA};{BOB}", "Room 1")
    assert (got["subject"], got["body"], got["isHtml"]) == ("Close", "<p>books</p>", True)
    moved = {
        **item,
        "item/start": got["start"],
        "item/end": "2026-01-31T10:30:00",
        "item/timeZone": UTC,
    }
    changed = (await outlook(office, "V4CalendarPatchItem", moved)).body
    assert (changed["end"], changed["subject"]) == ("2026-01-31T10:30:00.0000000", "Close")
    gone = {"calendar": "Calendar", "event": made.body["id"]}
    assert (await outlook(office, "CalendarDeleteItem_V2", gone)).status == 204
    for operation, parameters in (("V3CalendarGetItem", item), ("CalendarDeleteItem_V2", gone)):
        assert (await outlook(office, operation, parameters)).status == 404


async def test_events_are_listed_filtered_and_viewed(office: Office) -> None:
    for day in (1, 2, 3):
        start, end = f"2026-02-0{day}T23:30:00", f"2026-02-0{day}T23:45:00"
        berlin = event(f"E{day}", start, end, "W. Europe Standard Time")
        assert (await outlook(office, "V4CalendarPostItem", berlin)).status == 200
    listed = await outlook(office, "V4CalendarGetItems", {
        **CALENDAR, "$filter": "start/datetime ge '2026-02-02T00:00:00'",
        "$orderby": "Start/DateTime Desc"})  # fmt: skip
    assert [each["subject"] for each in listed.body["value"]] == ["E3", "E2"]
    assert listed.body["value"][0]["start"] == "2026-02-03T22:30:00.0000000"
    view = {"calendarId": "Calendar", "startDateTimeUtc": "2026-02-01T22:40:00Z",
            "endDateTimeUtc": "2026-02-02T22:30:00Z"}  # fmt: skip
    seen = await outlook(office, "GetEventsCalendarViewV3", view)
    assert [each["subject"] for each in seen.body["value"]] == ["E1"]
    tables = await outlook(office, "CalendarGetTables_V2", {})
    assert [each["name"] for each in tables.body["value"]] == ["Calendar"]
    other = office.person(BOB, "GET", f"/v1.0/users/{MAILBOX}/calendars/calendar/events")
    assert other.status_code == 403


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        (event("x", "2026-01-31T09:00:00", "2026-01-31T08:00:00"), 400),
        (event("x", "2026-01-31T09:00:00", "2026-01-31T10:00:00", "Nowhere/Land"), 400),
        ({**event("x", "2026-01-31T09:00:00", "2026-01-31T10:00:00"), "table": "other"}, 404),
    ],
)
async def test_events_that_cannot_be_are_refused_by_the_service(
    office: Office, parameters: dict[str, Any], status: int
) -> None:
    assert (await outlook(office, "V4CalendarPostItem", parameters)).status == status


AT = {"start": "2026-01-31T09:00:00"}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"recurrence": "weekly"}, "needs item/start"),
        ({**AT, "recurrence": "hourly"}, "one of none, daily"),
        ({**AT, "recurrence": "daily", "recurrenceEnd": "soon"}, "is no date"),
        ({**AT, "recurrence": "daily", "numberOfOccurences": 0}, "from 1 to 999"),
        ({**AT, "recurrence": "daily", "numberOfOccurences": "x" * 9}, "from 1 to 999"),
        (
            {**AT, "recurrence": "daily", "numberOfOccurences": 2, "recurrenceEnd": "2026-02-01"},
            "exclude each other",
        ),
        ({**AT, "recurrence": "weekly", "selectedDaysOfWeek": ["someday"]}, "no day of the week"),
        ({"start": "tomorrow"}, "is no time"),
        ({"timeZone": "(UTC+01:00) Amsterdam, Berlin, Rome"}, "Windows name"),
    ],
)
def test_what_the_connector_cannot_say_in_graph_is_refused(
    item: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        graph_event(item)


async def test_the_first_way_to_send_mail_is_text_unless_it_says_otherwise(office: Office) -> None:
    for html, kind in ((True, "html"), (False, "text"), (None, "text")):
        message = {"To": BOB, "Subject": str(html), "Body": "<b>x</b>", "IsHtml": html}
        given = {f"emailMessage/{name}": value for name, value in message.items()}
        assert (await office.call(OUTLOOK, "SendEmail", given, sender=ADA)).status == 202
        (mail, *_) = office.store.messages.mailbox(BOB)
        assert (mail["subject"], mail["body_type"].lower()) == (str(html), kind)
    nobody = await office.call(OUTLOOK, "SendEmail", {"emailMessage/To": BOB})
    assert "option 'sender'" in (nobody.message or "")
    empty = await office.call(OUTLOOK, "SendEmail", {"emailMessage/Body": "x"}, sender=ADA)
    assert "needs a recipient" in (empty.message or "")


async def received(office: Office) -> dict[str, Any]:
    message = {"emailMessage/To": f"{MAILBOX};{BOB}", "emailMessage/Subject": "Invoice",
               "emailMessage/Body": "<p>see</p>",
               "emailMessage/Attachments": [{"Name": "a.csv", "ContentBytes": "eCx5"}]}  # fmt: skip
    await office.call(OUTLOOK, "SendEmailV2", message, sender=ADA)
    listed = await outlook(office, "GetEmailsV3", {})
    (mail,) = listed.body["value"]
    return dict(mail)


def inbox(office: Office, mail: str) -> list[dict[str, Any]]:
    answer = office.person(mail, "GET", f"/v1.0/users/{mail}/messages")
    return list(answer.json()["value"])


async def test_a_mail_is_answered_sent_on_flagged_and_exported(office: Office) -> None:
    mail = await received(office)
    item = {"messageId": mail["id"]}
    answer = {**item, "replyParameters/Body": "<p>paid</p>"}
    for _ in range(2):
        assert (await outlook(office, "ReplyToV3", answer)).status == 202
    (reply,) = inbox(office, ADA)
    assert reply["subject"] == "RE: Invoice"
    assert "paid" in reply["body"]["content"]
    assert "see" in reply["body"]["content"]
    everybody = {**item, "replyParameters/Body": "all", "replyParameters/ReplyAll": True}
    await outlook(office, "ReplyToV3", everybody)
    assert [each["subject"] for each in inbox(office, BOB)] == ["RE: Invoice", "Invoice"]
    forward = {"message_id": mail["id"], "body/Comment": "fyi", "body/ToRecipients": BOB}
    assert (await outlook(office, "ForwardEmail_V2", forward)).status == 202
    newest = inbox(office, BOB)[0]
    assert (newest["subject"], newest["hasAttachments"]) == ("FW: Invoice", True)
    await outlook(office, "Flag_V2", item)
    shown = await outlook(office, "HttpRequest", {
        "Method": "GET", "Uri": f"/v1.0/users/{MAILBOX}/messages/{mail['id']}"})  # fmt: skip
    assert shown.body["flag"] == {"flagStatus": "flagged"}
    exported = await outlook(office, "ExportEmail_V2", item)
    text = base64.b64decode(exported.body["$content"]).decode()
    assert "Subject: Invoice" in text
    assert 'filename="a.csv"' in text


async def test_a_shared_mailbox_sends_and_is_read(office: Office) -> None:
    shared = {"emailMessage/MailboxAddress": "sales@contoso.example", "emailMessage/To": ADA,
              "emailMessage/Subject": "Quote", "emailMessage/Body": "x"}  # fmt: skip
    assert (await outlook(office, "SharedMailboxSendEmailV2", shared)).status == 202
    (mail,) = inbox(office, ADA)
    assert mail["from"]["emailAddress"]["address"] == "sales@contoso.example"
    listed = await outlook(office, "GetEmailsV3", {"mailboxAddress": ADA})
    assert [each["subject"] for each in listed.body["value"]] == ["Quote"]
    marked = await outlook(office, "MarkAsRead_V3", {
        "messageId": mail["id"], "mailboxAddress": ADA, "body/isRead": True})  # fmt: skip
    assert marked.status == 200


@pytest.mark.parametrize(
    ("operation", "prefix"),
    [("SendMailWithOptions", "optionsEmailSubscription"),
     ("SendApprovalMail", "ApprovalEmailSubscription")],
)  # fmt: skip
async def test_a_mail_with_options_waits_for_a_choice(
    office: Office, operation: str, prefix: str
) -> None:
    waiting = Waiting(office, OUTLOOK, sender=MAILBOX)
    asked = {
        f"{prefix}/Message/To": f"{ADA};{BOB}",
        f"{prefix}/Message/Subject": "Disabled?",
        f"{prefix}/Message/Options": "Keep, Remove",
        f"{prefix}/Message/Body": "why",
    }
    for _ in range(2):
        assert (await waiting.start(operation, asked)).status == 202
    assert (await waiting.read()).status == 202
    assert [each["subject"] for each in inbox(office, BOB)] == ["Disabled?"]
    (question,) = office.person(BOB, "GET", "/mandate/questions").json()["value"]
    path = f"/mandate/questions/{question['id']}/answer"
    assert office.person(BOB, "POST", path, json={"action": "Maybe"}).status_code == 400
    assert office.person(BOB, "POST", path, json={"action": "Remove"}).status_code == 201
    decided = await waiting.read()
    await waiting.close()
    assert decided.body == {
        "SelectedOption": "Remove",
        "UserId": "oid-2",
        "UserEmailAddress": BOB,
    }


@pytest.mark.parametrize(
    ("kind", "answers", "outcome"),
    [
        ("CustomResponse", [(ADA, "Later")], "Later"),
        ("CustomResponseAwaitAll", [(ADA, "Later"), (BOB, "Now")], "Later, Now"),
        ("Basic", [(BOB, "Reject")], "Reject"),
        ("BasicAwaitAll", [(ADA, "Approve"), (BOB, "Approve")], "Approve"),
        ("BasicAwaitAll", [(ADA, "Reject")], "Reject"),
    ],
)
async def test_approvals_end_as_their_kind_says(
    office: Office, kind: str, answers: list[tuple[str, str]], outcome: str
) -> None:
    waiting = Waiting(office, "shared_approvals")
    asked = {"approvalType": kind, "WebhookApprovalCreationInput/title": "Pay?",
             "WebhookApprovalCreationInput/assignedTo": f"{ADA};{BOB};",
             "WebhookApprovalCreationInput/responseOptions": ["Now", "Later"]}  # fmt: skip
    await waiting.start("StartAndWaitForAnApproval", asked)
    items = "/beta/solutions/approval/approvalItems"
    (item,) = office.person(ADA, "GET", items).json()["value"]
    path = f"{items}/{item['id']}/responses"
    wrong = office.person(ADA, "POST", path, json={"response": "Whatever"})
    assert wrong.status_code == 400
    for mail, response in answers:
        assert (await waiting.read()).status == 202
        assert office.person(mail, "POST", path, json={"response": response}).status_code == 201
    decided = await waiting.read()
    await waiting.close()
    assert (decided.status, decided.body["outcome"]) == (200, outcome)
    assert [each["responder"]["email"] for each in decided.body["responses"]] == [
        mail for mail, _ in answers
    ]


async def test_an_approval_that_is_only_created_has_parameters_of_its_own(office: Office) -> None:
    asked = {"approvalType": "Basic", "ApprovalCreationInput/title": "Pay?",
             "ApprovalCreationInput/assignedTo": ADA}  # fmt: skip
    created = await office.call("shared_approvals", "CreateAnApproval", asked)
    assert (created.status, created.body["title"]) == (201, "Pay?")


def test_an_approval_that_nobody_answers_ends_with_its_time(office: Office) -> None:
    connections = {"c": settings("shared_approvals", office.address, read_seconds="60")}

    async def once(use: Any) -> Answer:
        host = ConnectorHost(connections)
        try:
            return await use(host)
        finally:
            await host.close()

    ask = call(
        "StartAndWaitForAnApproval",
        kind="OpenApiConnectionWebhook",
        parameters={"approvalType": "Basic", "WebhookApprovalCreationInput/title": "Pay?",
                    "WebhookApprovalCreationInput/assignedTo": ADA},
        limit={"timeout": "PT1H"},
    )  # fmt: skip
    actions = {"Ask": ask, "Late": compose("escalate", after("Ask", on=("TimedOut",)))}
    flow = flow_of(actions)
    memory = MemoryHost(
        lambda asked: asyncio.run(once(lambda host: host.call(flow, asked))),
        reading=lambda watch: asyncio.run(once(lambda host: host.read(flow, watch))),
    )
    ended = memory.finish(memory.start(flow))
    assert statuses(ended) == {"Ask": "TimedOut", "Late": "Succeeded"}
    assert ended.status == "Succeeded"
    assert 50 <= ended.readings <= 61
    items = office.person(ADA, "GET", "/beta/solutions/approval/approvalItems").json()["value"]
    assert [each["state"] for each in items] == ["pending"]
