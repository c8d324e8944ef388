"""The process `entra`: the stand-in for Entra ID, and the managed-identity endpoints."""

from __future__ import annotations

import json
import time

from starlette.routing import Mount

from hybridmandate.local.boot import IDENTITY_HEADERS, Boot
from hybridmandate.local.credentials import MANAGED
from hybridmandate.local.processes.certificate import certificate
from hybridmandate.local.serving import Serving
from hybridmandate.twin.entra.app import KEEP_SECONDS, EntraSettings, create_app
from hybridmandate.twin.entra.graph_directory import GraphDirectory
from hybridmandate.twin.entra.key_ring import KeyRing
from hybridmandate.twin.entra.managed_identity import (
    ManagedIdentitySettings,
    create_managed_identity_app,
)
from hybridmandate.twin.entra.store import EntraStore


def serve_entra(boot: Boot) -> list[Serving]:
    """The issuer over TLS, and the managed-identity endpoints on a loopback port of their own."""
    store = EntraStore(boot.state.of("entra"), time.time)
    settings = EntraSettings(tenant_id=boot.tenant, authority=boot.authority)
    headers: dict[str, str] = json.loads(boot.variables[IDENTITY_HEADERS])
    identities = ManagedIdentitySettings(
        entra=settings,
        headers={secret: MANAGED[process] for process, secret in headers.items()},
    )
    issuer = create_app(settings, store, boot.evidence, time.time)
    graph = GraphDirectory(
        store, KeyRing(store, keep_seconds=KEEP_SECONDS), boot.authority, time.time
    )
    issuer.router.routes.insert(0, Mount("/graph", graph.app()))
    return [
        Serving(
            issuer,
            port=boot.plan.ports["entra"],
            certificate=certificate(boot),
        ),
        Serving(
            create_managed_identity_app(identities, store, boot.evidence, time.time),
            port=boot.plan.ports["identity"],
        ),
    ]
