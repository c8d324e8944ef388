"""An organisation in this process, spoken to in raw HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.identity.principal import Principal, TokenRefused
from hybridmandate.twin.dataverse import (
    DataverseSettings,
    DataverseStore,
    Faults,
    ProtectionLimits,
    create_app,
)

ORIGIN = "https://dataverse.test"
API = "/api/data/v9.2/"
TABLES = Path(__file__).parents[2] / "examples" / "vendor-invoices" / "tables"
ORDERS = Path(__file__).parent / "tables"
"""Tables with lookups, choices, a file and custom APIs."""
ORDER_TABLES = ("hm_order", "hm_customer", "hm_tag")
ALL = frozenset({"create", "read", "update", "delete"})
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


class Door:
    """Accepts `Bearer <application>`."""

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        scheme, _, app = (authorization or "").partition(" ")
        if scheme != "Bearer" or app == "expired":
            raise TokenRefused("token.missing", "There is no valid token.")
        if app == "person":
            raise TokenRefused("token.human", "A person's token.", status=403)
        return Principal(f"oid-{app}", app, "tenant", frozenset(), 9e9)


class Organisation:
    """Application, client, faults, evidence and a clock that stands still."""

    def __init__(
        self, folder: Path, limits: ProtectionLimits | None = None, tables: Path = TABLES
    ) -> None:
        self.now = 1_800_000_000.0
        self.records: list[Record] = []
        self.faults = Faults()
        self.store = DataverseStore(
            open_engine(f"sqlite:///{folder}/dataverse.db"), tables, clock=lambda: self.now
        )
        privileges: Mapping[str, Any] = {
            "full": dict.fromkeys(("hm_invoice", "hm_vendor", *ORDER_TABLES), ALL),
            "orders": {"hm_order": ALL},
            "writer": {"hm_invoice": frozenset({"create", "update"})},
            "nothing": {},
        }
        self.app = create_app(
            DataverseSettings(ORIGIN, "org-1", privileges, limits or ProtectionLimits()),
            self.store,
            Door(),
            self,
            clock=lambda: self.now,
            faults=self.faults,
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=ORIGIN)

    def record(self, record: Record) -> None:
        self.records.append(record)

    async def send(
        self, method: str, path: str, body: Any = None, app: str = "full", **headers: str
    ) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("authorization", f"Bearer {app}")
        content = {"content": body} if isinstance(body, bytes | str) else {"json": body}
        return await self.http.request(method, API + path, headers=sent, **content)


def invoice(number: str, **more: Any) -> dict[str, Any]:
    return {"hm_vendornumber": "V-10001", "hm_invoicenumber": number, "hm_amount": 10.5, **more}


async def row_id(org: Organisation, entity_set: str, body: Any, app: str = "full") -> str:
    """Make a row; gives its id."""
    made = await org.send("POST", entity_set, body, app=app)
    assert made.status_code == 204, made.text
    return str(made.headers["odata-entityid"]).partition("(")[2].rstrip(")")
