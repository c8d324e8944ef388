"""The process `data`: the data gateway with the solution's views and commits."""

from __future__ import annotations

from hybridmandate.governance.data import DataSettings, WebApiTables, create_app
from hybridmandate.identity.audiences import internal_audience
from hybridmandate.local.boot import Boot
from hybridmandate.local.serving import Serving


def serve_data(boot: Boot) -> list[Serving]:
    """The data gateway; only the gateway's managed identity is served."""
    solution = boot.folder.solution

    def tables(correlation_id: str) -> WebApiTables:
        origin = boot.plan.origin("dataverse")
        return WebApiTables(origin, boot.tokens, boot.http, correlation_id)

    app = create_app(
        DataSettings(gateway_app_id=boot.application_id("gateway")),
        views=solution.views,
        commits=solution.commits,
        tables=tables,
        verifier=boot.verifier(internal_audience(boot.folder.name, boot.plan.environment)),
        recorder=boot.evidence,
    )
    return [
        Serving(app, path=boot.plan.socket_path("data"), port=boot.plan.private_ports.get("data"))
    ]
