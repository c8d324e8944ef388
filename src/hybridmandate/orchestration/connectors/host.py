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
from hybridmandate.orchestration.connectors.groups import EntraConnector, GroupsConnector
from hybridmandate.orchestration.connectors.http import HttpAction
from hybridmandate.orchestration.connectors.mail import MailConnector
from hybridmandate.orchestration.connectors.onedrive import OneDriveConnector
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.connectors.settings import ConnectorSettings
from hybridmandate.orchestration.connectors.sharepoint import SharePointConnector
from hybridmandate.orchestration.connectors.swagger_paths import connection_key, routed
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
        EntraConnector,
        ExcelConnector,
        GroupsConnector,
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

    def trigger_connector(self, flow: Flow) -> Connector | None:
        """The connector behind a flow's trigger: by connection key, or by the path form's."""
        inputs = flow.trigger.inputs if isinstance(flow.trigger.inputs, Mapping) else {}
        host: Mapping[str, Any] = inputs.get("host") or {}
        if "connectionName" in host:
            return self.connector(flow, str(host["connectionName"]))
        key = connection_key((host.get("connection") or {}).get("name"))
        return None if key is None else self.connector(flow, key)

    async def call(self, flow: Flow, call: Call) -> Answer:
        """Send one attempt of a call."""
        if call.type == "Http":
            return await self._http.send(call.request, _operation(call, "Http", {}))
        connector = self._behind(flow, call.request)
        host = call.request.get("host") or {}
        if connector is None:
            name = host.get("connectionName") or (host.get("connection") or {}).get("name")
            return Answer.refused(f"connection '{name}' has no connection in this environment")
        if "operationId" not in host:
            found = routed(connector.api_name, call.request)
            if found is None:
                path = f"{call.request.get('method')} {call.request.get('path')}"
                return Answer.refused(f"'{path}' of '{connector.api_name}' is not simulated")
            return await connector.call(_operation(call, found.operation, found.parameters))
        parameters = call.request.get("parameters") or {}
        if call.type == "Changeset":
            parameters = {REQUESTS: call.request[REQUESTS]}
        return await connector.call(_operation(call, str(host["operationId"]), parameters))

    async def read(self, flow: Flow, watch: Watch) -> Answer:
        """Read a watched location once."""
        if watch.type == "Http":
            return await self._http.read(watch.request, watch.location, watch.correlation_id)
        connector = self._behind(flow, watch.request)
        if connector is None:
            return Answer.refused(f"'{watch.action}' has no connection in this environment")
        parameters = watch.request.get("parameters") or {}
        return await connector.read(watch.location, parameters, watch.correlation_id)

    def _behind(self, flow: Flow, request: Mapping[str, Any]) -> Connector | None:
        """The connector of a request: by the key of its connection, or by the connection's id."""
        host: Mapping[str, Any] = request.get("host") or {}
        if "connectionName" in host:
            return self.connector(flow, str(host["connectionName"]))
        given = host.get("connection")
        name = str(given.get("name") if isinstance(given, Mapping) else "").rpartition("/")[2]
        return self.connector(flow, name)


def _operation(call: Call, name: str, parameters: Mapping[str, Any]) -> OperationCall:
    return OperationCall(
        operation_id=name,
        parameters=parameters,
        correlation_id=call.correlation_id,
        idempotency_key=call.idempotency_key,
        pagination=call.pagination,
    )


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
