"""Fixtures that let an expression of an unknown service be evaluated: a context made for its text.

What a document expects of its callers shows in its expressions: the types that variables are cast
to, the members that are read of a body. Fixtures of that form are tried one after the other; an
expression evaluates when one of them lets it end with a value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hybridmandate.governance.gateway import csharp
from hybridmandate.governance.gateway.csharp import Budget, Expression, ExpressionFailure
from hybridmandate.governance.gateway.csharp.numbers import Long
from hybridmandate.governance.gateway.csharp.types.http_types import Authorization
from hybridmandate.governance.gateway.fixture_content import bodies

_NOW = 1_700_000_000.0
GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="
"""A key of 16 bytes, base64."""
CIPHER = "O2RUkJcxoozW4Z79JBw3Y7nkQeCqw0vjKfY9psPqz2g="
"""Two blocks of AES-CBC under ``KEY``: they open whatever the initialization vector is."""
_NAMED = r'context\.Variables(?:\[\s*|\.GetValueOrDefault(?:<[^(]*>)?\(\s*)"([^"]+)"'
_CAST = re.compile(r"\(\s*([A-Za-z_][\w.]*(?:<[^()]*>)?\??(?:\[\])?)\s*\)\s*\(?" + _NAMED)
_TYPED = re.compile(r'Variables\.GetValueOrDefault<([^(]+)>\(\s*"([^"]+)"')
_AS = re.compile(_NAMED + r"\s*[\])][^;,]{0,12}?\bas\s+([A-Za-z_][\w.]*)")
_PLAIN = re.compile(_NAMED)
_BY_VARIABLE = re.compile(r"context\.Variables\[\s*[A-Za-z_]\w*\s*\](?:\s*as\s+(\w+))?")
_ALIAS = re.compile(r"(\w+)\s*=\s*\(string\)\s*" + _NAMED)
_PARSES = re.compile(r"J(?:Object|Array|Token)\.Parse|X(?:Element|Document)\.Parse")
_TEXT = re.compile(r'"([A-Za-z_@#][\w.@:/-]{0,60})"')
_LEAVES: tuple[Any, ...] = (
    "10",
    10,
    GUID,
    "2024-01-01T00:00:00Z",
    "true",
    KEY,
    "https://service.example/a/b/c/d?x=1&y=2",
    "a=1;b=2:c|d,e-f_g.h/i/j/k",
)


def why_not_evaluated(
    expression: Expression, text: str, variables: Mapping[str, Any]
) -> tuple[Any, str | None]:
    """The value and None, or None and why no fixture let the expression end with a value."""
    reason = ""
    for context in _contexts(text, variables):
        try:
            return expression.evaluate(context, Budget()), None
        except ExpressionFailure as error:
            reason = reason or f"{error.dotnet_type}: {error}"
    return None, reason


def _contexts(text: str, variables: Mapping[str, Any]) -> Iterator[csharp.PolicyContext]:
    """Fixtures from the plainest to those that are made of the expression's own words."""
    keys = list(dict.fromkeys(_TEXT.findall(text)))
    for leaf in _leaves(text, keys):
        for body in bodies(leaf, keys, text):
            made = _variables(text, leaf, body, keys)
            yield _context(body, leaf, keys, {**made, **variables})
            yield _context(body, leaf, keys, made)
    yield _context(None, "10", [], dict(variables))


def _leaves(text: str, keys: list[str]) -> Iterator[Any]:
    """What may stand where an expression reads a single value."""
    if "Decrypt(" in text:
        yield CIPHER
        yield f"{CIPHER}.1.{GUID}"
    if "AsJwt" in text or "TryParseJwt" in text:
        yield _token(_claims("10", keys))
    yield from _LEAVES
    yield f"{GUID}.{GUID}.1700000000000"
    yield "; ".join(f"{key}=1,2" for key in keys)


def _variables(text: str, leaf: Any, body: bytes, keys: list[str]) -> dict[str, Any]:
    """A value for each variable that the text names, of the type that it is read as."""
    plain = body.decode() if _PARSES.search(text) else str(leaf)
    found: dict[str, Any] = dict.fromkeys(_PLAIN.findall(text), plain)
    for type in _BY_VARIABLE.findall(text):
        found.update({key: _of_type(type or "string", leaf, body, keys) for key in keys})
    for name, type in _AS.findall(text):
        found[name] = _of_type(type, leaf, body, keys)
    for type, name in (*_CAST.findall(text), *_TYPED.findall(text)):
        found[name] = _of_type(type, leaf, body, keys)
    called = {name: name for name in found}
    called.update({name: alias for alias, name in _ALIAS.findall(text)})
    for name, alias in called.items():
        told = _by_use(text, name, alias)
        if told is not None and isinstance(found[name], str):
            found[name] = told
    return found


def _by_use(text: str, name: str, alias: str) -> str | None:
    """The text that a variable must hold where it is read as a Guid, a key or the like."""
    read = rf'(?:[^";]{{0,40}}"{re.escape(name)}"|{re.escape(alias)}\b)'
    if re.search(rf"Guid\.Parse\(\s*{read}", text):
        return GUID
    if re.fullmatch(r"(?i)iv|key", name) and "Decrypt(" in text:
        return KEY
    return None


def _of_type(type: str, leaf: Any, body: bytes, keys: list[str]) -> Any:
    head = type.rsplit(".", 1)[-1].rstrip("?").lower()
    if head in ("long", "int64"):
        return Long(10)
    if head in ("int", "int32", "short", "uint", "decimal"):
        return 10 if leaf == "10" else 0
    if head in ("double", "float"):
        return 0.0
    if head in ("bool", "boolean"):
        return True
    if head in ("iresponse", "response"):
        said = {"X": ["10"], "Set-Cookie": [str(leaf)]}
        return csharp.Response(200, "OK", csharp.MappingValues(said), _Bytes(body))
    if head in ("jobject", "jtoken", "jarray", "jvalue"):
        return csharp.parse_json(_json_for(head, body))
    if head == "jwt":
        return csharp.Jwt({"alg": "RS256"}, _claims(body.decode(), keys))
    if head == "authorization":
        return Authorization("token", {})
    if head == "byte[]":
        return b"0123456789abcdef"
    return body.decode() if leaf == 10 else str(leaf)


def _json_for(type: str, body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        found = {}
    if type == "jarray" and not isinstance(found, list):
        found = [found]
    if type == "jobject" and not isinstance(found, dict):
        found = found[0] if isinstance(found, list) and isinstance(found[0], dict) else {}
    return json.dumps(found)


def _claims(leaf: str, keys: list[str]) -> dict[str, Any]:
    return {
        **dict.fromkeys(keys, leaf),
        "sub": "10",
        "oid": GUID,
        "appid": GUID,
        "azp": GUID,
        "iss": "https://issuer.example/",
        "aud": "api://example",
        "roles": ["reader"],
        "scp": "read",
        "exp": _NOW + 600,
    }


def _token(claims: Mapping[str, Any]) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part(claims)}.c2ln"


class _Bytes:
    """A body in memory."""

    def __init__(self, content: bytes | None) -> None:
        self._content = content

    def read(self) -> bytes | None:
        return self._content

    def consume(self) -> None:
        """Each fixture is used once; the content stays for expressions that read it twice."""


def _context(
    body: bytes | None, leaf: Any, keys: list[str], variables: dict[str, Any]
) -> csharp.PolicyContext:
    said = {each: [str(leaf)] for each in keys}
    bearer = leaf if leaf == CIPHER else _token(_claims("10", keys))
    headers = {
        **said,
        "Authorization": [f"Bearer {bearer}"],
        "Content-Type": ["application/json"],
        "X-Forwarded-For": ["192.0.2.1"],
    }
    url = csharp.Url(
        "https", "gateway.example", 443, "/api/v1/items/10", csharp.MappingValues(said), "?a=10"
    )
    product = csharp.Product(
        "product", "Product", groups=[csharp.Group("developers", "developers")]
    )
    return csharp.PolicyContext(
        request=csharp.Request(
            "POST",
            url,
            url,
            csharp.MappingValues(headers),
            _Bytes(body),
            "192.0.2.1",
            dict.fromkeys(keys, str(leaf)),
            id=GUID,
        ),
        response=csharp.Response(
            200,
            "OK",
            csharp.MappingValues({**headers, "Date": ["Tue, 14 Nov 2023 22:13:20 GMT"]}),
            _Bytes(body),
        ),
        clock=lambda: _NOW,
        random=lambda: 0.5,
        variables=variables,
        api=csharp.Api("api", "API", "api", version="v1", service_url=url),
        operation=csharp.Operation("operation", "POST", "Operation", "/items/{id}"),
        product=product,
        subscription=csharp.Subscription("subscription", "Subscription", "key"),
        user=csharp.User(
            "user", email="user@example.com", groups=[csharp.Group("developers", "developers")]
        ),
        deployment=csharp.Deployment("West Europe", "service", "service"),
        last_error=csharp.LastError("validate-jwt", "TokenExpired", "expired", "inbound", "api"),
        request_id=GUID,
        started=_NOW - 1,
    )
