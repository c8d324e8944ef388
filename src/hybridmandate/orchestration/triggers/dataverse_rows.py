"""Dataverse's trigger 'When a row is added, modified or deleted', and its legacy forms.

The flow registers once for the changes that it wants, and Dataverse keeps an event for each of
them, written together with the change. A reading starts a run for every event, and then
acknowledges the events: the position is kept where the events are. A run's id is made of the
change (row, version, message, number of the event): a reading that is repeated after a crash
starts nothing twice.
Source: learn.microsoft.com/power-automate/dataverse/create-update-delete-trigger.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector
from hybridmandate.orchestration.connectors.dataverse import API, DataverseConnector
from hybridmandate.orchestration.connectors.dataverse_legacy import (
    LEGACY_TRIGGERS,
    LegacyDataverseConnector,
)
from hybridmandate.orchestration.connectors.host import ConnectorHost
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine.outcomes import ActionFault
from hybridmandate.orchestration.shells.durable import FlowHost, trigger_run_id
from hybridmandate.orchestration.triggers.trigger_values import (
    TriggerValues,
    conditions_hold,
    split,
)

OPERATION = "SubscribeWebhookTrigger"
ORGANIZATION_SCOPE = 4
PAGE = 100
_SUBSCRIPTION = "subscriptionRequest/"
_NUMBERS = ("message", "scope", "runas")
_TEXTS = ("entityname", "filteringattributes", "filterexpression", "postponeuntil")
_PREFER = {"prefer": 'odata.include-annotations="*"'}


class ReadingFailed(Exception):
    """Dataverse did not take the registration or give its events; the next reading tries again."""


class RowChanges:
    """Reads the changes that one flow wants to hear of."""

    def __init__(self, flow: Flow, connector: Connector, host: FlowHost) -> None:
        self._flow = flow
        self._connector = connector
        self._host = host
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
            if len(events) < PAGE:
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
        values = TriggerValues(self._flow, self._host.parameters(self._flow))
        inputs = values.evaluate(self._flow.trigger.inputs)
        parameters: Mapping[str, Any] = inputs.get("parameters") or {}
        message = LEGACY_TRIGGERS.get(str(self._flow.trigger.operation_id))
        if message is not None:
            entity = await self._logical_name(str(parameters.get("table") or ""))
            return {"entityname": entity, "message": message, "scope": ORGANIZATION_SCOPE}
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
        legacy = self._flow.trigger.operation_id in LEGACY_TRIGGERS
        outputs = {"statusCode": 200, "headers": {}, "body": {"value": [row]} if legacy else row}
        parameters = self._host.parameters(self._flow)
        identity = (
            row["ItemInternalId"],
            row["RowVersion"],
            row["SdkMessage"],
            str(event["number"]),
        )
        started = 0
        for part in split(self._flow, parameters, outputs):
            if not conditions_hold(self._flow, parameters, part):
                continue
            run_id = trigger_run_id(self._flow.name, *identity)
            _, new = await self._host.start(self._flow.name, part, run_id=run_id)
            started += new
        return started

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


def row_changes(
    flow: Flow, connectors: ConnectorHost, host: FlowHost, *, seconds: float
) -> RowChangesPolling | None:
    """The reading of a flow's trigger; None when it is not a trigger of Dataverse's rows."""
    operation = flow.trigger.operation_id
    if operation != OPERATION and operation not in LEGACY_TRIGGERS:
        return None
    connector = connectors.connector(flow, str(flow.trigger.inputs["host"].get("connectionName")))
    if not isinstance(connector, DataverseConnector | LegacyDataverseConnector):
        return None
    return RowChangesPolling(RowChanges(flow, connector, host), seconds=seconds)


class RowChangesPolling:
    """Reads changes again and again until it is cancelled."""

    def __init__(self, trigger: RowChanges, *, seconds: float) -> None:
        self._trigger = trigger
        self._seconds = seconds
        self.failure: str | None = "the changes have not been read yet"
        """Why the last reading failed, None when it went well."""

    async def run(self) -> None:
        """Read for ever; a reading that fails is tried again at the next turn."""
        while True:
            try:
                await self._trigger.read()
                self.failure = None
            except (ReadingFailed, ActionFault) as error:
                self.failure = str(error)
            await asyncio.sleep(self._seconds)


def _whole(name: str, value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ReadingFailed(f"{_SUBSCRIPTION}{name} is no whole number: {value!r}") from None
