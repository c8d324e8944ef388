"""A running stand-in, one an xdist worker; state in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running_tenant import Tenant, running_tenant


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with running_tenant(tmp_path_factory.mktemp("entra")) as started:
        yield started


@pytest.fixture
def own_tenant(tmp_path: Path) -> Iterator[Tenant]:
    """A stand-in of the test's own, whose clock and keys it may change for good."""
    with running_tenant(tmp_path) as started:
        yield started


@pytest.fixture
def tenant(running: Tenant) -> Tenant:
    """The running stand-in with switches and evidence as at the start."""
    running.evidence.records.clear()
    for each in running.directory.workloads:
        running.store.set_enabled(each.client_id, each.enabled)
    return running


@pytest.fixture(autouse=True)
def _no_machine_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """In `requests`, a CA bundle in the environment beats what a session was told to trust."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
