"""The container of xls and of encrypted workbooks: an OLE compound file ([MS-CFB]), read-only.

Only what is needed to find a stream by name; every chain of sectors is bounded by the file itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

OLE_MARK = bytes.fromhex("D0CF11E0A1B11AE1")
_LAST_REGULAR = 0xFFFFFFFA
_MINI_CUTOFF = 4096
_STREAM, _ROOT = 2, 5


class BrokenContainer(Exception):
    """The container contradicts itself."""


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int
    start: int
    size: int


class OleFile:
    """Names and streams of a compound file."""

    def __init__(self, content: bytes) -> None:
        """:raises BrokenContainer: when header, allocation table or directory make no sense."""
        if len(content) < 512 or not content.startswith(OLE_MARK):
            raise BrokenContainer("the header is cut off")
        shift, mini_shift = struct.unpack_from("<HH", content, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise BrokenContainer("sectors have an unusual size")
        self._content = content
        self._sector = 1 << shift
        self._table = self._allocation_table()
        (directory,) = struct.unpack_from("<I", content, 48)
        self._entries = self._directory(self._chain(directory))

    @property
    def names(self) -> list[str]:
        """Names of all storages and streams, in lower case."""
        return list(self._entries)

    def stream(self, name: str) -> bytes | None:
        """A stream's bytes; None when there is no such stream."""
        entry = self._entries.get(name.lower())
        if entry is None or entry.kind != _STREAM:
            return None
        if entry.size >= _MINI_CUTOFF:
            return self._chain(entry.start)[: entry.size]
        return self._small(entry)

    def _small(self, entry: _Entry) -> bytes:
        root = next((each for each in self._entries.values() if each.kind == _ROOT), None)
        (start,) = struct.unpack_from("<I", self._content, 60)
        if root is None or start > _LAST_REGULAR:
            raise BrokenContainer("the small streams are missing")
        packed = self._chain(start)
        table = struct.unpack(f"<{len(packed) // 4}I", packed[: len(packed) // 4 * 4])
        pool = self._chain(root.start)
        found = b"".join(pool[n * 64 : n * 64 + 64] for n in _follow(entry.start, table))
        return found[: entry.size]

    def _allocation_table(self) -> tuple[int, ...]:
        sectors = list(struct.unpack_from("<109I", self._content, 76))
        following, count = struct.unpack_from("<II", self._content, 68)
        limit = len(self._content) // self._sector + 1
        while following <= _LAST_REGULAR and count > 0 and len(sectors) < limit + 109:
            piece = self._read(following)
            numbers = struct.unpack(f"<{len(piece) // 4}I", piece)
            sectors += numbers[:-1]
            following, count = numbers[-1], count - 1
        used = [n for n in sectors if n <= _LAST_REGULAR][:limit]
        packed = b"".join(self._read(n) for n in used)
        return struct.unpack(f"<{len(packed) // 4}I", packed)

    def _read(self, number: int) -> bytes:
        start = (number + 1) * self._sector
        piece = self._content[start : start + self._sector]
        if not piece:
            raise BrokenContainer("a sector lies behind the end of the file")
        return piece.ljust(self._sector, b"\0")

    def _chain(self, start: int) -> bytes:
        return b"".join(self._read(n) for n in _follow(start, self._table))

    @staticmethod
    def _directory(packed: bytes) -> dict[str, _Entry]:
        found: dict[str, _Entry] = {}
        for place in range(0, len(packed) - 127, 128):
            (length,) = struct.unpack_from("<H", packed, place + 64)
            kind = packed[place + 66]
            if not 2 <= length <= 64 or kind not in (1, _STREAM, _ROOT):
                continue
            name = packed[place : place + length - 2].decode("utf-16-le", "replace").lower()
            start, size = struct.unpack_from("<II", packed, place + 116)
            found.setdefault(name, _Entry(kind, start, size))
        if not found:
            raise BrokenContainer("the directory is empty")
        return found


def _follow(start: int, table: tuple[int, ...]) -> list[int]:
    found: list[int] = []
    while start <= _LAST_REGULAR:
        if start >= len(table) or len(found) > len(table):
            raise BrokenContainer("a chain of sectors has no end")
        found.append(start)
        start = table[start]
    return found
