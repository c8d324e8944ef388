"""A token that was accepted passes again by its text, and only while nothing has changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from policy_bench import NOW, Bench

from hybridmandate.governance.gateway.json_web_token import CompactToken
from hybridmandate.governance.gateway.verified_tokens import Acceptance, VerifiedTokens

ISSUER = "https://issuer.example"
POLICY = """
<validate-jwt header-name="Authorization" require-scheme="Bearer" clock-skew="{skew}">
  <openid-config url="https://issuer.example/openid" />
  <audiences><audience>{audience}</audience></audiences>
</validate-jwt>
<set-header name="x-passed" exists-action="override"><value>yes</value></set-header>
"""


class Issuer:
    """Publishes the public half of its one key."""

    def __init__(self) -> None:
        self.rotate("first")

    def rotate(self, kid: str) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": kid})

    def answers(self) -> dict[str, Any]:
        return {
            "/openid": (200, {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}),
            "/keys": (200, {"keys": [self.key.as_dict(private=False)]}),
        }

    def token(self, **claims: Any) -> str:
        kid = self.key.kid
        assert kid is not None
        all_claims = {"iss": ISSUER, "aud": "api", "oid": "p-1", "exp": NOW + 100, **claims}
        return "Bearer " + jwt.encode({"alg": "RS256", "kid": kid}, all_claims, self.key)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


def bench(issuer: Issuer, audience: str = "api", skew: int = 0) -> Bench:
    return Bench(POLICY.format(audience=audience, skew=skew), answers=issuer.answers())


async def statuses(bench: Bench, token: str, *times: float) -> list[int]:
    found = []
    for each in times:
        bench.now = each
        found.append((await bench.call(Authorization=token)).response.status)
    return found


async def test_accepted_token_is_not_verified_again(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = bench(issuer)
    first = await own.call(Authorization=issuer.token())
    token = first.request.headers.get("authorization")
    assert token is not None
    monkeypatch.setattr(VerifiedTokens, "digest", _fail)
    again = await own.call(Authorization=token)
    assert again.response.status == first.response.status == 200
    assert again.principal == first.principal == "p-1"


def _fail(raw: str) -> bytes:
    raise AssertionError("the token is looked at again")


@pytest.mark.parametrize("skew", [0, 30])
async def test_accepted_token_ends_with_its_time(issuer: Issuer, skew: int) -> None:
    own, end = bench(issuer, skew=skew), NOW + 100 + skew
    token = issuer.token(nbf=NOW)
    assert await statuses(own, token, NOW, end - 0.5, end, NOW) == [200, 200, 401, 200]
    assert await statuses(own, token, NOW - skew - 0.5, NOW - skew) == [401, 200]


async def test_accepted_token_is_refused_when_its_key_is_gone() -> None:
    issuer = Issuer()
    own, token = bench(issuer), issuer.token(exp=NOW + 100_000)
    assert await statuses(own, token, NOW, NOW + 10) == [200, 200]
    issuer.rotate("second")
    own.wire.answers = issuer.answers()
    assert await statuses(own, token, NOW + 3599, NOW + 3601, NOW + 3602) == [200, 401, 401]
    assert await statuses(own, issuer.token(exp=NOW + 100_000), NOW + 3603) == [200]


async def test_acceptance_by_one_policy_is_none_by_another(issuer: Issuer) -> None:
    first, second = bench(issuer), bench(issuer, audience="other")
    second.services = first.services
    token = issuer.token()
    assert await statuses(first, token, NOW) == [200]
    assert await statuses(second, token, NOW) == [401]
    assert await statuses(first, token, NOW) == [200]


async def test_token_with_another_end_is_another_token(issuer: Issuer) -> None:
    own, token = bench(issuer), issuer.token()
    assert await statuses(own, token, NOW) == [200]
    head, claims, signature = token.split(".")
    swapped = issuer.token(oid="p-2").split(".")
    assert await statuses(own, f"{head}.{swapped[1]}.{signature}", NOW) == [401]
    assert await statuses(own, f"{head}.{claims}.{swapped[2]}", NOW) == [401]
    assert await statuses(own, token.removeprefix("Bearer "), NOW) == [401]


async def test_demands_that_vary_are_judged_at_each_call(issuer: Issuer) -> None:
    audience = '@(context.Request.Headers.GetValueOrDefault("x-audience", "api"))'
    own, token = bench(issuer, audience=audience), issuer.token()
    assert await statuses(own, token, NOW) == [200]
    refused = await own.call(Authorization=token, x_audience="other")
    assert refused.response.status == 401
    assert json.loads(refused.response.body.content or b"")["statusCode"] == 401


def test_memory_of_accepted_tokens_is_bounded() -> None:
    memory, demands = VerifiedTokens(capacity=3), object()
    found = Acceptance(CompactToken("t", {}, {}, b""), 0.0, 1.0, {})
    for number in range(4):
        memory.accept(demands, f"token {number}", found)
        memory.accepted(demands, "token 0")
    kept = [number for number in range(4) if memory.accepted(demands, f"token {number}")]
    assert kept == [0, 2, 3]


def test_memory_of_long_tokens_is_bounded_by_their_text() -> None:
    memory, demands = VerifiedTokens(capacity=100, characters=1000), object()
    for number in range(4):
        text = f"{number}" * 400
        token = CompactToken(text, {}, {}, b"")
        memory.keep(memory.digest(text), demands, token)
        memory.keep(memory.digest(text), demands, token)
        memory.accept(demands, text, Acceptance(token, 0.0, 1.0, {}))
    texts = [f"{number}" * 400 for number in range(4)]
    accepted = [number for number in range(4) if memory.accepted(demands, texts[number])]
    verified = [number for number in range(4) if memory.find(memory.digest(texts[number]))]
    assert accepted == verified == [2, 3]
