"""`$batch`: the multipart form of several requests, change sets among them, and of their answers.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/
execute-batch-operations-using-web-api.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hybridmandate.twin.dataverse.errors import bad_request
from hybridmandate.twin.dataverse.exchange import ApiAnswer, ApiRequest

MAX_REQUESTS = 1000
_BOUNDARY = re.compile(r"multipart/mixed\s*;.*?boundary=\"?([^\";]+)\"?", re.IGNORECASE)
_REQUEST_LINE = re.compile(r"([A-Z]+) (.+) HTTP/1\.1")
_REFERENCE = re.compile(r"\$([0-9]+)(?=/|$)")
_BIND = re.compile(rb'(@odata\.bind"\s*:\s*)"\$([0-9]+)(?=[/"])')
_REASONS = {200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified",
            400: "Bad Request", 403: "Forbidden", 404: "Not Found", 412: "Precondition Failed",
            429: "Too Many Requests", 501: "Not Implemented"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """A request of a batch with its Content-ID."""

    request: ApiRequest
    content_id: str | None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Requests that are done together or not at all."""

    items: tuple[Item, ...]


def parse_batch(content_type: str, body: bytes) -> list[Item | ChangeSet]:
    """The parts of a batch in their order. :raises DataverseError: 400 when it is malformed."""
    parts: list[Item | ChangeSet] = []
    count = 0
    for headers, content in _parts(content_type, body):
        inner = headers.get("content-type", "")
        if inner.lower().startswith("multipart/mixed"):
            items = tuple(_item(h, c) for h, c in _parts(inner, content))
            if any(item.request.method == "GET" for item in items):
                raise bad_request("A change set may hold no GET request.")
            parts.append(ChangeSet(items))
            count += len(items)
        else:
            parts.append(_item(headers, content))
            count += 1
    if not count:
        raise bad_request("The batch holds no request.")
    if count > MAX_REQUESTS:
        raise bad_request(f"A batch may hold {MAX_REQUESTS} requests; this one holds {count}.")
    return parts


def resolve(request: ApiRequest, made: Mapping[str, str]) -> ApiRequest:
    """The request with references to earlier ones (`$1`) replaced by their addresses."""
    path = request.path
    match = _REFERENCE.match(path)
    if match is not None:
        target = _made(match[1], made)
        path = ApiRequest.of("GET", target, {}, b"").path + path[match.end() :]
    body = _BIND.sub(lambda m: m[1] + b'"' + _made(m[2].decode(), made).encode(), request.body)
    return ApiRequest(request.method, path, request.query, request.headers, body)


def _made(content_id: str, made: Mapping[str, str]) -> str:
    if content_id not in made:
        raise bad_request(f"Content-ID Reference: '${content_id}' does not exist.")
    return made[content_id]


Part = tuple[str | None, ApiAnswer]


def format_answers(parts: Sequence[Part | Sequence[Part]]) -> tuple[str, bytes]:
    """Content type and body of the answer to a batch; a list stands for a change set's answers."""
    boundary = f"batchresponse_{uuid.uuid4()}"
    chunks: list[bytes] = []
    for part in parts:
        chunks.append(f"--{boundary}\r\n".encode())
        if isinstance(part, tuple) and isinstance(part[1], ApiAnswer):
            chunks.append(_formatted(part[0], part[1]))
        else:
            chunks.append(_change_set([p for p in part if isinstance(p, tuple)]))
    chunks.append(f"--{boundary}--\r\n".encode())
    return f"multipart/mixed; boundary={boundary}", b"".join(chunks)


def _change_set(parts: Sequence[Part]) -> bytes:
    boundary = f"changesetresponse_{uuid.uuid4()}"
    head = f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode()
    inside = b"".join(
        f"--{boundary}\r\n".encode() + _formatted(content_id, answer)
        for content_id, answer in parts
    )
    return head + inside + f"--{boundary}--\r\n".encode()


def _formatted(content_id: str | None, answer: ApiAnswer) -> bytes:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id is not None:
        lines.append(f"Content-ID: {content_id}")
    lines += ["", f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Status')}"]
    if answer.body is not None:
        lines.append("Content-Type: application/json; odata.metadata=minimal")
    names = {"odata-entityid": "OData-EntityId", "location": "Location", "etag": "ETag"}
    lines += [f"{names.get(n, n)}: {v}" for n, v in answer.headers.items()]
    lines += ["OData-Version: 4.0", "", ""]
    return "\r\n".join(lines).encode() + answer.content() + b"\r\n"


def _parts(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise bad_request("A batch needs Content-Type multipart/mixed with a boundary.")
    mark = b"--" + match[1].strip().encode()
    # A boundary may begin with the whole of another: the line must end after it.
    line = rb"(?:^|\r?\n)" + re.escape(mark) + rb"(?=(?:--)?[ \t]*(?:\r?\n|$))"
    sections = re.split(line, body)
    if len(sections) < 2 or not sections[-1].startswith(b"--"):
        raise bad_request("The batch does not end with its boundary.")
    return [_headers_and_content(section) for section in sections[1:-1]]


def _headers_and_content(section: bytes) -> tuple[dict[str, str], bytes]:
    head, separator, content = _split(section.lstrip(b"\r\n"))
    if not separator:
        raise bad_request("A part of the batch has no headers.")
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers, content


def _item(headers: Mapping[str, str], content: bytes) -> Item:
    if not headers.get("content-type", "").lower().startswith("application/http"):
        raise bad_request("A part of a batch must be application/http.")
    content = content.lstrip(b"\r\n")
    line, _, rest = content.partition(b"\n")
    match = _REQUEST_LINE.fullmatch(line.decode("utf-8", "replace").strip())
    if match is None:
        raise bad_request("A part of the batch has no request line.")
    head, separator, body = _split(rest)
    if not separator:
        head, body = rest, b""
    inner: dict[str, str] = {}
    for each in head.decode("utf-8", "replace").splitlines():
        name, colon, value = each.partition(":")
        if colon:
            inner[name.strip().lower()] = value.strip()
    request = ApiRequest.of(match[1], match[2], inner, body.strip(b"\r\n"))
    return Item(request, headers.get("content-id"))


def _split(content: bytes) -> tuple[bytes, bytes, bytes]:
    """Head, separator and body around the first empty line."""
    match = re.search(rb"\r?\n\r?\n", content)
    if content.startswith((b"\r\n", b"\n")):
        return b"", b"\n", content.lstrip(b"\r\n")
    if match is None:
        return content, b"", b""
    return content[: match.start()], match[0], content[match.end() :]
