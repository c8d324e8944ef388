"""An auditor's reading of Dataverse on this machine: business rows, ledger, tracking records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybridmandate.identity.principal import TokenSource
from hybridmandate.local.machine import Machine

AUDITOR = "auditor"


class AuditRefused(Exception):
    """Dataverse refused the reading; the message holds its answer."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How many business rows and ledger rows there are, and the digest of both."""

    invoices: int
    ledger: int
    content: str


class Audit:
    """Reads with the auditor's own service principal, through the Web API."""

    def __init__(self, machine: Machine, tokens: TokenSource) -> None:
        self._machine = machine
        self._tokens = tokens

    @classmethod
    def of(cls, machine: Machine) -> Audit:
        """The audit of a machine."""
        return cls(machine, machine.workload(AUDITOR))

    async def rows(self, entity_set: str, *, select: str, order: str) -> list[dict[str, Any]]:
        """All rows of a table, some columns, in an order."""
        origin = self._machine.plan.origin("dataverse")
        headers = {"authorization": f"Bearer {await self._tokens.token(origin)}"}
        url: str | None = f"{origin}/api/data/v9.2/{entity_set}?$select={select}&$orderby={order}"
        rows: list[dict[str, Any]] = []
        while url is not None:
            answer = await self._machine.http.get(url, headers=headers)
            if answer.status_code != 200:
                raise AuditRefused(f"{url}: {answer.status_code} {answer.text[:300]}")
            page = answer.json()
            rows.extend(page["value"])
            url = page.get("@odata.nextLink")
        return rows

    async def tracking(self) -> dict[str, Mapping[str, Any]]:
        """Tracking records by correlation id."""
        columns = (
            "hm_correlationid,hm_filename,hm_state,hm_rowsin,hm_accepted,hm_rejected,hm_committed,"
            "hm_failuretype,hm_summary"
        )
        rows = await self.rows("hm_intakes", select=columns, order="createdon")
        return {str(row["hm_correlationid"]): row for row in rows}

    async def totals(self) -> Totals:
        """Counts and a digest of what business rows and ledger say."""
        invoices = await self.rows(
            "hm_invoices",
            select="hm_vendornumber,hm_invoicenumber,hm_amount,hm_currency,hm_invoicedate",
            order="hm_vendornumber,hm_invoicenumber",
        )
        ledger = await self.rows(
            "hm_jobrecords", select="hm_job,hm_record,hm_status", order="hm_job,hm_record"
        )
        plain = [
            {k: v for k, v in row.items() if not k.startswith("@") and not k.endswith("id")}
            for row in (*invoices, *ledger)
        ]
        return Totals(len(invoices), len(ledger), repr(plain))
