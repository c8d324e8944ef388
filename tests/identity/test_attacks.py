"""What must not open the door, each with its reason; and nothing ever raises anything else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identity_kit import ROLE, START, TENANT, Issuer, b64, jwk, refusal

from hybridmandate.identity.principal import TokenRefused

Forge = Callable[[Issuer], str]


def _public(issuer: Issuer, encoding: Encoding, form: PublicFormat) -> bytes:
    return issuer.keys["one"].public_key().public_bytes(encoding, form)


def _duplicate(issuer: Issuer, name: str, first: str) -> str:
    payload = json.dumps(issuer.claims())
    return f'{{"{name}":{first},{payload[1:]}'


def _flip_signature(issuer: Issuer) -> str:
    signed, _, signature = issuer.token().rpartition(".")
    content = bytearray(base64.urlsafe_b64decode(signature + "=="))
    content[10] ^= 1
    return f"{signed}.{b64(bytes(content))}"


def _other_payload(issuer: Issuer) -> str:
    header, _, signature = issuer.token().split(".")
    payload = b64(json.dumps(issuer.claims(roles=["Everything"])).encode())
    return f"{header}.{payload}.{signature}"


def _x5c(issuer: Issuer) -> list[str]:
    der = _public(issuer, Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [base64.b64encode(der).decode()]


SIGNATURE: list[tuple[str, Forge, str]] = [
    ("no algorithm", lambda i: i.unsigned(), "token.algorithm"),
    ("no algorithm, other case", lambda i: i.unsigned("NoNe"), "token.algorithm"),
    (
        "HMAC with the public key in PEM",
        lambda i: i.hmac_signed(_public(i, Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
        "token.algorithm",
    ),
    (
        "HMAC with the public key in DER",
        lambda i: i.hmac_signed(_public(i, Encoding.DER, PublicFormat.PKCS1)),
        "token.algorithm",
    ),
    ("RS384", lambda i: i.token(header={"alg": "RS384"}), "token.algorithm"),
    ("PS256", lambda i: i.token(header={"alg": "PS256"}), "token.algorithm"),
    ("algorithm as a list", lambda i: i.token(header={"alg": ["RS256"]}), "token.algorithm"),
    ("algorithm missing", lambda i: i.token(header={"alg": None}), "token.algorithm"),
    ("RS256 without signature", lambda i: i.unsigned("RS256"), "token.signature"),
    ("signature changed", _flip_signature, "token.signature"),
    ("payload changed", _other_payload, "token.signature"),
    ("kid of another key", lambda i: i.token(key="two"), "token.signature"),
    (
        "key that is not published",
        lambda i: i.token(key="two", header={"kid": "two"}),
        "token.key",
    ),
    ("kid missing", lambda i: i.token(header={"kid": None}), "token.key"),
    ("kid empty", lambda i: i.token(header={"kid": ""}), "token.key"),
    ("kid a path", lambda i: i.token(header={"kid": "../../dev/null"}), "token.key"),
    ("kid a number", lambda i: i.token(header={"kid": 1}), "token.key"),
    ("kid too long", lambda i: i.token(header={"kid": "k" * 300}), "token.key"),
    ("kid with a lone surrogate", lambda i: i.token(header={"kid": "\ud800"}), "token.key"),
]
HEADER: list[tuple[str, Forge, str]] = [
    (
        "own key in jwk",
        lambda i: i.token(key="two", header={"jwk": jwk(i.keys["two"], "one")}),
        "token.header",
    ),
    ("jku", lambda i: i.token(header={"jku": "https://evil.example/keys"}), "token.header"),
    ("x5u", lambda i: i.token(header={"x5u": "https://evil.example/c"}), "token.header"),
    ("x5c", lambda i: i.token(header={"x5c": _x5c(i)}), "token.header"),
    ("crit", lambda i: i.token(header={"crit": ["exp"]}), "token.header"),
    ("b64=false", lambda i: i.token(header={"b64": False, "crit": ["b64"]}), "token.header"),
    ("b64 without crit", lambda i: i.token(header={"b64": False}), "token.header"),
    ("nested token", lambda i: i.token(header={"cty": "JWT"}), "token.header"),
    ("compressed", lambda i: i.token(header={"zip": "DEF"}), "token.header"),
    ("another type", lambda i: i.token(header={"typ": "dpop+jwt"}), "token.header"),
    ("type as a number", lambda i: i.token(header={"typ": 1}), "token.header"),
]
STRUCTURE: list[tuple[str, Forge, str]] = [
    ("garbage", lambda _: "garbage", "token.malformed"),
    ("two parts", lambda i: i.token().rpartition(".")[0], "token.malformed"),
    ("five parts (JWE)", lambda _: "e30.e30.e30.e30.e30", "token.malformed"),
    ("empty parts", lambda _: "..", "token.malformed"),
    ("padding", lambda i: i.token() + "==", "token.malformed"),
    ("unicode", lambda i: i.token() + "é", "token.malformed"),
    ("look-alike dot", lambda i: i.token().replace(".", "․"), "token.malformed"),
    ("newline at the end", lambda i: i.token() + "\n", "token.malformed"),
    ("null byte", lambda i: i.token() + "\x00", "token.malformed"),
    ("lone surrogate", lambda i: i.token() + "\ud800", "token.malformed"),
    ("two tokens", lambda i: f"{i.token()} {i.token()}", "token.malformed"),
    ("two schemes", lambda i: f"{i.token()}, Bearer {i.token()}", "token.malformed"),
    ("oversized", lambda i: i.token(filler="x" * 20_000), "token.oversized"),
    ("JSON serialization", lambda _: '{"payload":"e30","signatures":[]}', "token.malformed"),
    ("header a list", lambda i: i.raw(b"[]", b"{}"), "token.malformed"),
    ("header not UTF-8", lambda i: i.raw(b"\xff\xfe", b"{}"), "token.malformed"),
    (
        "alg twice",
        lambda i: i.raw(b'{"alg":"none","alg":"RS256","kid":"one"}', b"{}"),
        "token.malformed",
    ),
    (
        "claim twice",
        lambda i: i.raw(
            json.dumps(i.header()).encode(), _duplicate(i, "aud", '"api://other"').encode()
        ),
        "token.malformed",
    ),
    (
        "claim twice inside another",
        lambda i: i.raw(
            json.dumps(i.header()).encode(), _duplicate(i, "x", '{"a":1,"a":2}').encode()
        ),
        "token.malformed",
    ),
    (
        "claims a text",
        lambda i: i.raw(json.dumps(i.header()).encode(), b'"claims"'),
        "token.malformed",
    ),
    (
        "NaN as a time",
        lambda i: i.token(exp=float("nan")),
        "token.malformed",
    ),
    (
        "nested too deeply",
        lambda i: i.raw(json.dumps(i.header()).encode(), b'{"a":' * 1500 + b"1" + b"}" * 1500),
        "token.malformed",
    ),
    (
        "a number of 5,000 digits",
        lambda i: i.raw(json.dumps(i.header()).encode(), _duplicate(i, "x", "9" * 5000).encode()),
        "token.malformed",
    ),
]
CLAIMS: list[tuple[str, dict[str, Any], str, int]] = [
    ("another issuer", {"iss": "https://evil.example/"}, "token.issuer", 401),
    ("issuer of another tenant", {"iss": "https://sts.windows.net/x/"}, "token.issuer", 401),
    ("issuer without slash", {"iss": f"https://sts.windows.net/{TENANT}"}, "token.issuer", 401),
    ("issuer a list", {"iss": [f"https://sts.windows.net/{TENANT}/"]}, "token.issuer", 401),
    ("issuer missing", {"iss": None}, "token.issuer", 401),
    ("another tenant", {"tid": "00000000-0000-0000-0000-000000000000"}, "token.tenant", 401),
    ("another audience", {"aud": "api://vendor-invoices-internal/local"}, "token.audience", 401),
    ("audience with a slash", {"aud": "api://vendor-invoices/local/"}, "token.audience", 401),
    ("audiences", {"aud": ["api://vendor-invoices/local"]}, "token.audience", 401),
    ("audience missing", {"aud": None}, "token.audience", 401),
    ("expired", {"exp": int(START) - 60}, "token.expired", 401),
    ("expiry missing", {"exp": None}, "token.claims", 401),
    ("expiry a text", {"exp": "4000000000"}, "token.claims", 401),
    ("expiry true", {"exp": True}, "token.claims", 401),
    ("expiry huge", {"exp": 10**400}, "token.claims", 401),
    ("not yet valid", {"nbf": int(START) + 61}, "token.not_yet_valid", 401),
    ("from the future", {"iat": int(START) + 61}, "token.not_yet_valid", 401),
    ("start missing", {"nbf": None}, "token.claims", 401),
    ("delegated", {"scp": "user_impersonation"}, "token.human", 403),
    ("delegated, empty scope", {"scp": ""}, "token.human", 403),
    ("a user", {"idtyp": "user"}, "token.human", 403),
    ("a person's subject", {"sub": "pairwise", "idtyp": None}, "token.human", 403),
    ("no principal", {"oid": None, "sub": None}, "token.claims", 401),
    ("no application", {"appid": None}, "token.claims", 401),
    ("two applications", {"azp": "another"}, "token.claims", 401),
    ("application a number", {"appid": 7}, "token.claims", 401),
    ("roles a text", {"roles": ROLE}, "token.claims", 401),
    ("roles of numbers", {"roles": [1]}, "token.claims", 401),
]
SCHEMES: list[tuple[str | None, str]] = [
    (None, "token.missing"),
    ("", "token.missing"),
    ("   ", "token.missing"),
    ("Bearer", "token.missing"),
    ("Bearer ", "token.missing"),
    ("Basic dXNlcjpwYXNz", "token.scheme"),
    ("Bearer\te30.e30.e30", "token.scheme"),
    ("Basic x, Bearer e30.e30.e30", "token.scheme"),
    ("Bearer " + "x" * 16_385, "token.oversized"),
]


@pytest.mark.parametrize(
    ("forge", "reason"),
    [pytest.param(f, r, id=name) for name, f, r in SIGNATURE + HEADER + STRUCTURE],
)
async def test_a_forged_token_is_refused(issuer: Issuer, forge: Forge, reason: str) -> None:
    refused = await refusal(issuer.verifier(), f"Bearer {forge(issuer)}")
    assert (refused.reason, refused.status) == (reason, 401)


@pytest.mark.parametrize(
    ("changes", "reason", "status"), [pytest.param(c, r, s, id=n) for n, c, r, s in CLAIMS]
)
async def test_wrong_claims_are_refused(
    issuer: Issuer, changes: dict[str, Any], reason: str, status: int
) -> None:
    refused = await refusal(issuer.verifier(), f"Bearer {issuer.token(**changes)}")
    assert (refused.reason, refused.status) == (reason, status)


@pytest.mark.parametrize(("header", "reason"), SCHEMES)
async def test_a_header_without_one_bearer_token_is_refused(
    issuer: Issuer, header: str | None, reason: str
) -> None:
    refused = await refusal(issuer.verifier(), header)
    assert (refused.reason, refused.status) == (reason, 401)
    assert issuer.fetches <= 1


async def test_a_missing_role_is_refused_with_403(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    bearer = f"Bearer {issuer.token(roles=['Files.Read'])}"
    for _ in range(2):
        refused = await refusal(verifier, bearer, role=ROLE)
        assert (refused.reason, refused.status) == ("token.role", 403)
    assert (await verifier.verify(bearer)).roles == {"Files.Read"}


async def test_a_message_never_repeats_the_token(issuer: Issuer) -> None:
    for name, forge, _ in SIGNATURE + HEADER + STRUCTURE:
        text = forge(issuer)
        refused = await refusal(issuer.verifier(), f"Bearer {text}")
        assert text not in refused.message, name


async def _only_refuses(issuer: Issuer, header: str) -> None:
    with pytest.raises(TokenRefused):
        await issuer.verifier().verify(header)


_FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_HEADER_NAMES = st.sampled_from(["alg", "typ", "kid", "jwk", "crit", "b64", "x5c", "other"])
_CLAIM_NAMES = ("iss", "aud", "tid", "exp", "nbf", "oid", "appid")


@_FUZZ
@given(text=st.text(st.characters(), max_size=300))
async def test_any_header_text_is_refused_and_nothing_else(issuer: Issuer, text: str) -> None:
    await _only_refuses(issuer, text)
    await _only_refuses(issuer, f"Bearer {text}")


@_FUZZ
@given(parts=st.lists(st.binary(max_size=80), min_size=1, max_size=6))
async def test_any_segments_are_refused_and_nothing_else(
    issuer: Issuer, parts: list[bytes]
) -> None:
    await _only_refuses(issuer, "Bearer " + ".".join(map(b64, parts)))


@_FUZZ
@given(header=st.dictionaries(_HEADER_NAMES, _JSON, max_size=5))
async def test_any_header_object_is_refused_and_nothing_else(
    issuer: Issuer, header: dict[str, Any]
) -> None:
    content = json.dumps({"kid": "two"} | header).encode()
    await _only_refuses(issuer, f"Bearer {issuer.raw(content, b'{}')}")


@_FUZZ
@given(name=st.sampled_from(_CLAIM_NAMES), value=_JSON)
async def test_any_wrong_value_of_a_claim_is_refused_and_nothing_else(
    issuer: Issuer, name: str, value: Any
) -> None:
    claims = issuer.claims() | {name: value}
    text = issuer.raw(json.dumps(issuer.header()).encode(), json.dumps(claims).encode())
    try:
        principal = await issuer.verifier().verify(f"Bearer {text}")
    except TokenRefused:
        return
    # What may be accepted: a time that is still right, or a text that is another application's id.
    assert name in ("exp", "nbf", "appid")
    assert principal.claims[name] == value


@_FUZZ
@given(position=st.integers(0, 10_000), character=st.sampled_from("AZaz09-_."))
async def test_one_changed_character_is_refused(
    issuer: Issuer, position: int, character: str
) -> None:
    text = issuer.token()
    # The last character of an RS256 signature has bits that do not count; it is left alone.
    place = position % (len(text) - 1)
    if text[place] == character:
        return
    await _only_refuses(issuer, f"Bearer {text[:place]}{character}{text[place + 1 :]}")
