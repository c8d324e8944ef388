"""Teams: chats and who belongs to them, the Flow bot, cards that wait for an answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from office_kit import Office, Waiting
from office_kit import office as served

ADA, BOB, CHRIS = "ada@contoso.example", "bob@contoso.example", "chris@contoso.example"
CARD = '{"type": "AdaptiveCard", "version": "1.4", "body": [], "actions": []}'
TEAMS = "shared_teams"
WITH_BOT = {"poster": "Flow bot", "location": "Chat with Flow bot"}


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[Office]:
    with served(tmp_path) as started:
        yield started


def texts(office: Office, mail: str, chat: str) -> list[str]:
    answer = office.person(mail, "GET", f"/v1.0/chats/{chat}/messages")
    return [each["body"]["content"] for each in answer.json()["value"]]


async def test_the_flow_bot_writes_to_each_person_in_their_own_chat(office: Office) -> None:
    message = {**WITH_BOT, "body/recipient": f"{ADA};{BOB};", "body/messageBody": "<p>hi</p>"}
    for _ in range(2):
        done = await office.call(TEAMS, "PostMessageToConversation", message)
        assert done.status == 201
    card = {**WITH_BOT, "location": "powerva", "poster": "Power Virtual Agents",
            "body/bot": "agent", "body/recipient": ADA, "body/messageBody": CARD}  # fmt: skip
    await office.call(TEAMS, "PostCardToConversation", card)
    (chat,) = office.person(ADA, "GET", "/v1.0/chats").json()["value"]
    assert chat["chatType"] == "bot"
    assert len(office.person(BOB, "GET", "/v1.0/chats").json()["value"]) == 1
    first, second = office.person(ADA, "GET", f"/v1.0/chats/{chat['id']}/messages").json()["value"]
    assert second["body"]["content"] == "<p>hi</p>", "the same call repeated posts once"
    assert first["from"]["application"]["displayName"] == "Power Virtual Agents"
    assert first["attachments"][0]["contentType"].endswith("card.adaptive")
    nobody = {**message, "body/recipient": "nobody@x.example"}
    assert (await office.call(TEAMS, "PostMessageToConversation", nobody)).status == 404


async def test_a_person_reads_and_writes_only_in_their_own_chats(office: Office) -> None:
    made = await office.call(
        TEAMS, "CreateChat", {"item/members": f"{ADA};{BOB}", "item/topic": "Order 7"}
    )
    chat = made.body["id"]
    assert (made.status, made.body["chatType"]) == (201, "group")
    place = {"location": "Group chat", "poster": "User", "body/recipient": chat}
    await office.call(TEAMS, "PostMessageToConversation", {**place, "body/messageBody": "hello"})
    path = f"/v1.0/chats/{chat}/messages"
    told = office.person(BOB, "POST", path, json={"body": {"content": "yes"}})
    assert told.status_code == 201
    assert texts(office, ADA, chat) == ["yes", "hello"]
    assert office.person(CHRIS, "GET", "/v1.0/chats").json()["value"] == []
    for method in ("GET", "POST"):
        assert office.person(CHRIS, method, path, json={"body": {}}).status_code == 404
    assert office.person(CHRIS, "GET", f"/v1.0/chats/{chat}").status_code == 404


async def test_two_people_have_one_chat_with_each_other(office: Office) -> None:
    members = {"item/members": f"{ADA}"}
    first = await office.call(TEAMS, "CreateChat", members, user=BOB)
    again = await office.call(TEAMS, "CreateChat", {"item/members": f"{ADA};{ADA}"}, user=BOB)
    assert first.body["chatType"] == "oneOnOne"
    assert again.body["id"] == first.body["id"]
    unknown = await office.call(TEAMS, "CreateChat", {"item/members": "nobody@x.example"})
    assert unknown.status == 404


async def test_replies_stand_under_their_message(office: Office) -> None:
    place = {"location": "Channel", "body/recipient/groupId": "t", "body/recipient/channelId": "c"}
    first = await office.call(
        TEAMS, "PostMessageToConversation", {**place, "body/messageBody": "one"}
    )
    reply = {**place, "body/parentMessageId": first.body["id"], "body/messageBody": "two"}
    done = await office.call(TEAMS, "ReplyWithMessageToConversation", reply)
    assert (done.status, done.body["replyToId"]) == (201, first.body["id"])
    path = "/v1.0/teams/t/channels/c/messages"
    shown = office.person(ADA, "GET", path).json()["value"]
    assert [each["body"]["content"] for each in shown] == ["one"]
    replies = office.person(ADA, "GET", f"{path}/{first.body['id']}/replies").json()["value"]
    assert [each["body"]["content"] for each in replies] == ["two"]


CARDS = [
    ("PostCardAndWaitForResponse", {**WITH_BOT, "body/body/recipient": ADA,
                                    "body/body/messageBody": CARD}),
    ("PostCardAndWaitForResponse", {"location": "Channel", "body/body/messageBody": CARD,
                                    "body/body/recipient/groupId": "t",
                                    "body/body/recipient/channelId": "c"}),
    ("SubscribeUserFlowContinuation",
     {"UserFlowContinuationSubscriptionRequest/body/recipient/to": f"{ADA};",
      "UserFlowContinuationSubscriptionRequest/body/messageBody": CARD}),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "parameters"), CARDS)
async def test_a_card_waits_for_the_answer_of_a_person(
    office: Office, operation: str, parameters: dict[str, Any]
) -> None:
    waiting = Waiting(office, TEAMS)
    for _ in range(2):
        started = await waiting.start(operation, parameters)
        assert started.status == 202
    assert (await waiting.read()).status == 202
    (question,) = office.person(ADA, "GET", "/mandate/questions").json()["value"]
    path = f"/mandate/questions/{question['id']}/answer"
    given = {"action": "Submit", "data": {"note": "fine"}}
    assert office.person(ADA, "POST", path, json=given).status_code == 201
    assert office.person(ADA, "POST", path, json=given).status_code == 409
    decided = await waiting.read()
    await waiting.close()
    assert decided.status == 200
    assert decided.body["data"] == {"note": "fine"}
    assert decided.body["submitActionId"] == "Submit"
    assert decided.body["responder"]["email"] == ADA


async def test_only_those_who_are_asked_see_and_answer_a_question(office: Office) -> None:
    waiting = Waiting(office, TEAMS)
    started = await waiting.start(*CARDS[0])
    await waiting.close()
    path = started.headers["location"]
    assert office.person(BOB, "GET", path).status_code == 404
    assert office.person(BOB, "POST", f"{path}/answer", json={"action": "x"}).status_code == 404
    for bad in ({}, {"action": 1}, {"action": "x", "data": []}):
        assert office.person(ADA, "POST", f"{path}/answer", json=bad).status_code == 400
    question = {"content": {}, "people": [ADA]}
    assert office.person(ADA, "POST", "/mandate/questions", json=question).status_code == 403


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Method": "GET", "Uri": "https://elsewhere.example/v1.0/me"}, "Microsoft Graph"),
        ({"Method": "GET", "Uri": "/secret"}, "Microsoft Graph"),
        ({"Method": "TRACE", "Uri": "/v1.0/users"}, "one of GET"),
    ],
)
async def test_requests_beside_graph_are_refused(
    office: Office, parameters: dict[str, str], message: str
) -> None:
    answer = await office.call(TEAMS, "HttpRequest", parameters)
    assert (answer.fault, message in (answer.message or "")) == ("refused", True)


async def test_any_request_to_graph_goes_to_the_connection(office: Office) -> None:
    uri = f"https://graph.microsoft.com/v1.0/users/{ADA}?$select=mail"
    answer = await office.call(TEAMS, "HttpRequest", {"Method": "GET", "Uri": uri})
    assert answer.body == {"mail": ADA}
