"""Conditional headers and byte ranges of blobs, as pure rules.

Sources: learn.microsoft.com/rest/api/storageservices, 'Specifying conditional headers for Blob
service operations', 'Specifying the range header for Blob service operations'.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from hybridmandate.twin.storage.errors import StorageError, invalid_header
from hybridmandate.twin.storage.tables import Row

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})?")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must be true of a blob; None where nothing is asked."""

    match: str | None = None
    none_match: str | None = None
    modified_since: float | None = None
    unmodified_since: float | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Conditions:
        """The conditions of a request. :raises StorageError: 400 for a date that is none."""
        return cls(
            headers.get("if-match"),
            headers.get("if-none-match"),
            _date(headers, "if-modified-since"),
            _date(headers, "if-unmodified-since"),
        )

    def check_write(self, blob: Row | None) -> None:
        """:raises StorageError: 409 or 412 when a write must not happen."""
        if blob is None:
            if self.match is not None:
                raise _not_met(412)
            return
        if self.none_match == "*":
            raise StorageError(409, "BlobAlreadyExists", "The specified blob already exists.")
        if not self._met(blob):
            raise _not_met(412)

    def check_read(self, blob: Row) -> None:
        """:raises StorageError: 304 or 412 when a reading must not happen."""
        if self._met(blob):
            return
        unchanged = self._required_met(blob)
        raise _not_met(304 if unchanged else 412)

    def _met(self, blob: Row) -> bool:
        return self._required_met(blob) and self._excluded_met(blob)

    def _required_met(self, blob: Row) -> bool:
        if self.match is not None and self.match not in ("*", blob["etag"]):
            return False
        return self.unmodified_since is None or int(blob["modified"]) <= self.unmodified_since

    def _excluded_met(self, blob: Row) -> bool:
        if self.none_match is not None and self.none_match in ("*", blob["etag"]):
            return False
        return self.modified_since is None or int(blob["modified"]) > self.modified_since


def byte_range(headers: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """Start and length of the range that is asked for, None for the whole.

    :raises StorageError: 400 when the header is no range, 416 when it begins behind the end.
    """
    text = headers.get("x-ms-range") or headers.get("range")
    if text is None:
        return None
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise invalid_header("Range")
    start = int(match[1])
    end = size - 1 if match[2] is None else min(int(match[2]), size - 1)
    if start >= size or end < start:
        raise StorageError(
            416,
            "InvalidRange",
            "The range specified is invalid for the current size of the resource.",
            {"content-range": f"bytes */{size}"},
        )
    return start, end - start + 1


def _date(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name)
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        raise invalid_header(name) from None


def _not_met(status: int) -> StorageError:
    return StorageError(
        status,
        "ConditionNotMet",
        "The condition specified using HTTP conditional header(s) is not met.",
    )
