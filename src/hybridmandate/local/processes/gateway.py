"""The process `gateway`: the solution's policies in front of execution and data gateway."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

from hybridmandate.contracts.quantities import parse_size
from hybridmandate.governance.gateway.configuration import Configuration
from hybridmandate.governance.gateway.door import HeadLimits, door_protocol
from hybridmandate.governance.gateway.file_watch import WatchedGateway
from hybridmandate.governance.gateway.http2_connection import Http2Limits
from hybridmandate.governance.gateway.layout import baseline_folder
from hybridmandate.governance.gateway.server import GatewayApp, create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.governance.gateway.tls_door import server_context, tls_door_protocol
from hybridmandate.governance.gateway.while_serving import WhileServing
from hybridmandate.identity.principal import TokenSource
from hybridmandate.local.boot import Boot
from hybridmandate.local.credentials import clients_file
from hybridmandate.local.policies import PolicyPlaces, load_policies
from hybridmandate.local.processes.certificate import certificate
from hybridmandate.local.processes.gateway_counters import gateway_counters
from hybridmandate.local.run_plan import GATEWAY_TLS
from hybridmandate.local.serving import Serving

KEY_REFETCH_SECONDS = 5.0
"""Locally an unknown signing key is looked up at once, so that a rotation shows without a wait."""


def serve_gateway(boot: Boot) -> list[Serving]:
    """The gateway with the solution's policy set over the shipped baseline; it follows the files.

    :raises PolicyDocumentError: for whatever API Management would reject at deployment.
    """

    def identity(client_id: str | None) -> TokenSource:
        return boot.tokens

    def load() -> Configuration:
        return load_policies(boot.folder, boot.plan.environment, places(boot))

    counters, work = gateway_counters(boot)
    app = create_app(
        GatewaySettings(
            body_limits={"exec/files-store-v1": parse_size(boot.folder.solution.files.max_size)},
            key_refetch_seconds=KEY_REFETCH_SECONDS,
        ),
        load(),
        identity,
        boot.evidence,
        tls=ssl.create_default_context(cafile=boot.ca_file),
        counters=counters,
    )
    watched = WatchedGateway(app, [boot.folder.policies, baseline_folder()], load, _say)
    return _doors(boot, app, WhileServing(app, [watched.watch, *work]))


def _doors(boot: Boot, app: GatewayApp, gateway: WhileServing) -> list[Serving]:
    """Plain HTTP on loopback, TLS beside it, and a socket of this very process.

    Where the gateway has several processes they share both ports, and the supervisor asks each at
    its socket whether it is ready.
    """
    plan, heads = boot.plan, HeadLimits()
    several = plan.gateways > 1
    own_certificate = certificate(boot)
    authorities = [Path(boot.ca_file), clients_file(boot.state)]
    doors = [
        Serving(
            gateway,
            port=plan.ports["gateway"],
            protocol=door_protocol(app, heads),
            is_shared=several,
        ),
        Serving(
            gateway,
            port=plan.ports[GATEWAY_TLS],
            protocol=tls_door_protocol(app, heads, Http2Limits()),
            tls=server_context(own_certificate.certificate, own_certificate.key, authorities),
            is_shared=several,
            lifespan="off",
        ),
    ]
    path = plan.socket_path(boot.name)
    if several and path is not None:
        doors.append(
            Serving(gateway, path=path, protocol=door_protocol(app, heads), lifespan="off")
        )
    return doors


def places(boot: Boot) -> PolicyPlaces:
    """Addresses of this run, as the policies name them."""
    return PolicyPlaces(
        openid_configuration=boot.openid_configuration,
        issuer=f"{boot.authority}/{boot.tenant}/v2.0",
        execution=boot.plan.backend("execution"),
        data=boot.plan.backend("data"),
        directory=f"{boot.authority}/graph/v1.0" if _may_read_directory(boot) else "none",
    )


def _may_read_directory(boot: Boot) -> bool:
    """Whether the manifest lets the gateway ask who is disabled.

    Where it does not, a token is good until it ends.
    """
    gateway = boot.folder.solution.principals.get("gateway")
    return gateway is not None and "Application.Read.All" in gateway.graph


def _say(line: str) -> None:
    """A line for people in the process's log, which `mandate up` shows."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
