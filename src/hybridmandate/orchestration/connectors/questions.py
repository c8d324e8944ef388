"""Asking a person and waiting for the answer, through the office stand-in's own interface.

Microsoft's services call the platform back when a person answers a card or a mail with options; no
public interface of theirs tells the answer, so this works with the stand-in only. A question is
asked once however often the call is repeated; then it is read until somebody has answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.engine import Answer

ADDRESS = "/mandate/questions"
READ_SECONDS = "2"
"""How often a question is looked at, unless the option ``read_seconds`` says otherwise."""


async def ask(
    session: ServiceSession,
    call: OperationCall,
    *,
    title: str,
    people: Sequence[str] | None,
    options: Sequence[str],
    content: Mapping[str, Any],
    read_seconds: str,
) -> Answer:
    """Ask people, or everybody who can see it (None); 202 with the question as location."""
    question = {
        "title": title,
        "people": None if people is None else list(people),
        "options": list(options),
        "content": dict(content),
    }
    asked = await session.send("POST", ADDRESS, call=call, json_body=question)
    if asked.fault is not None or asked.status >= 300:
        return asked
    return _pending(f"{ADDRESS}/{quote(str(asked.body['id']), safe='')}", read_seconds)


async def read_answer(
    session: ServiceSession,
    location: str,
    correlation: str,
    read_seconds: str,
    shown: Callable[[Mapping[str, Any]], Any],
) -> Answer:
    """202 while nobody has answered, then the question as ``shown`` shows it."""
    question = await session.send("GET", location, correlation_id=correlation)
    if question.fault is not None or question.status >= 300:
        return question
    if question.body["state"] != "answered":
        return _pending(location, read_seconds)
    return Answer(200, question.headers, shown(question.body))


def person(question: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who has answered: ``id``, ``displayName``, ``email``."""
    user: Mapping[str, Any] = (question.get("answeredBy") or {}).get("user") or {}
    return user


def _pending(location: str, read_seconds: str) -> Answer:
    return Answer(202, {"location": location, "retry-after": read_seconds})
