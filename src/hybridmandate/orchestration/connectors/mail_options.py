"""Mails with options: 'Send email with options' and 'Send approval email'.

The mail goes out through Graph; the answer comes through the office stand-in's own interface (see
:mod:`.questions`). Operation ids and parameters as in the connector's public definition
(Azure/Connectors-NET-SDK).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.connectors.questions import person
from hybridmandate.orchestration.connectors.request import OperationCall

DEFAULT_OPTIONS = "Approve, Reject"
_WHOLE = ("optionsEmailSubscription", "ApprovalEmailSubscription")


def asked_message(call: OperationCall) -> Mapping[str, Any]:
    """The message under ``…EmailSubscription/Message``, whatever the case of its first letter.

    :raises ValueError: when the action gives none with a recipient.
    """
    wanted = {each.lower() for each in _WHOLE}
    prefixes = {key.partition("/")[0] for key in call.parameters}
    for prefix in prefixes:
        if prefix.lower() in wanted:
            message: Mapping[str, Any] = call.nested(prefix).get("Message") or {}
            if message.get("To"):
                return message
    raise ValueError(f"{call.operation_id} needs a message with 'To'")


def options_of(message: Mapping[str, Any]) -> list[str]:
    """The answers to choose among, separated by commas."""
    text = str(message.get("Options") or DEFAULT_OPTIONS)
    return [each.strip() for each in text.split(",") if each.strip()]


def chosen(question: Mapping[str, Any]) -> dict[str, Any]:
    """What the action gives when somebody has chosen."""
    who = person(question)
    return {
        "SelectedOption": question["answer"]["action"],
        "UserId": who.get("id"),
        "UserEmailAddress": who.get("email"),
    }
