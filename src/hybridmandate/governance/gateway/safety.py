"""What no policy should ever see: ambiguous paths and headers are refused at the door.

Gateway and back end must read a request in one way only; where two readings exist (dot segments,
encoded slashes, two lengths) there is a way around policies, so such requests are answered 400.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from hybridmandate.governance.gateway.errors import PolicyError

_SAFE_PATH = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_ENCODED_SEPARATOR = re.compile(rb"%(?:2[fF]|5[cC]|00)")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type"})
CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CONTROLS = bytes(sign for sign in range(256) if CONTROL.match(bytes([sign])))
"""The same signs; a block of headers is quicker to translate than to search."""
BREAKS_A_HEAD = re.compile(rb"[\x00\r\n]")
"""Signs with which a header would become another header, or a body."""

Headers = Sequence[tuple[bytes, bytes]]


def refusal(message: str, *, reason: str, status: int = 400) -> PolicyError:
    """A refusal of the gateway itself, not of a policy."""
    return PolicyError(status, reason, message, source="gateway")


def check_path(raw: bytes) -> str:
    """The path as text, still encoded.

    :raises PolicyError: 400 for dot segments, encoded separators, control signs, backslashes,
        doubled slashes or broken escapes, also when they only appear after decoding twice.
    """
    if _SAFE_PATH.fullmatch(raw) is not None and b"/." not in raw and b"//" not in raw:
        return raw.decode("ascii")
    if _BAD_ESCAPE.search(raw):
        raise refusal("The path holds a broken escape.", reason="PathInvalid")
    once = unquote_to_bytes(raw)
    twice = unquote_to_bytes(once)
    for text in (raw, once, twice):
        segments = text.split(b"/")
        if b".." in segments or b"." in segments or b"\\" in text or CONTROL.search(text):
            raise refusal(
                "The path holds dot segments or signs that are not allowed.", reason="PathInvalid"
            )
    for text in (raw, once):
        if _ENCODED_SEPARATOR.search(text):
            raise refusal("The path holds an encoded separator.", reason="PathInvalid")
    if b"//" in raw or not raw.startswith(b"/"):
        raise refusal("The path holds an empty segment.", reason="PathInvalid")
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise refusal("The path is not percent-encoded.", reason="PathInvalid") from None


def check_headers(headers: Headers, *, most_bytes: int, most_count: int) -> None:
    """Refuse header blocks that are too large or that two readers could read in two ways.

    :raises PolicyError: 400, or 431 for a block over its limits.
    """
    joined = b" ".join([each for line in headers for each in line])
    if len(headers) > most_count or len(joined) + 3 * len(headers) > most_bytes:
        raise refusal("The request's headers are too large.", reason="HeadersTooLarge", status=431)
    if len(joined.translate(None, _CONTROLS)) != len(joined):
        raise refusal("A header holds a control sign.", reason="HeaderInvalid")
    seen: set[bytes] = set()
    for name, value in [line for line in headers if line[0] in _SINGLE]:
        if name in seen:
            raise refusal(f"Header {name.decode()} may stand only once.", reason="HeaderInvalid")
        seen.add(name)
        if name == b"content-length" and not value.isdigit():
            raise refusal("Header content-length is not a number.", reason="HeaderInvalid")
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise refusal("Only the transfer encoding chunked is read.", reason="HeaderInvalid")
    if b"content-length" in seen and b"transfer-encoding" in seen:
        raise refusal(
            "Content-Length and Transfer-Encoding exclude each other.", reason="HeaderInvalid"
        )
