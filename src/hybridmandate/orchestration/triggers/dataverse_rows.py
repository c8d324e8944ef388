"""Dataverse's trigger 'When a row is added, modified or deleted', and its legacy forms.

The flow registers once for the changes that it wants, and the stand-in keeps an event for each of
them, written together with the change. A reading starts a run for every event, and then
acknowledges the events: the position is kept where the events are. A run's id is made of the
change (row, version, message, number of the event): a reading that is repeated after a crash
starts nothing twice.

The operations ``mandate.events`` and ``mandate.acknowledge`` are those of the stand-in: the real
Dataverse calls the address of a registration, and this trigger starts nothing against it.
Source: learn.microsoft.com/power-automate/dataverse/create-update-delete-trigger.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector
from hybridmandate.orchestration.connectors.dataverse_legacy import (
    ALL_ROWS,
    LEGACY_TRIGGERS,
    ROW_TRIGGERS,
    SCOPES,
)
from hybridmandate.orchestration.connectors.dataverse_requests import API
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.polling import (
    Found,
    ReadingFailed,
    start_batch,
    start_each,
    trigger_operation,
    trigger_parameters,
)

OPERATION = "SubscribeWebhookTrigger"
PAGE = 100
_SUBSCRIPTION = "subscriptionRequest/"
_NUMBERS = ("message", "scope", "runas")
_TEXTS = ("entityname", "filteringattributes", "filterexpression", "postponeuntil")
_PREFER = {"prefer": 'odata.include-annotations="*"'}


class RowChanges:
    """Reads the changes that one flow wants to hear of."""

    def __init__(self, flow: Flow, connector: Connector, host: FlowHost) -> None:
        self._flow = flow
        self._connector = connector
        self._host = host
        self._operation = str(trigger_operation(flow))
        registration = uuid.uuid5(uuid.NAMESPACE_OID, f"flow/{flow.workflow_id or flow.name}")
        self._address = f"{API}/callbackregistrations({registration})"

    async def read(self) -> int:
        """Start a run for every change; returns how many were new.

        :raises ReadingFailed: when the changes cannot be read.
        :raises ActionFault: when an expression of the trigger is wrong.
        """
        await self._register()
        started = 0
        while True:
            query = {"$top": str(PAGE)}
            answer = await self._send("GET", f"{self._address}/mandate.events", query=query)
            events = answer["value"]
            for event in events:
                started += await self._start(event)
            if events:
                numbers = {"numbers": [event["number"] for event in events]}
                await self._send("POST", f"{self._address}/mandate.acknowledge", body=numbers)
            if len(events) < PAGE or not self._host.admits(self._flow):
                return started

    async def _register(self) -> None:
        """Tell Dataverse what the flow wants, unless it has been told just that."""
        wanted = await self._wanted()
        kept = await asyncio.to_thread(self._host.history.cursor, self._flow.name)
        if kept == {"registered": wanted}:
            return
        await self._send("PATCH", self._address, body=wanted)
        cursor = {"registered": wanted}
        await asyncio.to_thread(self._host.history.keep_cursor, self._flow.name, cursor)

    async def _wanted(self) -> dict[str, Any]:
        parameters = trigger_parameters(self._flow, self._host)
        message = LEGACY_TRIGGERS.get(self._operation)
        if message is not None:
            entity = await self._logical_name(str(parameters.get("table") or ""))
            scope = _legacy_scope(parameters.get("scope"))
            return {"entityname": entity, "message": message, "scope": scope}
        wanted: dict[str, Any] = {}
        for name in (*_NUMBERS, *_TEXTS):
            value = parameters.get(_SUBSCRIPTION + name)
            if value not in (None, ""):
                wanted[name] = _whole(name, value) if name in _NUMBERS else str(value)
        return wanted

    async def _logical_name(self, entity_set: str) -> str:
        """The logical name of a table that the legacy connector names by its entity set."""
        quoted = entity_set.replace("'", "''")
        query = {"$select": "LogicalName", "$filter": f"EntitySetName eq '{quoted}'"}
        answer = await self._send("GET", f"{API}/EntityDefinitions", query=query)
        if not answer["value"]:
            raise ReadingFailed(f"there is no table '{entity_set}'")
        return str(answer["value"][0]["LogicalName"])

    async def _start(self, event: Mapping[str, Any]) -> int:
        row = event["row"]
        identity = (row["ItemInternalId"], row["RowVersion"], row["SdkMessage"])
        found = [Found((*map(str, identity), str(event["number"])), row)]
        if self._operation in LEGACY_TRIGGERS and self._operation not in ROW_TRIGGERS:
            return await start_batch(self._flow, self._host, found, lambda rows: {"value": rows})
        return await start_each(self._flow, self._host, found)

    async def _send(
        self,
        method: str,
        address: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        answer = await self._connector.session.send(
            method, quote(address, safe="/()"), headers=_PREFER, query=query, json_body=body
        )
        if answer.status == 404:
            # The registration is gone, as after a reset of the environment: tell it again.
            await asyncio.to_thread(self._host.history.keep_cursor, self._flow.name, {})
        if answer.fault is not None or answer.status >= 300:
            raise ReadingFailed(answer.message or f"{address} answered {answer.status}")
        return answer.body


def _whole(name: str, value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ReadingFailed(f"{_SUBSCRIPTION}{name} is no whole number: {value!r}") from None


def _legacy_scope(given: Any) -> int:
    """The scope of a legacy trigger; all rows when it names none."""
    if given in (None, ""):
        return ALL_ROWS
    scope = SCOPES.get(str(given).lower())
    if scope is None:
        raise ReadingFailed(f"the scope '{given}' is none of {', '.join(SCOPES)}")
    return scope
