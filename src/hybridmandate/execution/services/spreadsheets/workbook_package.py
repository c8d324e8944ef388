"""The zip package of a workbook, opened within limits that its own table of contents cannot evade.

The sizes that a package declares are checked first, then every part that calamine would inflate is
inflated once without being kept: a part that is larger than declared is refused.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

from hybridmandate.execution.services.spreadsheets.table import Unreadable

MAX_UNPACKED = 256 * 1024 * 1024
MAX_RATIO = 200
MAX_ENTRIES = 5_000
PIECE = 1 << 20
_RATIO_COUNTS_FROM = 4 * 1024 * 1024
_LOCAL_HEADER = struct.Struct("<4s22xHH")


class WorkbookPackage:
    """Read-only parts by name, as spreadsheet programs look for them.

    Case and a leading slash do not count, and a backslash, which some programs of Windows write
    into their packages, is a slash.
    """

    def __init__(self, content: bytes) -> None:
        """:raises Unreadable: ``file.broken_workbook``, ``file.zip_bomb`` or ``file.encrypted``."""
        self._content = content
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise Unreadable("file.broken_workbook", f"the package is broken: {error}") from None
        self._refuse_bombs()
        self._entries = {_plain(each.filename): each for each in self._zip.infolist()}
        if len(self._entries) < len(self._zip.infolist()):
            raise Unreadable("file.broken_workbook", "the package holds a part twice")
        for entry in self._entries.values():
            if entry.flag_bits & 1:
                raise Unreadable("file.encrypted", "the workbook is protected by a password")

    @property
    def names(self) -> list[str]:
        """Names of all parts, in lower case."""
        return list(self._entries)

    def has(self, name: str) -> bool:
        """Whether there is such a part."""
        return _plain(name) in self._entries

    def pieces(self, name: str) -> Iterator[bytes]:
        """A part in pieces of at most :data:`PIECE` bytes; nothing for a part that is not there.

        :raises Unreadable: when it cannot be unpacked, or is larger than it says.
        """
        entry = self._entries.get(_plain(name))
        if entry is None:
            return
        packed = self._packed(entry)
        if entry.compress_type == zipfile.ZIP_STORED:
            for start in range(0, len(packed), PIECE):
                yield bytes(packed[start : start + PIECE])
            return
        if entry.compress_type != zipfile.ZIP_DEFLATED:
            raise Unreadable("file.broken_workbook", f"'{name}' is packed in an unusual way")
        inflate = zlib.decompressobj(-15)
        total = 0
        rest: bytes | memoryview = packed
        try:
            while not inflate.eof:
                piece = inflate.decompress(rest, PIECE)
                rest = inflate.unconsumed_tail
                total += len(piece)
                if total > entry.file_size:
                    raise Unreadable("file.zip_bomb", f"'{name}' is larger than it says")
                if not piece and not rest:
                    break
                yield piece
        except zlib.error as error:
            raise Unreadable("file.broken_workbook", f"'{name}' is broken: {error}") from None
        if total != entry.file_size:
            raise Unreadable("file.broken_workbook", f"'{name}' is cut off")

    def part(self, name: str, limit: int = 16 * 1024 * 1024) -> bytes | None:
        """A whole small part; None when there is none. :raises Unreadable: above the limit."""
        if not self.has(name):
            return None
        found: list[bytes] = []
        size = 0
        for piece in self.pieces(name):
            size += len(piece)
            if size > limit:
                raise Unreadable("file.zip_bomb", f"'{name}' is larger than {limit} bytes")
            found.append(piece)
        return b"".join(found)

    def verify(self, name: str) -> None:
        """Inflate a part once, to see that it is not larger than it says."""
        for _ in self.pieces(name):
            pass

    def _packed(self, entry: zipfile.ZipInfo) -> memoryview:
        view = memoryview(self._content)
        head = view[entry.header_offset : entry.header_offset + _LOCAL_HEADER.size]
        if len(head) < _LOCAL_HEADER.size:
            raise Unreadable("file.broken_workbook", f"'{entry.filename[:100]}' is cut off")
        mark, name, extra = _LOCAL_HEADER.unpack(head)
        if mark != b"PK\x03\x04":
            raise Unreadable("file.broken_workbook", f"'{entry.filename[:100]}' is not there")
        start = entry.header_offset + _LOCAL_HEADER.size + name + extra
        return view[start : start + entry.compress_size]

    def _refuse_bombs(self) -> None:
        entries = self._zip.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        ratio = unpacked // max(1, len(self._content))
        too_dense = ratio > MAX_RATIO and unpacked > _RATIO_COUNTS_FROM
        if len(entries) > MAX_ENTRIES or unpacked > MAX_UNPACKED or too_dense:
            raise Unreadable(
                "file.zip_bomb",
                f"the package unpacks to {unpacked} bytes in {len(entries)} parts "
                f"({ratio} times its size): more than a spreadsheet needs",
            )


def _plain(name: str) -> str:
    return name.lower().replace("\\", "/").lstrip("/")
