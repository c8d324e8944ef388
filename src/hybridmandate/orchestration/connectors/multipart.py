"""The multipart form of a change set and of its answer.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/
execute-batch-operations-using-web-api; RFC 2046.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybridmandate.orchestration.connectors.dataverse_requests import ApiRequest

_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3})")


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """The answer to one request: ``content_id`` says to which."""

    content_id: str | None
    status: int
    headers: Mapping[str, str]
    body: Any


def change_set(requests: Sequence[ApiRequest], environment: str, mark: str) -> tuple[str, bytes]:
    """Media type and body of a batch that holds one change set; content ids count from 1.

    ``mark`` makes the boundaries: it must not stand in a body.
    """
    inner, outer = f"changeset_{mark}", f"batch_{mark}"
    parts = "".join(
        f"--{inner}\r\n{_part(each, number, environment)}\r\n"
        for number, each in enumerate(requests, 1)
    )
    text = (
        f"--{outer}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n"
        f"{parts}--{inner}--\r\n--{outer}--\r\n"
    )
    return f"multipart/mixed; boundary={outer}", text.encode()


def answers(body: bytes) -> list[PartAnswer]:
    """The answers in a batch's answer, those of a change set among them.

    The first line is the boundary. :raises ValueError: when it is not multipart.
    """
    body = body.lstrip()
    mark = body.partition(b"\n")[0].strip()
    if not mark.startswith(b"--"):
        raise ValueError("the answer holds no parts")
    line = rb"(?:^|\r?\n)" + re.escape(mark) + rb"(?:--)?[ \t]*(?:\r?\n|$)"
    found: list[PartAnswer] = []
    for section in re.split(line, body)[1:]:
        head, _, content = section.partition(b"\r\n\r\n")
        headers = _headers(head)
        kind = headers.get("content-type", "").lower()
        if kind.startswith("multipart/mixed"):
            found.extend(answers(content))
        elif kind.startswith("application/http"):
            found.append(_answer(headers.get("content-id"), content))
    return found


def _part(request: ApiRequest, number: int, environment: str) -> str:
    body = "" if request.body is None else json.dumps(request.body, ensure_ascii=False)
    lines = [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        f"Content-ID: {number}",
        "",
        f"{request.method} {environment.rstrip('/')}{request.address} HTTP/1.1",
        "Accept: application/json",
        *(f"{name}: {value}" for name, value in request.headers.items()),
    ]
    if request.body is not None:
        lines.append("Content-Type: application/json; type=entry")
    return "\r\n".join([*lines, "", body])


def _answer(content_id: str | None, content: bytes) -> PartAnswer:
    head, _, body = content.partition(b"\r\n\r\n")
    match = _STATUS.match(head.lstrip())
    if match is None:
        raise ValueError("a part of the answer has no status line")
    body = body.strip()
    try:
        value = json.loads(body) if body else None
    except ValueError:
        value = body.decode("utf-8", "replace")
    return PartAnswer(content_id, int(match[1]), _headers(head), value)


def _headers(head: bytes) -> dict[str, str]:
    lines = [line.partition(":") for line in head.decode("utf-8", "replace").splitlines()]
    return {name.strip().lower(): value.strip() for name, colon, value in lines if colon}
