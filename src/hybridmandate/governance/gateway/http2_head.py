"""The head of an HTTP/2 request, as the gateway reads heads: one host, cookies in one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from hybridmandate.governance.gateway.door import HeadLimits, Refusal

_TARGET = re.compile(rb"/[\x21\x22\x24-\x7e]*")
"""A path and query of visible characters; no fragment (RFC 9112, section 3.2)."""

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Http2Head:
    """Method, target and headers; names are lower-case, which HTTP/2 demands of them."""

    method: bytes
    target: bytes
    headers: list[Header]

    @classmethod
    def of(cls, found: Sequence[Header], *, body_follows: bool) -> Http2Head:
        """The head of header fields that h2 has found to be well-formed (RFC 9113, section 8.3).

        ``:authority`` becomes the host, cookies become one line (8.2.3), and a body of unknown
        length is announced as an intermediary to HTTP/1.1 would announce it.
        """
        pseudo = dict(each for each in found if each[0].startswith(b":"))
        authority = pseudo.get(b":authority")
        headers = [] if authority is None else [(b"host", authority)]
        left_out = (b"cookie",) if authority is None else (b"cookie", b"host")
        headers += [
            each for each in found if not each[0].startswith(b":") and each[0] not in left_out
        ]
        cookies = [value for name, value in found if name == b"cookie"]
        if cookies:
            headers.append((b"cookie", b"; ".join(cookies)))
        if body_follows and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"transfer-encoding", b"chunked"))
        return cls(pseudo[b":method"], pseudo.get(b":path", b""), headers)

    def refused(self, limits: HeadLimits) -> Refusal | None:
        """Why this head is none that the gateway takes, None when it is."""
        size = len(self.target) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > limits.bytes or len(self.headers) > limits.count:
            return Refusal(431, "HeadersTooLarge", "The request's headers are too large.")
        if _TARGET.fullmatch(self.target) is None:
            return Refusal(400, "TargetInvalid", "The target of a request is a path.")
        return None

    def scope(self) -> dict[str, Any]:
        """What an ASGI scope says of the request."""
        raw, _, query = self.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "2",
            "method": self.method.decode("latin-1"),
            "scheme": "https",
            "path": unquote(raw.decode("latin-1")),
            "raw_path": raw,
            "query_string": query,
            "root_path": "",
            "headers": self.headers,
        }
