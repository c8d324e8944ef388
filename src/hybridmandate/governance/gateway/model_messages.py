"""What people and models said in one call of a chat, completion or responses API.

Read from the JSON shapes of Azure OpenAI's REST reference: ``messages``, ``prompt`` or ``input`` of
the request; ``choices`` or ``output`` of the answer, whole or as server-sent events.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_BYTES_A_TOKEN = 4
_PROMPTS = ("messages", "input", "prompt")
IMAGE_TOKENS = 1200
"""An image is counted with this many tokens at most (llm-token-limit page)."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: who said it, its text, and how many images came with it."""

    role: str
    text: str
    images: int = 0


def prompt_messages(body: bytes | None) -> list[Message]:
    """The messages of a request, oldest first; empty when it is no request to a model."""
    found = _object(body)
    return [each for name in _PROMPTS for each in _listed_messages(found.get(name))]


def _listed_messages(listed: Any) -> list[Message]:
    if isinstance(listed, str):
        return [Message("user", listed)]
    if not isinstance(listed, list):
        return []
    return [
        Message("user", each)
        if isinstance(each, str)
        else Message(str(each.get("role", "user")), *_content(each.get("content")))
        for each in listed
        if isinstance(each, str | dict)
    ]


def wants_stream(body: bytes | None) -> bool:
    """Whether the request asks for server-sent events."""
    return _object(body).get("stream") is True


def completion_text(body: bytes | None) -> str:
    """What the model answered, from a JSON answer or from server-sent events."""
    events = list(_events(body))
    return "".join(_said(each) for each in (events or [_object(body)]))


def answer_usage(body: bytes | None) -> dict[str, int]:
    """The whole numbers of ``usage``; of a stream, those of its last event that has them."""
    for each in (*reversed(list(_events(body))), _object(body)):
        usage = each.get("usage")
        if isinstance(usage, dict):
            numbers = {k: v for k, v in usage.items() if isinstance(v, int)}
            return _with_both_names(numbers)
    return {}


def estimated_tokens(text: str) -> int:
    """One token for four bytes of UTF-8."""
    return math.ceil(len(text.encode()) / _BYTES_A_TOKEN)


def prompt_tokens(body: bytes | None) -> int:
    """An estimate of the tokens of a request."""
    messages = prompt_messages(body)
    if not messages:
        return math.ceil(len(body or b"") / _BYTES_A_TOKEN)
    return sum(estimated_tokens(each.text) + IMAGE_TOKENS * each.images for each in messages)


def _with_both_names(numbers: dict[str, int]) -> dict[str, int]:
    """The Responses API says input and output where chat says prompt and completion."""
    named = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
    for chat, other in named.items():
        if chat not in numbers and other in numbers:
            numbers[chat] = numbers[other]
    return numbers


def _object(body: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(body or b"null")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _content(content: Any) -> tuple[str, int]:
    """Text and number of images of a message's content."""
    if isinstance(content, str):
        return content, 0
    parts = (
        [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    )
    texts = [each["text"] for each in parts if isinstance(each.get("text"), str)]
    return "\n".join(texts), sum("image" in str(each.get("type")) for each in parts)


def _events(body: bytes | None) -> Iterator[dict[str, Any]]:
    for line in (body or b"").splitlines():
        if line.startswith(b"data:"):
            found = _object(line[5:].strip())
            if found:
                yield found


def _said(answer: dict[str, Any]) -> str:
    texts: list[str] = []
    for choice in _objects(answer.get("choices")):
        message = choice.get("message") or choice.get("delta")
        content = message.get("content") if isinstance(message, dict) else choice.get("text")
        texts.append(_content(content)[0])
    for item in _objects(answer.get("output")):
        texts.append(_content(item.get("content"))[0])
    if answer.get("type") == "response.output_text.delta":
        texts.append(str(answer.get("delta", "")))
    return "".join(texts)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
