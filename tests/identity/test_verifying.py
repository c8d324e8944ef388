"""Good tokens, the clock's skew, what is remembered, and how keys are asked for."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from identity_kit import APP_ID, OBJECT_ID, ROLE, TENANT, Issuer, refusal

from hybridmandate.identity.audiences import flows_audience, gateway_audience, internal_audience
from hybridmandate.identity.principal import TokenRefused
from hybridmandate.identity.signing_keys import KeyPolicy, SigningKeys
from hybridmandate.identity.token_claims import AcceptedTokens


async def test_a_v1_token_gives_its_principal(issuer: Issuer) -> None:
    principal = await issuer.verifier().verify(f"Bearer {issuer.token()}", role=ROLE)
    assert (principal.object_id, principal.app_id) == (OBJECT_ID, APP_ID)
    assert (principal.tenant_id, principal.roles) == (TENANT, {ROLE})
    assert principal.expires_at == issuer.now + 3600


GOOD: list[dict[str, Any]] = [
    {
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "appid": None,
        "azp": APP_ID,
        "ver": "2.0",
    },
    {"idtyp": None},
    {"roles": None},
    {"nbf": int(Issuer({}).now) + 59, "iat": int(Issuer({}).now) + 59},
    {"exp": int(Issuer({}).now) - 59},
]


@pytest.mark.parametrize("changes", GOOD)
async def test_tokens_within_the_rules_are_accepted(
    issuer: Issuer, changes: dict[str, Any]
) -> None:
    principal = await issuer.verifier().verify(f"Bearer {issuer.token(**changes)}")
    assert principal.app_id == APP_ID


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_in_any_case(issuer: Issuer, scheme: str) -> None:
    assert await issuer.verifier().verify(f"{scheme} {issuer.token()}")


async def test_a_remembered_token_ends_when_it_expires(issuer: Issuer) -> None:
    verifier, bearer = issuer.verifier(), f"Bearer {issuer.token()}"
    await verifier.verify(bearer)
    issuer.now += 3600 + 59
    await verifier.verify(bearer)
    issuer.now += 1
    assert (await refusal(verifier, bearer)).reason == "token.expired"


async def test_a_key_that_left_stops_working_within_the_age_of_the_set(issuer: Issuer) -> None:
    verifier, bearer = issuer.verifier(), f"Bearer {issuer.token()}"
    await verifier.verify(bearer)
    issuer.published = ["two"]
    issuer.now += 299
    await verifier.verify(bearer)
    issuer.now += 1
    assert (await refusal(verifier, bearer)).reason == "token.key"


async def test_a_key_id_that_gets_another_key_ends_remembered_tokens(issuer: Issuer) -> None:
    verifier, bearer = issuer.verifier(), f"Bearer {issuer.token()}"
    await verifier.verify(bearer)
    issuer.keys = {"one": issuer.keys["two"], "two": issuer.keys["one"]}
    issuer.now += 300
    assert (await refusal(verifier, bearer)).reason == "token.signature"


async def test_a_new_key_is_found_at_once(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    await verifier.verify(f"Bearer {issuer.token()}")
    issuer.published = ["one", "two"]
    issuer.now += 10
    await verifier.verify(f"Bearer {issuer.token(key='two', header={'kid': 'two'})}")
    assert issuer.fetches == 2


async def test_random_key_ids_cause_one_fetch_an_interval(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    for second in range(100):
        issuer.now += 1
        for number in range(5):
            text = issuer.token(header={"kid": f"random-{second}-{number}"})
            assert (await refusal(verifier, f"Bearer {text}")).reason == "token.key"
    assert issuer.fetches == 10


async def test_one_unknown_key_id_is_not_asked_for_again_soon(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    bearer = f"Bearer {issuer.token(header={'kid': 'nobody'})}"
    for _ in range(6):
        await refusal(verifier, bearer)
        issuer.now += 10
    assert issuer.fetches == 1
    await refusal(verifier, bearer)
    assert issuer.fetches == 2


async def test_all_who_wait_share_one_fetch(issuer: Issuer) -> None:
    issuer.gate = asyncio.Event()
    verifier = issuer.verifier()
    waiting = [
        asyncio.create_task(verifier.verify(f"Bearer {issuer.token(uti=number)}"))
        for number in range(50)
    ]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    issuer.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert not [each for each in results[1:] if isinstance(each, BaseException)]
    assert issuer.fetches == 1


async def test_known_keys_are_believed_for_a_while_when_the_issuer_is_down(
    issuer: Issuer,
) -> None:
    verifier = issuer.verifier()
    bearer = f"Bearer {issuer.token(exp=int(issuer.now) + 86400)}"
    await verifier.verify(bearer)
    issuer.down = True
    issuer.now += 3599
    await verifier.verify(bearer)
    issuer.now += 1
    assert (await refusal(verifier, bearer)).reason == "token.keys_unavailable"
    issuer.down = False
    issuer.now += 10
    assert await verifier.verify(bearer)


async def test_an_issuer_that_is_down_is_not_hammered(issuer: Issuer) -> None:
    issuer.down = True
    verifier, bearer = issuer.verifier(), f"Bearer {issuer.token()}"
    for _ in range(100):
        assert (await refusal(verifier, bearer)).reason == "token.keys_unavailable"
        issuer.now += 0.1
    assert issuer.fetches == 1


WEAK: list[dict[str, Any]] = [
    {},
    {"keys": "none"},
    {"keys": [{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}]},
    {"keys": [{"kty": "RSA", "kid": "one", "use": "enc", "n": "AQAB", "e": "AQAB"}]},
    {"keys": [{"kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB"}]},
    {"keys": [{"kty": "RSA", "kid": "one", "n": 5, "e": None}]},
    {"keys": [None, 7]},
]


@pytest.mark.parametrize("document", WEAK)
async def test_a_key_set_without_a_usable_key_is_no_key_set(
    issuer: Issuer, document: dict[str, Any]
) -> None:
    async def fetch() -> dict[str, Any]:
        return document

    keys = SigningKeys(fetch, issuer.clock)
    assert not keys.fresh()
    assert (await refusal_of_find(keys)) == "token.keys_unavailable"


async def refusal_of_find(keys: SigningKeys) -> str:
    with pytest.raises(TokenRefused) as refused:
        await keys.find("one")
    return refused.value.reason


async def test_what_is_remembered_is_bounded(issuer: Issuer) -> None:
    verifier = issuer.verifier(remembered=3)
    texts = [f"Bearer {issuer.token(uti=number)}" for number in range(10)]
    for text in texts:
        await verifier.verify(text)
    assert len(verifier._verification._remembered) == 3


async def test_a_remembered_token_is_verified_in_microseconds(issuer: Issuer) -> None:
    verifier, bearer = issuer.verifier(), f"Bearer {issuer.token()}"
    await verifier.verify(bearer)
    started = time.perf_counter()
    for _ in range(2000):
        await verifier.verify(bearer, role=ROLE)
    assert (time.perf_counter() - started) / 2000 < 100e-6


def test_settings_that_accept_anything_are_refused() -> None:
    for issuers, audiences in (((), ("a",)), (("i",), ())):
        with pytest.raises(ValueError, match="needs"):
            AcceptedTokens(TENANT, frozenset(issuers), frozenset(audiences))
    with pytest.raises(ValueError, match="skew"):
        AcceptedTokens(TENANT, frozenset({"i"}), frozenset({"a"}), skew_seconds=301)
    with pytest.raises(ValueError, match="min_interval"):
        KeyPolicy(min_interval=0)


def test_each_door_of_each_environment_has_its_audience() -> None:
    found = {
        function(solution, environment)
        for function in (gateway_audience, internal_audience, flows_audience)
        for solution in ("vendor-invoices", "other")
        for environment in ("dev", "prod")
    }
    assert len(found) == 12
    assert gateway_audience("vendor-invoices", "local") == "api://vendor-invoices/local"
