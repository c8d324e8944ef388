"""A policy context with something in every part, for the tests of expressions."""

from __future__ import annotations

import base64
import json
import uuid

from hybridmandate.governance.gateway import csharp

NOW = 1_700_000_000.0


class BytesBody:
    """A message body that is already in memory."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content

    def read(self) -> bytes | None:
        return self.content

    def consume(self) -> None:
        self.content = None


def _part(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def token() -> str:
    """An unsigned token with the usual claims."""
    claims = {
        "sub": "sub-1",
        "iss": "iss-1",
        "aud": "aud-1",
        "exp": NOW + 60,
        "roles": ["r1", "r2"],
        "address": {"city": "Zürich", "zip": 8000},
    }
    return f"Bearer {_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}.c2ln"


def context(
    body: bytes | None = b'{"items":[{"id":"a"},{"id":"b"}],"user":1}\n',
) -> csharp.PolicyContext:
    """A fresh context."""
    url = csharp.Url(
        "https",
        "h.example",
        443,
        "/api/items",
        csharp.MappingValues({"version": ["1"]}),
        "?version=1",
    )
    headers = csharp.MappingValues({"X-A": ["a", "b"], "Authorization": [token()]})
    answer = csharp.Response(201, "Created", csharp.MappingValues({}), BytesBody(b'{"a":"1"}'))
    return csharp.PolicyContext(
        request=csharp.Request("GET", url, url, headers, BytesBody(body), "1.2.3.4", {"id": "7"}),
        clock=lambda: NOW,
        random=lambda: 0.5,
        response=csharp.Response(
            200, "OK", csharp.MappingValues({"Content-Type": ["text/plain"]}), BytesBody(b"done")
        ),
        variables={"text": "abc", "number": 3, "response": answer, "bytes": b"ab"},
        api=csharp.Api("a1", "A Name", "a"),
        operation=csharp.Operation("get-item", "GET", "Get item", "/items/{id}"),
        subscription=csharp.Subscription("s1", "Sub", "k1"),
        user=csharp.User("u1", groups=[csharp.Group("g1", "admins"), csharp.Group("g2", "x")]),
        deployment=csharp.Deployment("west"),
        last_error=csharp.LastError("validate-jwt", "TokenExpired", "expired", "inbound"),
        request_id="0f8fad5b-d9cb-469f-a165-70867728950e",
        started=NOW - 1,
        new_guid=lambda: uuid.UUID(int=7),
    )
