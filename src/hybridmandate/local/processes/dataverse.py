"""The process `dataverse`: the stand-in for Dataverse with the solution's tables."""

from __future__ import annotations

import time

from hybridmandate.durable.database import open_engine
from hybridmandate.local.boot import Boot
from hybridmandate.local.processes.certificate import certificate
from hybridmandate.local.serving import Serving
from hybridmandate.twin.dataverse import DataverseSettings, DataverseStore, create_app


def serve_dataverse(boot: Boot) -> list[Serving]:
    """The stand-in; each principal with privileges in the manifest is an application user."""
    origin = boot.plan.origin("dataverse")
    store = DataverseStore(
        open_engine(boot.state.database("dataverse", "dataverse")),
        boot.folder.tables,
        clock=time.time,
    )
    privileges = {
        boot.application_id(name): {
            table: frozenset(each) for table, each in principal.dataverse.items()
        }
        for name, principal in boot.folder.solution.principals.items()
        if principal.dataverse
    }
    app = create_app(
        DataverseSettings(origin, boot.tenant, privileges),
        store,
        boot.verifier(origin),
        boot.evidence,
    )
    return [Serving(app, port=boot.plan.ports["dataverse"], certificate=certificate(boot))]
