"""The office stand-in behind a real socket, with the people of a tenant."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from test_flow_connectors import FLOW, asked
from trigger_kit import AnyToken, free_listener, numbered, serving, settings

from hybridmandate.durable.database import open_engine
from hybridmandate.identity.principal import Principal, TokenRefused
from hybridmandate.orchestration.connectors import ConnectorHost
from hybridmandate.orchestration.engine import Answer, Watch
from hybridmandate.twin.office import OfficeSettings, OfficeStore, Persona, Profile, create_app

SITE = "https://contoso.sharepoint.com/sites/ap"
MAILBOX = "ap@contoso.example"
PEOPLE = (
    Profile("oid-1", "Ada Lovelace", "ada@contoso.example", "Clerk", "chris@contoso.example"),
    Profile("oid-2", "Bob Stone", "bob@contoso.example", None, "chris@contoso.example"),
    Profile("oid-3", "Chris Controller", "chris@contoso.example", "Controller"),
)


class Workload(AnyToken):
    """A workload with every permission; ``Bearer person:<mail>`` is a person."""

    roles = AnyToken.roles | {
        "ApprovalSolution.ReadWrite.All",
        "Calendars.ReadWrite",
        "ChannelMessage.Read.All",
        "ChannelMessage.Send",
        "Chat.Create",
        "Chat.Read.All",
        "ChatMessage.Send",
        "TeamsActivity.Send",
        "Group.ReadWrite.All",
    }

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        if (authorization or "").startswith("Bearer person:"):
            raise TokenRefused("token.human", "a person")
        return await super().verify(authorization, role=role)

    async def verify_person(self, authorization: str | None) -> Persona:
        mail = (authorization or "").removeprefix("Bearer person:")
        found = next((each for each in PEOPLE if each.mail == mail), None)
        if found is None:
            raise TokenRefused("token.unknown", "nobody")
        return Persona(found.object_id, found.name, found.mail)


class Office:
    """A stand-in at ``address``: ``call`` acts as a flow, ``person`` as a person."""

    def __init__(self, address: str, store: OfficeStore) -> None:
        self.address = address
        self.store = store

    async def call(
        self, connector: str, operation: str, parameters: Mapping[str, Any], **options: str
    ) -> Answer:
        """An action; the same one again is a repetition, under the same key."""
        text = json.dumps([connector, operation, dict(parameters)], sort_keys=True, default=str)
        key = hashlib.sha256(text.encode()).hexdigest()
        host = ConnectorHost({"c": settings(connector, self.address, **options)})
        try:
            return await host.call(FLOW, replace(asked(operation, parameters), idempotency_key=key))
        finally:
            await host.close()

    def person(self, mail: str, method: str, path: str, **parts: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer person:{mail}"}
        return httpx.request(method, f"{self.address}{path}", headers=headers, **parts)


class Waiting:
    """A call that waits for a person: ``read`` looks once more."""

    def __init__(self, office: Office, connector: str, **options: str) -> None:
        self._host = ConnectorHost({"c": settings(connector, office.address, **options)})

    async def start(self, operation: str, parameters: Mapping[str, Any]) -> Answer:
        call = asked(operation, parameters, type="OpenApiConnectionWebhook")
        started = await self._host.call(FLOW, call)
        location = started.headers.get("location", "")
        self._watch = Watch("t", "A", call.type, call.request, location, 0, "c")
        return started

    async def read(self) -> Answer:
        return await self._host.read(FLOW, self._watch)

    async def close(self) -> None:
        await self._host.close()


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    listener, address = free_listener()
    store = OfficeStore(
        open_engine(f"sqlite:///{folder}/office.db"), clock=time.time, new_id=numbered()
    )
    app = create_app(
        OfficeSettings(address, PEOPLE), store, Workload(), Workload(), new_request_id=lambda: "r"
    )
    with serving(app, listener):
        yield Office(address, store)
