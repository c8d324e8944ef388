"""A running account, one a session."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from storage_kit import Account, running


@pytest.fixture(scope="session", name="account")
def _account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running(tmp_path_factory.mktemp("account")) as account:
        yield account


@pytest.fixture(name="name")
def _name() -> str:
    """A name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:20]}"


@pytest.fixture(autouse=True)
def _no_machine_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """In `requests`, a CA bundle in the environment beats what a session was told to trust."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
