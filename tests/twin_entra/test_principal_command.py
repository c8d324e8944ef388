"""`mandate principal`: what it says, and that a running issuer obeys at once."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from entra_kit import small_directory
from typer.testing import CliRunner, Result

from hybridmandate.cli.principal import app
from hybridmandate.twin.entra.store import EntraStore


@pytest.fixture
def store(tmp_path: Path) -> EntraStore:
    opened = EntraStore(tmp_path / "entra", time.time)
    opened.save_directory(small_directory())
    return opened


def run(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--state", str(tmp_path)])


def test_list_shows_every_principal_as_json(store: EntraStore, tmp_path: Path) -> None:
    rows = {each["name"]: each for each in json.loads(run(tmp_path, "list", "--json").stdout)}
    assert rows.keys() == {"flow", "stranger", "federated", "gateway"}
    assert rows["flow"]["roles"]["gateway-api"] == ["Files.Store"]
    assert rows["flow"]["enabled"] is True
    assert rows["flow"]["credentialExpiry"] is None
    assert rows["gateway"]["kind"] == "managed-identity"


def test_list_prints_a_table(store: EntraStore, tmp_path: Path) -> None:
    answer = run(tmp_path, "list")
    assert answer.exit_code == 0
    assert "flow" in answer.stdout


def test_disable_and_enable_reach_a_running_issuer(store: EntraStore, tmp_path: Path) -> None:
    flow = small_directory().workloads[0]
    assert run(tmp_path, "disable", "flow").exit_code == 0
    assert not store.is_enabled(flow)
    assert run(tmp_path, "enable", "flow").exit_code == 0
    assert store.is_enabled(flow)


def test_rotate_keeps_the_old_certificate_for_the_overlap(
    store: EntraStore, tmp_path: Path
) -> None:
    flow = small_directory().workloads[0]
    assert run(tmp_path, "rotate", "flow").exit_code == 0
    first = (tmp_path / "credentials" / "flow.pem").read_bytes()
    before = time.time()
    assert run(tmp_path, "rotate", "flow", "--overlap", "1 h").exit_code == 0
    second = (tmp_path / "credentials" / "flow.pem").read_bytes()
    assert first != second
    by_end = sorted(store.credentials(flow.client_id).certificates, key=lambda c: c.expires_at)
    for kept, file in zip(by_end, (first, second), strict=True):
        assert kept.pem.encode() in file
    assert before + 3600 <= by_end[0].expires_at <= time.time() + 3600
    assert by_end[1].expires_at > before + 170 * 86400
    assert [each.name for each in (tmp_path / "credentials").iterdir()] == ["flow.pem"]


REFUSED = [
    (("disable", "nobody"), "there is no principal 'nobody'"),
    (("rotate", "gateway"), "no certificate to rotate"),
    (("rotate", "flow", "--overlap", "soon"), "is not a duration"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_done_says_why(
    store: EntraStore, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    answer = run(tmp_path, *arguments)
    assert answer.exit_code == 1
    assert message in answer.output


def test_without_state_it_says_what_to_do(tmp_path: Path) -> None:
    answer = run(tmp_path, "list")
    assert answer.exit_code == 1
    assert "mandate up" in answer.output
