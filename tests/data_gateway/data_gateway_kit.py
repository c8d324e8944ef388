"""A data gateway in front of the Dataverse stand-in, both in this process, over HTTP messages."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.governance.data import DataSettings, Pace, WebApiTables, create_app
from hybridmandate.identity.principal import Principal, TokenRefused
from hybridmandate.manifest import Commit, load_solution
from hybridmandate.twin import dataverse

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"
ORIGIN = "https://dataverse.example"
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
ALL = frozenset({"create", "read", "update"})


class Tokens:
    """Tokens and their checks: 'Bearer gateway' is the API gateway, 'Bearer data' the service."""

    async def token(self, resource: str) -> str:
        return "data"

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        name = (authorization or "").removeprefix("Bearer ")
        if name not in ("gateway", "data", "stranger"):
            raise TokenRefused("token.missing", "no token")
        if role is not None and name == "data":
            raise TokenRefused("token.role", "lacks the role", status=403)
        return Principal(f"oid-{name}", f"app-{name}", "t", frozenset(), 9e9)


class Kept:
    """Evidence in a list."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def record(self, record: Record) -> None:
        self.records.append(record)

    def kinds(self) -> list[str]:
        return [each.kind for each in self.records]


class House:
    """The data gateway and what is behind it; ``slept`` are its waits, nothing really waits."""

    def __init__(
        self, folder: Path, *, commit: Mapping[str, Any] | None = None, batch: int = 100
    ) -> None:
        solution = load_solution(EXAMPLE).solution
        self.evidence = Kept()
        self.faults = dataverse.Faults()
        self.store = dataverse.DataverseStore(
            open_engine(f"sqlite:///{folder}/dataverse.db"), EXAMPLE / "tables", clock=time.time
        )
        tokens = Tokens()
        privileges = {"hm_invoice": ALL, "hm_vendor": frozenset({"read"}), "hm_jobrecord": ALL}
        back = dataverse.create_app(
            dataverse.DataverseSettings(ORIGIN, "org", {"app-data": privileges}),
            self.store,
            tokens,
            Kept(),
            faults=self.faults,
        )
        self.back = httpx.AsyncClient(
            transport=httpx.ASGITransport(back, raise_app_exceptions=False)
        )
        commits = dict(solution.commits)
        if commit is not None:
            changed = {**commits["invoices"].model_dump(), **commit}
            commits["invoices"] = Commit.model_validate(changed)
        ids = (f"00000000-0000-4000-8000-{n:012d}" for n in itertools.count(1))
        app = create_app(
            DataSettings("app-gateway", Pace(batch=batch, patience=3.0)),
            views=solution.views,
            commits=commits,
            tables=lambda correlation_id: WebApiTables(ORIGIN, tokens, self.back, correlation_id),
            verifier=tokens,
            recorder=self.evidence,
            new_id=lambda: next(ids),
        )
        self.front = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://data")

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """A call as the API gateway makes it, on behalf of a caller with both roles."""
        sent = {
            "authorization": "Bearer gateway",
            "x-correlation-id": ID,
            "x-mandate-principal": "oid-flow",
            "x-mandate-app": "app-flow",
            "x-mandate-roles": "Data.Commit.Invoices,Data.View.Vendors",
            "content-type": "application/json",
            **headers,
        }
        content = body if isinstance(body, bytes) else json.dumps(body)
        return await self.front.post(
            path, content=content, headers={k: v for k, v in sent.items() if v != "-"}
        )

    async def commit(
        self, records: Sequence[Mapping[str, Any]], job: str = "job-0001"
    ) -> httpx.Response:
        """Send records to the commit."""
        return await self.post("/commits/invoices/v1", {"job": job, "records": list(records)})

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table of the stand-in."""
        definition = self.store.tables[table]
        with self.store.transaction() as transaction:
            return [
                dict(row) for row in transaction.query(definition, None, [], limit=9999, offset=0)
            ]


def invoice(number: int, **values: Any) -> dict[str, Any]:
    """A record of the commit."""
    return {
        "record": f"V-10001|{number}",
        "values": {
            "hm_vendornumber": "V-10001",
            "hm_invoicenumber": f"INV-{number}",
            "hm_invoicedate": "2026-09-01",
            "hm_amount": 10.5,
            "hm_currency": "EUR",
            **values,
        },
    }


def statuses(answer: httpx.Response) -> list[str]:
    """The status of each record, in the order that was answered."""
    return [each["status"] for each in answer.json()["data"]["records"]]
