"""A folder as the API Management extractor writes it, made of a few words; served for real."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from gateway_edge import Evidence

from hybridmandate.governance.gateway.conformance import Served
from hybridmandate.governance.gateway.layout import load_layout
from hybridmandate.governance.gateway.server import create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.identity.principal import TokenSource, TokenUnavailable


class ExtractorFolder:
    """Writes APIs that answer with their own name, version sets, products, subscriptions."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(exist_ok=True)

    def write(self, name: str, properties: Mapping[str, Any]) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"properties": properties}))

    def api(self, name: str, *, path: str = "orders", **properties: Any) -> None:
        self.write(f"apis/{name}/apiInformation.json", {"path": path, **properties})
        folder = self.path / "apis" / name
        operation = {"operationId": "list", "responses": {"200": {"description": "x"}}}
        document = {"openapi": "3.0.1", "paths": {"/items": {"get": operation}}}
        (folder / "specification.json").write_text(json.dumps(document))
        (folder / "policy.xml").write_text(
            "<policies><inbound><base /><return-response>"
            f"<set-body>{name}</set-body></return-response></inbound>"
            "<backend /><outbound /><on-error /></policies>"
        )

    def version_set(self, scheme: str, **properties: Any) -> None:
        self.write(
            "version sets/orders/versionSetInformation.json",
            {"displayName": "Orders", "versioningScheme": scheme, **properties},
        )

    def product(self, name: str, apis: list[str], policy: str = "", **properties: Any) -> None:
        self.write(f"products/{name}/productInformation.json", properties)
        folder = self.path / "products" / name
        (folder / "apis.json").write_text(json.dumps([{"name": each} for each in apis]))
        (folder / "policy.xml").write_text(
            f"<policies><inbound><base />{policy}</inbound><backend><base /></backend>"
            "<outbound><base /></outbound><on-error><base /></on-error></policies>"
        )

    def subscription(self, name: str, scope: str, **properties: Any) -> None:
        key = {"primaryKey": f"{{{{{name}-key}}}}"}
        self.write(
            f"subscriptions/{name}/subscriptionInformation.json",
            {"scope": scope, "state": "active", **key, **properties},
        )
        self.write(
            f"named values/{name}-key/namedValueInformation.json",
            {"displayName": f"{name}-key", "value": f"secret-of-{name}"},
        )


class NoIdentity:
    async def token(self, resource: str) -> str:
        raise TokenUnavailable("these policies ask for none", transient=False)


class Front:
    """A served folder: ``get`` is (status, text) of a call."""

    def __init__(self, client: httpx.AsyncClient, evidence: Evidence) -> None:
        self.client = client
        self.evidence = evidence

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.client.get(path, headers=named)
        return answer.status_code, answer.text


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Front]:
    def identity(client_id: str | None) -> TokenSource:
        return NoIdentity()

    evidence = Evidence()
    app = create_app(GatewaySettings(), load_layout(folder), identity, evidence)
    async with Served(app) as gateway, httpx.AsyncClient(base_url=gateway.url) as client:
        yield Front(client, evidence)
