"""The process `gateway`: the solution's policies in front of execution and data gateway."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from hybridmandate.contracts.quantities import parse_size
from hybridmandate.governance.gateway.layout import baseline_folder, load_layout
from hybridmandate.governance.gateway.server import create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.identity.audiences import gateway_audience, internal_audience
from hybridmandate.identity.principal import TokenSource
from hybridmandate.local.boot import Boot
from hybridmandate.local.serving import Serving

KEY_REFETCH_SECONDS = 5.0
"""Locally an unknown signing key is looked up at once, so that a rotation shows without a wait."""


def serve_gateway(boot: Boot) -> list[Serving]:
    """The gateway with the solution's policy set over the shipped baseline.

    :raises PolicyDocumentError: for whatever API Management would reject at deployment.
    """

    def identity(client_id: str | None) -> TokenSource:
        return boot.tokens

    app = create_app(
        GatewaySettings(
            body_limits={"exec/files-store-v1": parse_size(boot.folder.solution.files.max_size)},
            key_refetch_seconds=KEY_REFETCH_SECONDS,
        ),
        load_layout(
            boot.folder.policies,
            named_values={**named_values(boot), **boot.environment.named_values},
            baseline=baseline_folder(),
        ),
        identity,
        boot.evidence,
        tls=ssl.create_default_context(cafile=boot.ca_file),
    )
    return [Serving(app, port=boot.plan.ports["gateway"])]


def named_values(boot: Boot) -> Mapping[str, str]:
    """Addresses, audiences and issuers of this run, as the policies name them."""
    solution, environment = boot.folder.name, boot.plan.environment
    v1, v2 = (
        f"https://sts.windows.net/{boot.tenant}/",
        f"{boot.authority}/{boot.tenant}/v2.0",
    )
    return {
        "tenant-id": boot.tenant,
        "openid-config-url": boot.openid_configuration,
        "issuer-v1": v1,
        "issuer-v2": v2,
        "gateway-audience": gateway_audience(solution, environment),
        "internal-audience": internal_audience(solution, environment),
        "execution-backend": boot.plan.backend("execution"),
        "data-backend": boot.plan.backend("data"),
    }
