"""Attacks as an attacker sends them: bytes on the wire, and never a call at the back end."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from extractor_folder import ExtractorFolder, NoIdentity
from gateway_edge import CORRELATION, KEY, VIEW, Edge, Evidence, token
from joserfc import jwt
from joserfc.jwk import RSAKey

from hybridmandate.governance.gateway.conformance import Served
from hybridmandate.governance.gateway.layout import load_layout
from hybridmandate.governance.gateway.server import create_app
from hybridmandate.governance.gateway.settings import GatewaySettings

STRANGER = RSAKey.generate_key(2048, {"kid": "k1"})


def encoded(part: Any) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def parts(**header: Any) -> tuple[str, str]:
    """Header and claims of a proper token, the header changed."""
    kept = {"alg": "RS256", "kid": "k1", **header}
    return encoded({k: v for k, v in kept.items() if v is not None}), token().split(".")[1]


def signed(secret: bytes, algorithm: str = "HS256") -> str:
    head, claims = parts(alg=algorithm)
    text = f"{head}.{claims}"
    return f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def forged(**header: Any) -> str:
    """Signed by somebody else's key, with a header that offers that key."""
    claims = json.loads(base64.urlsafe_b64decode(token().split(".")[1] + "=="))
    return jwt.encode(
        {"alg": "RS256", "kid": "k1", **header}, claims, STRANGER, algorithms=["RS256"]
    )


def changed(**claims: Any) -> str:
    """A proper token whose claims were exchanged afterwards."""
    head, content, signature = token().split(".")
    known = json.loads(base64.urlsafe_b64decode(content + "=="))
    return f"{head}.{encoded({**known, **claims})}.{signature}"


def public(form: str) -> bytes:
    return KEY.as_pem(private=False) if form == "pem" else KEY.as_der(private=False)


TOKENS: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: ".".join((*parts(alg="none"), "")),
    "no algorithm, other case": lambda: ".".join((*parts(alg="NoNe"), "")),
    "algorithm none, signature kept": lambda: ".".join((*parts(alg="none"), token().split(".")[2])),
    "HMAC with the public key in PEM": lambda: signed(public("pem")),
    "HMAC with the public key in DER": lambda: signed(public("der")),
    "HMAC with an empty secret": lambda: signed(b""),
    "HMAC named RS256": lambda: signed(public("pem"), "RS256"),
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "two parts": lambda: token().rpartition(".")[0],
    "somebody else's key": lambda: forged(),
    "own key in jwk": lambda: forged(jwk=STRANGER.as_dict(private=False)),
    "own key behind jku": lambda: forged(jku="https://evil.example/keys"),
    "own key behind x5u": lambda: forged(x5u="https://evil.example/cert"),
    "kid as a path": lambda: forged(kid="../../../../dev/null"),
    "kid as SQL": lambda: forged(kid="k1' UNION SELECT 'key"),
    "kid as a list": lambda: ".".join((*parts(kid=["k1"]), token().split(".")[2])),
    "another principal written in": lambda: changed(oid="somebody-else"),
    "roles written in": lambda: changed(roles=["Everything"]),
    "life prolonged": lambda: changed(exp=int(time.time()) + 10**6),
    "expired": lambda: token(exp=int(time.time()) - 3600),
    "not valid yet": lambda: token(nbf=int(time.time()) + 3600),
    "another audience": lambda: token(aud="api://another"),
    "another issuer": lambda: token(iss="https://evil.example/v2.0"),
    "no expiry": lambda: token(exp=None),
    "claims are no object": lambda: ".".join((parts()[0], encoded([1]), token().split(".")[2])),
    "claims nest 3,000 deep": lambda: ".".join(
        (parts()[0], encoded(b'{"a":' * 3000 + b"1" + b"}" * 3000), "AA")
    ),
    "header is no JSON": lambda: ".".join(("AAAA", *token().split(".")[1:])),
    "five parts": lambda: "e30.e30.e30.e30.e30",
    "look-alike base64": lambda: token().replace(".", ".=", 1),
    "null byte in the middle": lambda: token()[:40] + "%00" + token()[40:],
    "twenty kilobytes of claims": lambda: token(filler="x" * 20_000) + "x",
}


def authorization(value: str) -> bytes:
    return request(b"Authorization: " + value.encode("latin-1"))


def request(*lines: bytes, target: bytes = VIEW.encode()) -> bytes:
    head = [
        b"POST " + target + b" HTTP/1.1",
        b"Host: gateway",
        b"Content-Type: application/json",
        b"X-Correlation-Id: " + CORRELATION.encode(),
        b"Content-Length: 2",
        *lines,
    ]
    return b"\r\n".join(head) + b"\r\n\r\n{}"


def answer(raw: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), json.loads(body)


@pytest.mark.parametrize("name", TOKENS)
async def test_forged_token_is_unauthorized_and_reaches_nobody(edge: Edge, name: str) -> None:
    status, outcome = answer(await edge.raw(authorization(f"Bearer {TOKENS[name]()}")))
    assert (status, outcome["failure"]["type"]) == (401, "unauthorized")
    assert edge.back_end.requests == []
    assert edge.last.failure_type == "unauthorized"


SCHEMES: dict[str, Callable[[], list[bytes]]] = {
    "other scheme": lambda: [b"Authorization: Basic " + token().encode()],
    "no space": lambda: [b"Authorization: Bearer" + token().encode()],
    "scheme only": lambda: [b"Authorization: Bearer "],
    "token in a cookie": lambda: [b"Cookie: Authorization=Bearer " + token().encode()],
    "forged one first, proper one second": lambda: [
        b"Authorization: Bearer " + forged().encode(),
        b"Authorization: Bearer " + token().encode(),
    ],
    "proper one first, forged one second": lambda: [
        b"Authorization: Bearer " + token().encode(),
        b"Authorization: Bearer " + forged().encode(),
    ],
    "two in one header": lambda: [
        b"Authorization: Bearer " + token().encode() + b", Bearer " + forged().encode()
    ],
    "header name with an underscore": lambda: [b"X_Authorization: Bearer " + token().encode()],
}


@pytest.mark.parametrize("name", SCHEMES)
async def test_token_that_stands_elsewhere_or_twice_opens_nothing(edge: Edge, name: str) -> None:
    status, outcome = answer(await edge.raw(request(*SCHEMES[name]())))
    assert status in (400, 401)
    assert outcome["failure"]["type"] in ("malformed_request", "unauthorized")
    assert edge.back_end.requests == []


async def test_flood_of_unknown_key_ids_does_not_reach_the_issuer(edge: Edge) -> None:
    await edge.post()
    before = edge.back_end.key_fetches
    for number in range(50):
        status, _ = answer(await edge.raw(authorization(f"Bearer {forged(kid=f'k{number}')}")))
        assert status == 401
    assert edge.back_end.key_fetches - before <= 2


TARGETS = [
    b"/data/views/vendors/v1/../../../exec/operations/files.store/v1",
    b"/data/views/vendors/v1/%2e%2e/%2e%2e/secret",
    b"/data/views/vendors/v1/%252e%252e/secret",
    b"/data/views/vendors/v1/..%2f..%2fsecret",
    b"/data/views/vendors/v1/..%5c..%5csecret",
    b"/data//views/vendors/v1",
    b"/data/./views/vendors/v1",
    b"/data/views/vendors/v1%00.json",
    b"/data/views/vendors/v1%0d%0aHost:%20evil",
    b"/data/views/vendors/v1;a=b/../secret",
    b"/data/views/%c0%ae%c0%ae/secret",
    b"/data/views/%ff/v1",
    b"/data/views/vendors/v1%2",
    b"/data/views/vendors/v1\\..\\secret",
    b"//evil.example/data/views/vendors/v1",
    b"/DATA/VIEWS/../views/vendors/v1",
]


@pytest.mark.parametrize("target", TARGETS)
async def test_target_that_could_be_read_in_two_ways_reaches_nobody(
    edge: Edge, target: bytes
) -> None:
    proof = b"Authorization: Bearer " + token().encode()
    status, outcome = answer(await edge.raw(request(proof, target=target)))
    assert (status, outcome["failure"]["type"]) in [
        (400, "malformed_request"),
        (404, "not_found"),
    ]
    assert edge.back_end.requests == []


BOMBS = {
    "nested quantifiers": '@(Regex.IsMatch(context.Request.Headers.GetValueOrDefault("x",""), '
    '"^(a+)+$").ToString())',
    "alternation": '@(Regex.Replace(context.Request.Headers.GetValueOrDefault("x",""), '
    '"(a|aa)+$", "b"))',
    "endless loop": "@{ while (true) { } return 1; }",
    "doubling": '@{ var s = "aa"; for (;;) { s = s + s; } }',
    "list without end": "@{ var l = new List<int>(); for (;;) { l.Add(1); } }",
}


@pytest.mark.parametrize("name", BOMBS)
async def test_bomb_in_a_policy_fails_its_own_call_and_the_next_one_is_served(
    tmp_path: Path, name: str
) -> None:
    folder = ExtractorFolder(tmp_path / "policies")
    for api, body in (("bomb", BOMBS[name]), ("plain", "served")):
        folder.api(api, path=api)
        policy = folder.path / "apis" / api / "policy.xml"
        policy.write_text(
            "<policies><inbound><return-response><set-body>"
            f"{body}</set-body></return-response></inbound>"
            "<backend /><outbound /><on-error /></policies>"
        )
    app = create_app(
        GatewaySettings(), load_layout(folder.path), lambda _: NoIdentity(), Evidence()
    )
    async with (
        Served(app) as gateway,
        httpx.AsyncClient(base_url=gateway.url, timeout=30) as client,
    ):
        started = time.process_time()
        bomb = client.get("/bomb/items", headers={"x": "a" * 5000 + "!"})
        plain = client.get("/plain/items")
        exploded, served = await asyncio.gather(bomb, plain)
        spent = time.process_time() - started
    assert (exploded.status_code, served.status_code, served.text) == (500, 200, "served")
    assert spent < 10
