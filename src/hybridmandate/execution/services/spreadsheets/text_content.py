"""From bytes as they were sent to UTF-8 text in one buffer: encodings, line ends, NULs.

Encoding by byte order mark, then strict UTF-8, then a declared fallback: as often right as a
statistical guess, and it can be explained (facts: reading text files). A file in which some lines
are UTF-8 and others are not is decoded line by line, and says so.
"""

from __future__ import annotations

import codecs
import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hybridmandate.execution.services.spreadsheets.byte_facts import (
    WINDOW,
    Buffer,
    ByteFacts,
    forget_pages,
)
from hybridmandate.execution.services.spreadsheets.table import Decision, Unreadable

FALLBACK_ENCODING = "cp1252"
PROBE = 1 << 16

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKS_MARKUP = re.compile(rb"\s*<(?:!doctype|html|table|\?xml|[a-z]+[ >])", re.IGNORECASE)
_LOOKS_JSON = re.compile(rb"\s*(?:\{\s*\"|\[\s*[\[{])")
_NOT_TABLES = (
    (b"%PDF", "the file is a PDF document"),
    (b"{\\rtf", "the file is a rich text document"),
)


@dataclass(frozen=True, slots=True)
class TextContent:
    """Text as UTF-8 in a buffer, each line ended by LF or CRLF, and what was done to get there."""

    buffer: Buffer
    encoding: str
    notes: tuple[Decision, ...]


def open_content(content: bytes | Path) -> Buffer:
    """The bytes of a file: as they are, or mapped into memory from a path."""
    if isinstance(content, bytes):
        return content
    if content.stat().st_size == 0:
        return b""
    with content.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def text_content(content: Buffer, fallback: str = FALLBACK_ENCODING) -> TextContent:
    """Decode a whole file.

    :raises Unreadable: for empty, binary, markup and JSON content, or when a mark is wrong.
    """
    _refuse_what_is_no_table(content)
    facts = ByteFacts.of(content)
    data, encoding, notes = _as_utf8(content, facts, fallback)
    if data is not content:
        facts = ByteFacts.of(data)
    if facts.nul:
        data = _without_nuls(data, notes)
        facts = ByteFacts.of(data)
    if facts.returns > facts.pairs:
        data = _line_ends(data, facts, notes)
    forget_pages(data)
    if not _has_text(data):
        raise Unreadable("file.empty", "the file holds no text")
    return TextContent(data, encoding, tuple(notes))


def _refuse_what_is_no_table(content: Buffer) -> None:
    head = bytes(content[:PROBE])
    for mark, message in _NOT_TABLES:
        if head.startswith(mark):
            raise Unreadable("file.not_a_spreadsheet", message)
    plain = head.removeprefix(codecs.BOM_UTF8)
    if _LOOKS_MARKUP.match(plain):
        raise Unreadable("file.markup", "the file is a web page or XML, not a table")
    if _LOOKS_JSON.match(plain):
        raise Unreadable("file.json", "the file is JSON, not a table")


def _as_utf8(
    content: Buffer, facts: ByteFacts, fallback: str
) -> tuple[Buffer, str, list[Decision]]:
    for mark, encoding in _MARKS:
        if content[: len(mark)] == mark:
            if encoding == "utf-8-sig":
                body = bytes(content[len(mark) :])
                return _marked_utf8(body), encoding, []
            return _decoded(content, encoding), encoding, []
    head = bytes(content[: 4 * PROBE])
    wide = _wide_without_mark(head)
    if wide is not None:
        return _decoded(content, wide), wide, [_no_mark(wide)]
    if head.count(0) > max(16, len(head) // 100):
        raise Unreadable("file.binary", "the file is binary, not a table")
    if facts.ascii or _is_utf8(content):
        return content, "utf-8", []
    return _by_lines(content, fallback)


def _marked_utf8(body: bytes) -> bytes:
    if not _is_utf8(body):
        raise Unreadable("file.encoding", "the file says it is utf-8 but is not")
    return body


def _no_mark(encoding: str) -> Decision:
    return Decision.of(
        "encoding.no_mark", f"read as {encoding}: every other byte of the beginning is zero", []
    )


def _wide_without_mark(head: bytes) -> str | None:
    """UTF-16 without a mark: most characters of real tables are ASCII, so half the bytes are 0."""
    if len(head) < 8 or len(head) % 2:
        head = head[: len(head) // 2 * 2]
    if len(head) < 8:
        return None
    half = len(head) // 2
    zero_odd, zero_even = head[1::2].count(0), head[0::2].count(0)
    if zero_odd > 0.7 * half and zero_even < 0.05 * half:
        return "utf-16-le"
    if zero_even > 0.7 * half and zero_odd < 0.05 * half:
        return "utf-16-be"
    return None


def _decoded(content: Buffer, encoding: str) -> bytes:
    try:
        return bytes(content).decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeError as error:
        raise Unreadable(
            "file.encoding", f"the file says it is {encoding} but is not: {error}"
        ) from None


def _is_utf8(content: Buffer) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), WINDOW):
            window = content[start : start + WINDOW]
            forget_pages(content)
            if window.isascii() and not decoder.getstate()[0]:
                continue
            decoder.decode(window)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _by_lines(content: Buffer, fallback: str) -> tuple[bytes, str, list[Decision]]:
    """Fallback for the lines that are not UTF-8; the others stay what they are."""
    data = bytes(content)
    lines = data.split(b"\n")
    wide: list[int] = []
    other: list[int] = []
    for number, line in enumerate(lines, start=1):
        if line.isascii():
            continue
        (wide if _is_utf8(line) else other).append(number)
    undefined: list[int] = []
    if not wide:
        text = data.decode(fallback, errors="replace")
        lost = [n for n, each in enumerate(text.split("\n"), start=1) if "\ufffd" in each]
        return text.encode(), fallback, _undefined(lost, fallback)
    for number in other:
        text = lines[number - 1].decode(fallback, errors="replace")
        if "\ufffd" in text:
            undefined.append(number)
        lines[number - 1] = text.encode()
    note = Decision.of(
        "encoding.mixed", f"lines that are not UTF-8 were read as {fallback}, the rest as it", other
    )
    return b"\n".join(lines), f"utf-8 and {fallback}", [note, *_undefined(undefined, fallback)]


def _undefined(lines: list[int], encoding: str) -> list[Decision]:
    if not lines:
        return []
    return [Decision.of("encoding.undefined", f"bytes that {encoding} does not define", lines)]


def _without_nuls(data: Buffer, notes: list[Decision]) -> bytes:
    whole = bytes(data)
    lines = [n for n, line in enumerate(whole.split(b"\n"), start=1) if b"\x00" in line]
    notes.append(Decision.of("text.nul", "zero bytes were taken out", lines))
    return whole.replace(b"\x00", b"")


def _line_ends(data: Buffer, facts: ByteFacts, notes: list[Decision]) -> bytes:
    """Every lone CR becomes LF, so that offsets stay; a CR inside a CRLF file's field too."""
    whole = bytes(data)
    feeds, lone = whole.count(b"\n"), facts.returns - facts.pairs
    if feeds:
        message = f"{lone} line ends are CR, {facts.pairs} CRLF, {feeds - facts.pairs} LF"
        notes.append(Decision.of("lines.mixed", message, []))
    return re.sub(rb"\r(?!\n)", b"\n", whole)


def _has_text(data: Buffer) -> bool:
    step: Callable[[bytes], bytes] = lambda piece: piece.strip(b" \t\r\n\xef\xbb\xbf")  # noqa: E731
    return any(step(data[start : start + PROBE]) for start in range(0, len(data), PROBE))
