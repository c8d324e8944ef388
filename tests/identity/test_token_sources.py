"""One's own tokens: cached, renewed in time, asked for once, and failures told apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from identity_kit import START

from hybridmandate.identity.client_certificate import CertificateFiles, CertificateTokens
from hybridmandate.identity.jwks_http import HttpJwks
from hybridmandate.identity.managed_identity import ManagedIdentityTokens
from hybridmandate.identity.principal import TokenUnavailable
from hybridmandate.identity.signing_keys import KeysUnavailable

RESOURCE = "api://vendor-invoices/local"


class Endpoint:
    """An App Service endpoint whose answers the test chooses."""

    def __init__(self) -> None:
        self.now = START
        self.asked: list[httpx.Request] = []
        self.life = 3600.0
        self.answer: Callable[[httpx.Request], httpx.Response] | None = None
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._serve))
        self.tokens = ManagedIdentityTokens(
            "http://127.0.0.1/msi/token", "secret", "client", http=self.http, clock=self.clock
        )

    def clock(self) -> float:
        return self.now

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        await asyncio.sleep(0)
        if self.answer is not None:
            return self.answer(request)
        body = {"access_token": f"t{len(self.asked)}", "expires_on": str(int(self.now + self.life))}
        return httpx.Response(200, json=body)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


async def test_the_request_is_that_of_app_service(endpoint: Endpoint) -> None:
    await endpoint.tokens.token(RESOURCE)
    (request,) = endpoint.asked
    assert dict(request.url.params) == {
        "api-version": "2019-08-01",
        "resource": RESOURCE,
        "client_id": "client",
    }
    assert request.headers["x-identity-header"] == "secret"


async def test_a_token_is_kept_until_shortly_before_it_ends(endpoint: Endpoint) -> None:
    assert await endpoint.tokens.token(RESOURCE) == "t1"
    endpoint.now += 3299
    assert await endpoint.tokens.token(RESOURCE) == "t1"
    endpoint.now += 1
    assert await endpoint.tokens.token(RESOURCE) == "t2"


async def test_resources_have_their_own_tokens(endpoint: Endpoint) -> None:
    assert await endpoint.tokens.token(RESOURCE) != await endpoint.tokens.token("api://other")


async def test_many_who_ask_at_once_cause_one_request(endpoint: Endpoint) -> None:
    found = await asyncio.gather(*(endpoint.tokens.token(RESOURCE) for _ in range(50)))
    assert set(found) == {"t1"}
    assert len(endpoint.asked) == 1


async def test_a_good_token_is_used_up_while_renewal_fails(endpoint: Endpoint) -> None:
    await endpoint.tokens.token(RESOURCE)
    endpoint.answer = lambda _: httpx.Response(503)
    endpoint.now += 3599
    assert await endpoint.tokens.token(RESOURCE) == "t1"
    endpoint.now += 1
    with pytest.raises(TokenUnavailable):
        await endpoint.tokens.token(RESOURCE)


async def test_a_refused_identity_does_not_use_up_its_token(endpoint: Endpoint) -> None:
    await endpoint.tokens.token(RESOURCE)
    endpoint.answer = lambda _: httpx.Response(400, json={"message": "disabled"})
    endpoint.now += 3300
    with pytest.raises(TokenUnavailable, match="disabled"):
        await endpoint.tokens.token(RESOURCE)


async def test_a_failure_is_not_remembered(endpoint: Endpoint) -> None:
    endpoint.answer = lambda _: httpx.Response(500)
    with pytest.raises(TokenUnavailable):
        await endpoint.tokens.token(RESOURCE)
    endpoint.answer = None
    assert await endpoint.tokens.token(RESOURCE) == "t2"


def _unreachable(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route")


FAILURES: list[tuple[Callable[[httpx.Request], httpx.Response], bool]] = [
    (_unreachable, True),
    (lambda _: httpx.Response(503, text="<html>"), True),
    (lambda _: httpx.Response(429), True),
    (lambda _: httpx.Response(404), True),
    (lambda _: httpx.Response(400, json={"message": "bad"}), False),
    (lambda _: httpx.Response(401, json={"error": "invalid_client"}), False),
    (lambda _: httpx.Response(200, text="<html>"), False),
    (lambda _: httpx.Response(200, json=[]), False),
    (lambda _: httpx.Response(200, json={"access_token": 5, "expires_on": "1"}), False),
    (lambda _: httpx.Response(200, json={"access_token": "x", "expires_on": "soon"}), False),
]


@pytest.mark.parametrize(("answer", "transient"), FAILURES)
async def test_a_failure_says_whether_later_can_help(
    endpoint: Endpoint, answer: Callable[[httpx.Request], httpx.Response], transient: bool
) -> None:
    endpoint.answer = answer
    with pytest.raises(TokenUnavailable) as failed:
        await endpoint.tokens.token(RESOURCE)
    assert failed.value.transient is transient


@pytest.mark.parametrize("content", [None, "no key", "-----BEGIN CERTIFICATE-----\n"])
async def test_a_certificate_that_cannot_be_read_is_no_token(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "flow.pem"
    if content is not None:
        path.write_text(content)
    async with httpx.AsyncClient() as http:
        tokens = CertificateTokens(
            "https://localhost/token",
            "client",
            CertificateFiles(path, path),
            http=http,
            clock=lambda: START,
        )
        with pytest.raises(TokenUnavailable) as failed:
            await tokens.token(RESOURCE)
    assert not failed.value.transient


BAD_SETS: list[Callable[[httpx.Request], httpx.Response]] = [
    _unreachable,
    lambda _: httpx.Response(500),
    lambda _: httpx.Response(302, headers={"location": "https://evil.example"}),
    lambda _: httpx.Response(200, text="<html>"),
    lambda _: httpx.Response(200, text='{"keys":[],"keys":[]}'),
    lambda _: httpx.Response(200, content=json.dumps({"keys": ["x" * 300_000]})),
]


@pytest.mark.parametrize("answer", BAD_SETS)
async def test_a_key_set_that_cannot_be_had_says_so(
    answer: Callable[[httpx.Request], httpx.Response],
) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        with pytest.raises(KeysUnavailable):
            await HttpJwks("https://localhost/keys", http=http)()
