"""All connections of an environment: finds the connector of an action and sends its call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.identity.principal import TokenSource
from hybridmandate.orchestration.connectors.approvals import ApprovalsConnector
from hybridmandate.orchestration.connectors.azure_blob import AzureBlobConnector
from hybridmandate.orchestration.connectors.azure_queues import AzureQueuesConnector
from hybridmandate.orchestration.connectors.connector import Connector
from hybridmandate.orchestration.connectors.conversion import ConversionConnector
from hybridmandate.orchestration.connectors.custom import CustomConnector
from hybridmandate.orchestration.connectors.dataverse import DataverseConnector
from hybridmandate.orchestration.connectors.dataverse_changeset import REQUESTS
from hybridmandate.orchestration.connectors.dataverse_legacy import LegacyDataverseConnector
from hybridmandate.orchestration.connectors.excel import ExcelConnector
from hybridmandate.orchestration.connectors.http import HttpAction
from hybridmandate.orchestration.connectors.mail import MailConnector
from hybridmandate.orchestration.connectors.onedrive import OneDriveConnector
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.connectors.settings import ConnectorSettings
from hybridmandate.orchestration.connectors.sharepoint import SharePointConnector
from hybridmandate.orchestration.connectors.teams import TeamsConnector
from hybridmandate.orchestration.connectors.users import UsersConnector
from hybridmandate.orchestration.connectors.web_contents import WebContentsConnector
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine import Answer, Call, Watch

CONNECTORS: Mapping[str, type[Connector]] = {
    each.api_name: each
    for each in (
        ApprovalsConnector,
        AzureBlobConnector,
        AzureQueuesConnector,
        ConversionConnector,
        DataverseConnector,
        LegacyDataverseConnector,
        ExcelConnector,
        MailConnector,
        OneDriveConnector,
        SharePointConnector,
        TeamsConnector,
        UsersConnector,
        WebContentsConnector,
    )
}
"""The connectors of the platform that are simulated, by API name."""


class ConnectorHost:
    """The connections of one environment by the logical name of their reference."""

    def __init__(
        self,
        connections: Mapping[str, ConnectorSettings],
        *,
        http_tokens: Mapping[str, TokenSource] | None = None,
        http_ca_file: str | None = None,
    ) -> None:
        """``http_tokens`` are token sources for HTTP actions by audience: for tests only.

        :raises ValueError: when a custom connector has no OpenAPI 2 document.
        """
        self._connectors = {name: _connector(each) for name, each in connections.items()}
        self._http = HttpAction(http_tokens or {}, http_ca_file)

    async def close(self) -> None:
        """Close all connections."""
        for connector in self._connectors.values():
            await connector.session.close()
        await self._http.close()

    def connector(self, flow: Flow, key: str) -> Connector | None:
        """The connector behind a connection key of a flow, None when there is no connection."""
        reference = flow.connections.get(key)
        return self._connectors.get(reference.logical_name if reference else key)

    async def call(self, flow: Flow, call: Call) -> Answer:
        """Send one attempt of a call."""
        host = call.request.get("host") or {}
        parameters = call.request.get("parameters") or {}
        if call.type == "Changeset":
            parameters = {REQUESTS: call.request[REQUESTS]}
        operation = OperationCall(
            operation_id=str(host.get("operationId") or call.type),
            parameters=parameters,
            correlation_id=call.correlation_id,
            idempotency_key=call.idempotency_key,
            pagination=call.pagination,
        )
        if call.type == "Http":
            return await self._http.send(call.request, operation)
        if "operationId" not in host:
            path = f"{call.request.get('method')} {call.request.get('path')}"
            return Answer.refused(f"'{path}': actions of type {call.type} are not simulated")
        key = str(host.get("connectionName"))
        connector = self.connector(flow, key)
        if connector is None:
            return Answer.refused(f"connection '{key}' has no connection in this environment")
        return await connector.call(operation)

    async def read(self, flow: Flow, watch: Watch) -> Answer:
        """Read a watched location once."""
        if watch.type == "Http":
            return await self._http.read(watch.request, watch.location, watch.correlation_id)
        host: Mapping[str, Any] = watch.request.get("host") or {}
        connector = self.connector(flow, str(host.get("connectionName")))
        if connector is None:
            return Answer.refused(f"'{watch.action}' has no connection in this environment")
        parameters = watch.request.get("parameters") or {}
        return await connector.read(watch.location, parameters, watch.correlation_id)


def _connector(settings: ConnectorSettings) -> Connector:
    session = ServiceSession(
        settings.base_address,
        tokens=settings.tokens,
        resource=settings.resource,
        ca_file=settings.ca_file,
    )
    if settings.definition is not None:
        return CustomConnector(settings, session)
    found = CONNECTORS.get(settings.connector)
    if found is None:
        raise ValueError(
            f"connector '{settings.connector}' is not simulated and brings no OpenAPI 2 document"
        )
    return found(settings, session)
