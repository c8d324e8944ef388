"""Requests that two readers could read in two ways are refused at the door."""

from __future__ import annotations

import pytest

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.safety import check_headers, check_path


@pytest.mark.parametrize(
    "path",
    [
        b"/a/../b",
        b"/a/..",
        b"/a/./b",
        b"/a/%2e%2e/b",
        b"/a/%252e%252e/b",
        b"/a%2fb",
        b"/a%2Fb",
        b"/a%252fb/%2e%2e",
        b"/a%5cb",
        b"/a\\b",
        b"/a%00b",
        b"/a%0d%0ab",
        b"/a//b",
        b"//a",
        b"/a%zz",
        b"/a%2",
        "/ä".encode(),
        b"a",
    ],
)
def test_ambiguous_path_is_refused(path: bytes) -> None:
    with pytest.raises(PolicyError) as caught:
        check_path(path)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "path",
    [b"/", b"/exec/operations/files.store/v1", b"/a%20b", b"/a..b", b"/.well-known", b"/%C3%A4"],
)
def test_plain_path_passes(path: bytes) -> None:
    assert check_path(path) == path.decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"host", b"a"), (b"host", b"b")], 400),
        ([(b"content-length", b"1"), (b"content-length", b"1")], 400),
        ([(b"content-length", b"1"), (b"transfer-encoding", b"chunked")], 400),
        ([(b"content-length", b"-1")], 400),
        ([(b"content-length", b"+1")], 400),
        ([(b"transfer-encoding", b"gzip, chunked")], 400),
        ([(b"transfer-encoding", b"xchunked")], 400),
        ([(b"content-type", b"a/b"), (b"content-type", b"c/d")], 400),
        ([(b"x", b"a\x00b")], 400),
        ([(b"x", b"a" * 40_000)], 431),
        ([(b"x%d" % number, b"") for number in range(101)], 431),
    ],
)
def test_ambiguous_or_oversize_headers_are_refused(
    headers: list[tuple[bytes, bytes]], status: int
) -> None:
    with pytest.raises(PolicyError) as caught:
        check_headers(headers, most_bytes=32 * 1024, most_count=100)
    assert caught.value.status == status
