"""Reading a request body within its limits: while it arrives, not after (A1, A4)."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from starlette.requests import Request

from hybridmandate.contracts import FailureType, Operation, Refused, Upload, headers

IN_MEMORY_BYTES = 1024 * 1024
CHUNK_BYTES = 256 * 1024
MAX_FILE_NAME_CHARS = 255


def media_type(request: Request, operation: Operation) -> str:
    """The content type without its parameters, when the contract names it.

    :raises Refused: ``unsupported_media_type``.
    """
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent in operation.media_types:
        return sent
    known = ", ".join(sorted(operation.media_types))
    raise Refused(
        FailureType.UNSUPPORTED_MEDIA_TYPE,
        f"content type '{sent[:100]}' is not in the contract; send {known}",
        reason="content_type.unknown",
    )


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. :raises Refused: ``payload_too_large`` as soon as that is known."""
    parts = [chunk async for chunk in _limited(request, limit)]
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Spooled:
    """An upload that arrived whole; ``digest`` covers content, media type and file name."""

    file: IO[bytes]
    size: int
    digest: str
    content_type: str
    file_name: str | None

    def upload(self) -> Upload:
        """The upload as the operation sees it: a stream from the beginning."""
        return Upload(
            stream=_chunks(self.file),
            content_type=self.content_type,
            file_name=self.file_name,
            size=self.size,
        )

    def close(self) -> None:
        """Forget the content."""
        self.file.close()


async def spool_upload(request: Request, limit: int, content_type: str, folder: Path) -> Spooled:
    """Take an upload into a nameless temporary file, computing its digest as it arrives.

    It must be whole before an operation sees it: only then is known whether the same call was made
    before. Up to ``IN_MEMORY_BYTES`` stay in memory; the system removes the file when the process
    ends, however it ends.
    :raises Refused: ``payload_too_large``, or ``malformed_request`` for an unusable file name.
    """
    file_name = _file_name(request)
    digest = hashlib.sha256(f"{content_type}\0{file_name or ''}\0".encode())
    # Closed by Spooled.close, or below when the body is refused.
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115
    try:
        size = 0
        async for chunk in _limited(request, limit):
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
    except BaseException:
        file.close()
        raise
    return Spooled(file, size, digest.hexdigest(), content_type, file_name)


async def _limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        yield chunk


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _file_name(request: Request) -> str | None:
    sent = request.headers.get(headers.FILE_NAME)
    if sent is None:
        return None
    try:
        name = unquote(sent, errors="strict")
    except UnicodeDecodeError:
        raise _bad_name("is not percent-encoded UTF-8") from None
    if not name or len(name) > MAX_FILE_NAME_CHARS or not name.isprintable():
        raise _bad_name(f"must be 1 to {MAX_FILE_NAME_CHARS} printable characters")
    # Some senders give a whole path: only its last part is a name, and it is a label anyway.
    return name.replace("\\", "/").rpartition("/")[2] or None


def _bad_name(problem: str) -> Refused:
    return Refused(
        FailureType.MALFORMED_REQUEST, f"{headers.FILE_NAME} {problem}", reason="file_name.invalid"
    )


def _too_large(limit: int) -> Refused:
    return Refused(
        FailureType.PAYLOAD_TOO_LARGE,
        f"the body is larger than the {limit} bytes that the contract allows",
        reason="payload.limit",
    )
