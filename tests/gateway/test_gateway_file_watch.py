"""A gateway follows its policy files; a bad file changes nothing but is told at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from extractor_folder import ExtractorFolder, NoIdentity
from gateway_edge import Evidence

from hybridmandate.governance.gateway.configuration import Configuration
from hybridmandate.governance.gateway.conformance import Served
from hybridmandate.governance.gateway.file_watch import WatchedGateway
from hybridmandate.governance.gateway.layout import load_layout
from hybridmandate.governance.gateway.server import create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.governance.gateway.while_serving import WhileServing


class Watched:
    """A served folder whose files change."""

    def __init__(self, folder: ExtractorFolder, client: httpx.AsyncClient) -> None:
        self.policy = folder.path / "apis" / "orders" / "policy.xml"
        self.said: list[str] = []
        self.evidence = Evidence()
        self._client = client

    async def ask(self) -> str:
        return (await self._client.get("/orders/items")).text

    async def says(self, text: str) -> str:
        """The first new line with a text. :raises TimeoutError: when none comes."""
        async with asyncio.timeout(20):
            while True:
                found = [line for line in self.said if text in line]
                if found:
                    self.said.remove(found[0])
                    return found[0]
                await asyncio.sleep(0.02)

    def replace(self, old: str, new: str) -> None:
        self.policy.write_text(self.policy.read_text().replace(old, new))


@pytest.fixture(name="watched")
async def _watched(tmp_path: Path) -> AsyncIterator[Watched]:
    folder = ExtractorFolder(tmp_path / "policies")
    folder.api("orders")

    def load() -> Configuration:
        return load_layout(folder.path)

    async with httpx.AsyncClient() as client:
        watched = Watched(folder, client)
        app = create_app(GatewaySettings(), load(), lambda _: NoIdentity(), watched.evidence)
        following = WatchedGateway(app, [folder.path], load, watched.said.append)
        async with Served(WhileServing(app, [following.watch])) as gateway:
            client.base_url = httpx.URL(gateway.url)
            await asyncio.sleep(0.3)
            yield watched


async def test_a_change_is_served_without_a_restart(watched: Watched) -> None:
    assert await watched.ask() == "orders"
    watched.replace(">orders<", ">changed<")
    assert await watched.says("reloaded") == "policies reloaded: 1 APIs"
    assert await watched.ask() == "changed"


async def test_a_bad_file_keeps_the_old_policies_and_says_where_and_why(watched: Watched) -> None:
    watched.replace("<base />", "<no-such-policy />")
    line = await watched.says("the earlier ones stay")
    assert f"{watched.policy}:1:20: there is no policy <no-such-policy>" in line
    assert await watched.ask() == "orders"
    [told] = [e for e in watched.evidence.records if e.kind == "policy.reload-refused"]
    assert told.subject == str(watched.policy)
    watched.replace("<no-such-policy />", "<base />")
    await watched.says("policies reloaded")


async def test_a_file_that_cannot_be_read_keeps_the_old_policies(watched: Watched) -> None:
    information = watched.policy.parent / "apiInformation.json"
    information.write_text("{")
    assert "apiInformation.json:1:2" in await watched.says("the earlier ones stay")
    assert await watched.ask() == "orders"


async def test_a_file_in_another_encoding_is_told_and_the_next_change_is_followed(
    watched: Watched,
) -> None:
    information = watched.policy.parent / "apiInformation.json"
    good = information.read_bytes()
    information.write_bytes(b'{"properties": "\xff"}')
    assert "can't decode" in await watched.says("the earlier ones stay")
    [told] = [e for e in watched.evidence.records if e.kind == "policy.reload-refused"]
    assert "can't decode" in told.detail["reason"]
    information.write_bytes(good)
    await watched.says("policies reloaded")


async def test_no_call_fails_while_policies_change(watched: Watched) -> None:
    answers: set[str] = set()

    async def keep_asking() -> None:
        while True:
            answers.add(await watched.ask())

    asking = asyncio.create_task(keep_asking())
    for number in range(3):
        watched.policy.write_text(
            "<policies><inbound><return-response>"
            f"<set-body>set {number}</set-body></return-response></inbound>"
            "<backend /><outbound /><on-error /></policies>"
        )
        await watched.says("policies reloaded")
    await watched.ask()
    asking.cancel()
    assert answers <= {"orders", "set 0", "set 1", "set 2"}
    assert len(answers) >= 3
