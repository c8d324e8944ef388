"""The process `flows`: the flow engine with its connectors and triggers."""

from __future__ import annotations

import json
import time
from typing import Any

from hybridmandate import __version__
from hybridmandate.contracts.quantities import parse_duration
from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.identity.audiences import GRAPH_AUDIENCE, flows_audience, gateway_audience
from hybridmandate.identity.client_certificate import CertificateTokens
from hybridmandate.local.boot import OPERATOR_TOKEN, Boot
from hybridmandate.local.credentials import certificate_files
from hybridmandate.local.serving import Serving
from hybridmandate.local.tenant import STORAGE_AUDIENCE
from hybridmandate.local.trigger_door import CallerNoted, TriggerDoor
from hybridmandate.manifest import Connection, Environment
from hybridmandate.orchestration.connectors import ConnectorSettings
from hybridmandate.orchestration.definition import read_flow
from hybridmandate.orchestration.limits import Licence, Profile
from hybridmandate.orchestration.server import FlowsSettings, create_app

STORAGE_CONNECTORS = {"shared_azurequeues": "queue", "shared_azureblob": "blob"}
"""The service endpoint of the storage account by connector."""
DATAVERSE_CONNECTORS = ("shared_commondataserviceforapps", "shared_commondataservice")
POLL_SECONDS = 0.5


def serve_flows(boot: Boot) -> list[Serving]:
    """The flows of the solution, connected as the environment says."""
    database = boot.state.database("flows", "flows")
    solution = boot.folder.solution.solution
    callers = CallerNoted(
        boot.verifier(flows_audience(solution.name, boot.plan.environment)),
    )
    app = create_app(
        flows_settings(boot.environment, boot.variables[OPERATOR_TOKEN]),
        documents=[read_flow(path)[0] for path in boot.folder.flows],
        connections={
            name: connection_settings(boot, connection)
            for name, connection in boot.environment.connections.items()
        },
        durable=open_durable(
            name="mandate-flows",
            url=database,
            executor_id="flows",
            application_version=__version__,
            keep_steps_seconds=parse_duration(boot.environment.flows.keep_steps),
            patience_seconds=parse_duration(boot.environment.flows.database_patience),
        ),
        history=open_engine(database),
        recorder=boot.evidence,
        verifier=callers,
    )
    door = TriggerDoor(app, callers, boot.evidence, time.time)
    return [Serving(door, port=boot.plan.ports["flows"])]


def flows_settings(environment: Environment, operator_token: str) -> FlowsSettings:
    """How the flows process behaves in an environment, its profile and licence included."""
    rules = environment.flows
    return FlowsSettings(
        operator_token=operator_token,
        variables=environment.variables,
        poll_seconds=POLL_SECONDS,
        profile=Profile(rules.profile),
        licence=None if rules.licence is None else Licence(rules.licence),
    )


def connection_settings(boot: Boot, connection: Connection) -> ConnectorSettings:
    """Address, resource and principal of a connection reference on this machine."""
    solution = boot.folder.solution.solution.name
    definition: Any = None
    if connection.connector in DATAVERSE_CONNECTORS:
        address = resource = boot.plan.origin("dataverse")
    elif connection.connector in STORAGE_CONNECTORS:
        address = f"{boot.plan.origin('storage')}/{STORAGE_CONNECTORS[connection.connector]}"
        resource = STORAGE_AUDIENCE
    elif connection.connector.startswith("shared_"):
        address, resource = boot.plan.origin("office"), GRAPH_AUDIENCE
    else:
        address = boot.plan.origin("gateway")
        resource = gateway_audience(solution, boot.plan.environment)
        path = boot.folder.connectors / connection.connector / "apiDefinition.swagger.json"
        definition = json.loads(path.read_text(encoding="utf-8"))
    return ConnectorSettings(
        connector=connection.connector,
        base_address=address,
        resource=resource,
        tokens=CertificateTokens(
            boot.token_endpoint,
            boot.application_id(connection.principal),
            certificate_files(boot.state, connection.principal),
            http=boot.http,
            clock=time.time,
        ),
        ca_file=boot.ca_file,
        definition=definition,
        options=connection.options,
    )
