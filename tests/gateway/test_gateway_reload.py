"""A changed policy set is served from the next call on; a bad one changes nothing and is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from extractor_folder import NoIdentity
from gateway_edge import Evidence

from hybridmandate.governance.gateway.backends import Backends
from hybridmandate.governance.gateway.configuration import BackendEntry, Configuration
from hybridmandate.governance.gateway.conformance import Served
from hybridmandate.governance.gateway.conformance_fixture import configuration_of
from hybridmandate.governance.gateway.server import GatewayApp, create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.identity.principal import TokenSource


def answering(inbound: str) -> Configuration:
    return configuration_of(
        {
            "policy": f"<policies><inbound>\n{inbound}</inbound><backend/><outbound/>"
            "<on-error/></policies>"
        }
    )


def saying(word: str) -> Configuration:
    return answering(f"<return-response><set-body>{word}</set-body></return-response>")


@pytest.fixture
async def running() -> AsyncIterator[tuple[GatewayApp, Evidence, Any]]:
    evidence = Evidence()

    def identity(client_id: str | None) -> TokenSource:
        return NoIdentity()

    app = create_app(GatewaySettings(), saying("old"), identity, evidence)
    async with Served(app) as served, aiohttp.ClientSession() as client:

        async def ask() -> str:
            async with client.get(served.url + "/api/x") as answer:
                return await answer.text()

        yield app, evidence, ask


async def test_new_policies_serve_the_next_call(
    running: tuple[GatewayApp, Evidence, Any],
) -> None:
    app, evidence, ask = running
    assert await ask() == "old"
    assert app.reload(saying("new")) is None
    assert await ask() == "new"
    assert [each.kind for each in evidence.records if each.kind.startswith("policy.")] == [
        "policy.reloaded"
    ]


async def test_bad_policies_keep_the_old_ones_and_say_why(
    running: tuple[GatewayApp, Evidence, Any],
) -> None:
    app, evidence, ask = running
    error = app.reload(answering("<no-such-policy/>"))
    assert error is not None
    assert (error.file, error.line, error.column) == ("api.xml", 2, 1)
    assert await ask() == "old"
    [told] = [each for each in evidence.records if each.kind == "policy.reload-refused"]
    assert told.subject == "api.xml"
    assert told.detail["line"] == 2
    assert "no policy <no-such-policy>" in told.detail["reason"]
    assert app.reload(saying("new")) is None
    assert await ask() == "new"


async def test_limits_go_on_counting_over_a_reload(
    running: tuple[GatewayApp, Evidence, Any],
) -> None:
    app, _, ask = running
    limit = "<rate-limit-by-key calls='1' renewal-period='60' counter-key='k'/>"
    answer = "<return-response><set-body>in</set-body></return-response>"
    app.reload(answering(limit + answer))
    assert await ask() == "in"
    app.reload(answering(limit + answer))
    assert "Rate limit is exceeded" in await ask()


def test_open_circuit_of_an_unchanged_back_end_stays_open() -> None:
    def entry(url: str) -> BackendEntry:
        return BackendEntry(
            "b",
            url,
            breaker_failures=1,
            breaker_interval=10,
            breaker_duration=30,
            breaker_statuses=((500, 599),),
        )

    old = Backends({"b": entry("http://one")}, lambda: 0.0)
    old.report("b", 500)
    with pytest.raises(Exception, match="circuit of back end 'b' is open"):
        old.renewed({"b": entry("http://one")}).pick("b")
    assert old.renewed({"b": entry("http://two")}).pick("b")[0].url == "http://two"
