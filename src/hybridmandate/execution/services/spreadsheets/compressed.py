"""Compressed text: gzip, and zip with one file in it, unpacked within limits."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable

from hybridmandate.execution.services.spreadsheets.table import Decision, Unreadable

MAX_UNPACKED = 512 * 1024 * 1024
MAX_RATIO = 1_000
_STEP = 1 << 20
_GZIP = b"\x1f\x8b"


def unpacked(content: bytes) -> tuple[bytes, Decision | None]:
    """The file inside, and what was unpacked; content that is not compressed as it is.

    :raises Unreadable: ``file.zip_bomb``, ``file.broken_archive``, ``file.many_members``,
        ``file.encrypted``.
    """
    if content.startswith(_GZIP):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            inner = _bounded(stream.read, len(content))
        return inner, Decision.of("file.unpacked", f"unpacked gzip: {len(inner)} bytes", [])
    if not content.startswith(b"PK\x03\x04"):
        return content, None
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        # Cut-off packages are mostly workbooks: the workbook reader says what is wrong.
        return content, None
    members = [
        m
        for m in archive.infolist()
        if not m.filename.endswith("/") and not m.filename.startswith("__MACOSX/")
    ]
    if any(
        m.filename in ("[Content_Types].xml", "mimetype", "META-INF/manifest.xml") for m in members
    ):
        return content, None
    if any(m.filename.startswith("xl/") for m in members):
        return content, None
    if len(members) != 1:
        names = [m.filename[:100] for m in members[:10]]
        raise Unreadable(
            "file.many_members", f"the archive holds {len(members)} files: send one", names
        )
    (member,) = members
    if member.flag_bits & 1:
        raise Unreadable("file.encrypted", "the archive is protected by a password")
    try:
        with archive.open(member) as part:
            inner = _bounded(part.read, len(content))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise Unreadable("file.broken_archive", f"the archive is broken: {error}") from None
    message = f"unpacked '{member.filename[:100]}' from the archive: {len(inner)} bytes"
    return inner, Decision.of("file.unpacked", message, [])


def _bounded(read: Callable[[int], bytes], packed: int) -> bytes:
    pieces: list[bytes] = []
    total = 0
    try:
        while piece := read(_STEP):
            pieces.append(piece)
            total += len(piece)
            if total > MAX_UNPACKED or (total > 16 * _STEP and total > packed * MAX_RATIO):
                raise Unreadable("file.zip_bomb", f"the archive unpacks to more than {total} bytes")
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise Unreadable("file.broken_archive", f"the archive is broken: {error}") from None
    return b"".join(pieces)
