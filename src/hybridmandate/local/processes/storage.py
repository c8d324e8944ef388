"""The process `storage`: the stand-in for the environment's storage account."""

from __future__ import annotations

import time
import uuid

from hybridmandate.durable.database import open_engine
from hybridmandate.local.boot import Boot
from hybridmandate.local.processes.certificate import certificate
from hybridmandate.local.serving import Serving
from hybridmandate.local.tenant import STORAGE_AUDIENCE
from hybridmandate.twin.storage import StorageSettings, StorageStore, create_app


def serve_storage(boot: Boot) -> list[Serving]:
    """The account with the environment's containers and queues, and the manifest's data roles."""
    store = StorageStore(
        open_engine(boot.state.database("storage", "storage")),
        clock=time.time,
        new_id=lambda: str(uuid.uuid4()),
    )
    _provide(store, boot)
    assignments = {
        boot.application_id(name): frozenset(principal.storage)
        for name, principal in boot.folder.solution.principals.items()
        if principal.storage
    }
    app = create_app(
        StorageSettings(
            boot.plan.origin("storage"), f"{boot.authority}/{boot.tenant}", assignments
        ),
        store,
        boot.verifier(STORAGE_AUDIENCE),
        new_request_id=lambda: str(uuid.uuid4()),
    )
    return [Serving(app, port=boot.plan.ports["storage"], certificate=certificate(boot))]


def _provide(store: StorageStore, boot: Boot) -> None:
    """Make what the environment declares; what is there already stays as it is."""
    declared = boot.environment.storage
    known = {row["name"] for row in store.queues.listed("", "", 5000)}
    for name in declared.queues:
        if name not in known:
            store.queues.create(name, {})
    known = {row["name"] for row in store.blobs.containers("", "", 5000)}
    for name in declared.containers:
        if name not in known:
            store.blobs.create_container(name, {})
