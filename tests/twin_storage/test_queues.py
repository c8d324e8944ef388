"""The queue service held to `azure-storage-queue`, unmodified, over TLS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.queue import QueueClient
from storage_kit import Account


@pytest.fixture(name="queue")
def _queue(account: Account, name: str) -> QueueClient:
    return account.queues().create_queue(name)


def code_of(error: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, Any]:
    return error.value.status_code, getattr(error.value, "error_code", None)


def test_a_message_goes_in_and_comes_out_with_its_count(queue: QueueClient) -> None:
    put = queue.send_message("ünïcode <&> \n text")
    (peeked,) = queue.peek_messages()
    assert (peeked.id, peeked.content, peeked.dequeue_count) == (put.id, "ünïcode <&> \n text", 0)
    taken = queue.receive_message(visibility_timeout=60)
    assert taken is not None
    assert (taken.id, taken.dequeue_count) == (put.id, 1)
    assert queue.receive_message() is None
    queue.delete_message(taken)
    assert queue.get_queue_properties().approximate_message_count == 0


def test_a_lease_that_ends_gives_the_message_again_and_counts(
    account: Account, queue: QueueClient
) -> None:
    queue.send_message("poison")
    counts = []
    for _ in range(5):
        taken = queue.receive_message(visibility_timeout=30)
        assert taken is not None
        counts.append(taken.dequeue_count)
        assert queue.receive_message() is None
        account.clock.ahead += 31
    assert counts == [1, 2, 3, 4, 5]


def test_only_the_last_receipt_changes_or_deletes(account: Account, queue: QueueClient) -> None:
    queue.send_message("once")
    first = queue.receive_message(visibility_timeout=5)
    account.clock.ahead += 6
    second = queue.receive_message(visibility_timeout=60)
    assert first is not None
    assert second is not None
    with pytest.raises(HttpResponseError) as stale:
        queue.delete_message(first)
    assert code_of(stale) == (400, "PopReceiptMismatch")
    changed = queue.update_message(second, content="twice", visibility_timeout=0)
    with pytest.raises(HttpResponseError) as used:
        queue.delete_message(second)
    assert code_of(used) == (400, "PopReceiptMismatch")
    (peeked,) = queue.peek_messages()
    assert peeked.content == "twice"
    queue.delete_message(changed.id, changed.pop_receipt)
    with pytest.raises(ResourceNotFoundError) as gone:
        queue.delete_message(changed.id, changed.pop_receipt)
    assert code_of(gone) == (404, "MessageNotFound")


def test_messages_hide_expire_and_live_for_ever(account: Account, queue: QueueClient) -> None:
    queue.send_message("later", visibility_timeout=100)
    queue.send_message("short", time_to_live=50)
    queue.send_message("ever", time_to_live=-1)
    assert [each.content for each in queue.peek_messages(max_messages=32)] == ["short", "ever"]
    account.clock.ahead += 101
    assert {each.content for each in queue.peek_messages(max_messages=32)} == {"later", "ever"}
    account.clock.ahead += 8 * 86_400
    assert [each.content for each in queue.peek_messages(max_messages=32)] == ["ever"]
    queue.clear_messages()
    assert queue.peek_messages() == []


def test_pages_of_messages_come_in_order(queue: QueueClient) -> None:
    for n in range(40):
        queue.send_message(str(n))
    taken = list(queue.receive_messages(messages_per_page=32, visibility_timeout=60))
    assert [each.content for each in taken] == [str(n) for n in range(40)]


def test_two_takers_never_hold_the_same_message(queue: QueueClient) -> None:
    for n in range(60):
        queue.send_message(str(n))

    def take(_: int) -> list[str]:
        return [each.content for each in queue.receive_messages(visibility_timeout=300)]

    with ThreadPoolExecutor(4) as pool:
        taken = [each for part in pool.map(take, range(4)) for each in part]
    assert sorted(taken, key=int) == [str(n) for n in range(60)]


def test_queues_are_made_listed_described_and_removed(account: Account, name: str) -> None:
    service = account.queues()
    for n in range(3):
        service.create_queue(f"{name}{n}", metadata={"n": str(n)})
    # The service answers 204 to a repetition, which the client tells as 'exists'.
    with pytest.raises(ResourceExistsError) as same:
        service.create_queue(f"{name}0", metadata={"n": "0"})
    assert same.value.status_code == 204
    with pytest.raises(ResourceExistsError) as other:
        service.create_queue(f"{name}0", metadata={"n": "other"})
    assert code_of(other) == (409, "QueueAlreadyExists")
    listed = service.list_queues(name_starts_with=name, include_metadata=True, results_per_page=2)
    assert [(each.name, each.metadata) for each in listed] == [
        (f"{name}{n}", {"n": str(n)}) for n in range(3)
    ]
    queue = service.get_queue_client(f"{name}1")
    queue.set_queue_metadata({"owner": "finance"})
    assert queue.get_queue_properties().metadata == {"owner": "finance"}
    service.delete_queue(f"{name}1")
    with pytest.raises(ResourceNotFoundError) as gone:
        queue.send_message("x")
    assert code_of(gone) == (404, "QueueNotFound")


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        ("owner", {"send", "peek", "receive", "delete", "update", "describe"}),
        ("reader", {"peek", "describe"}),
        ("sender", {"send"}),
        ("processor", {"peek", "receive", "delete"}),
        ("stranger", set()),
    ],
)
def test_a_role_allows_its_own_actions_only(
    account: Account, queue: QueueClient, who: str, allowed: set[str]
) -> None:
    own = account.queues(who).get_queue_client(queue.queue_name)
    queue.send_message("to delete")
    queue.send_message("to update")
    (first,) = queue.receive_messages(max_messages=1, visibility_timeout=60)
    (second,) = queue.receive_messages(max_messages=1, visibility_timeout=60)
    attempts: dict[str, Any] = {
        "send": lambda: own.send_message("x"),
        "peek": own.peek_messages,
        "receive": own.receive_message,
        "delete": lambda: own.delete_message(first),
        "update": lambda: own.update_message(second, visibility_timeout=1),
        "describe": own.get_queue_properties,
    }
    for action, attempt in attempts.items():
        if action in allowed:
            attempt()
            continue
        with pytest.raises(HttpResponseError) as refused:
            attempt()
        assert code_of(refused) == (403, "AuthorizationPermissionMismatch")


@pytest.mark.parametrize(
    ("authorization", "query", "status", "code"),
    [
        (None, "", 401, "NoAuthenticationInformation"),
        ("Bearer nonsense", "", 401, "InvalidAuthenticationInfo"),
        ("SharedKey account:c2lnbmF0dXJl", "", 403, "KeyBasedAuthenticationNotPermitted"),
        (None, "&sv=2024-01-01&sig=abc", 403, "KeyBasedAuthenticationNotPermitted"),
    ],
)
def test_nothing_but_a_token_opens_the_account(
    account: Account, authorization: str | None, query: str, status: int, code: str
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    answer = account.raw("GET", f"/queue/?comp=list{query}", who=None, headers=headers)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code)
    assert f"<Code>{code}</Code>" in answer.text
    challenged = "resource_id=https://storage.azure.com" in answer.headers.get(
        "www-authenticate", ""
    )
    assert challenged == (status == 401)


def test_a_client_without_assignment_gets_no_token_and_no_queue(account: Account) -> None:
    with pytest.raises(ClientAuthenticationError):
        account.credential("owner").get_token("https://vault.example/.default")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("numofmessages=0", 400, "OutOfRangeQueryParameterValue"),
        ("numofmessages=33", 400, "OutOfRangeQueryParameterValue"),
        ("numofmessages=many", 400, "InvalidQueryParameterValue"),
        ("visibilitytimeout=0", 400, "OutOfRangeQueryParameterValue"),
        ("visibilitytimeout=604801", 400, "OutOfRangeQueryParameterValue"),
    ],
)
def test_bad_numbers_are_refused(
    account: Account, queue: QueueClient, query: str, status: int, code: str
) -> None:
    answer = account.raw("GET", f"/queue/{queue.queue_name}/messages?{query}")
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "InvalidXmlDocument"),
        (b"<QueueMessage>", 400, "InvalidXmlDocument"),
        (b"<Other><MessageText>x</MessageText></Other>", 400, "InvalidXmlDocument"),
        (
            b'<!DOCTYPE q [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
            b"<QueueMessage><MessageText>&x;</MessageText></QueueMessage>",
            400,
            "InvalidXmlDocument",
        ),
        (
            b"<QueueMessage><MessageText>" + b"x" * 65_537 + b"</MessageText></QueueMessage>",
            413,
            "RequestBodyTooLarge",
        ),
        (b"x" * 200_000, 413, "RequestBodyTooLarge"),
    ],
)
def test_bad_messages_are_refused_and_the_queue_stays_empty(
    account: Account, queue: QueueClient, body: bytes, status: int, code: str
) -> None:
    answer = account.raw("POST", f"/queue/{queue.queue_name}/messages", content=body)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code)
    assert queue.peek_messages() == []


def test_the_largest_message_fits(queue: QueueClient) -> None:
    queue.send_message("x" * 65_536)
    (peeked,) = queue.peek_messages()
    assert len(peeked.content) == 65_536


@pytest.mark.parametrize(
    ("queue_name", "code"),
    [("ab", "OutOfRangeInput"), ("Upper", "InvalidResourceName"), ("a--b", "InvalidResourceName")],
)
def test_names_that_are_none_are_refused(account: Account, queue_name: str, code: str) -> None:
    answer = account.raw("PUT", f"/queue/{queue_name}")
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, code)


def test_what_is_not_there_says_so(account: Account, queue: QueueClient) -> None:
    answer = account.raw("GET", f"/queue/{queue.queue_name}?comp=acl")
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (501, "NotImplemented")
