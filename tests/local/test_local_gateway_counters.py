"""What the gateway's processes count with: a file of one machine, or a database of several."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from hybridmandate.governance.gateway.counters import Counters
from hybridmandate.local.boot import Boot
from hybridmandate.local.machine import LocalRun, VariableUnset
from hybridmandate.local.processes.gateway_counters import gateway_counters

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"
VARIABLE = "COUNTERS_URL"


@pytest.fixture(name="shared")
def _shared(tmp_path: Path) -> Path:
    """A solution whose gateways count together in a database."""
    folder = tmp_path / "solution"
    shutil.copytree(EXAMPLE, folder)
    environment = folder / "environments" / "local.toml"
    told = f'\n[gateway]\ncounters_url_variable = "{VARIABLE}"\n'
    environment.write_text(environment.read_text() + told)
    return folder


def used(counters: Counters) -> float:
    return counters.slide("key", 100, 60, 1).used


async def test_gateways_of_two_machines_hear_of_each_others_counts(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path / 'counts.db'}")
    machines = [LocalRun.prepare(shared, "local", tmp_path / name) for name in ("one", "two")]
    boots = [
        Boot("gateway", each.machine.plan, each.supervisor.environment("gateway"))
        for each in machines
    ]
    (first, work), (second, more) = (gateway_counters(each) for each in boots)
    running = [asyncio.create_task(each()) for each in (*work, *more)]
    for _ in range(10):
        used(first)
    deadline = time.monotonic() + 10
    while used(second) < 10 and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert used(second) >= 10
    for task in running:
        task.cancel()
    for each in boots:
        each.evidence.close()


def test_processes_of_one_machine_count_in_one_file(tmp_path: Path) -> None:
    plan = LocalRun.prepare(EXAMPLE, "local", tmp_path).machine.plan
    counted = [gateway_counters(Boot(name, plan, {}))[0] for name in ("gateway", "gateway-2")]
    assert [used(each) for each in counted * 2] == [1, 2, 3, 4]


def test_only_the_gateway_gets_the_address_of_the_counts(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://counts:secret@localhost/counts")
    run = LocalRun.prepare(shared, "local", tmp_path / "state")
    told = {name for name in run.supervisor.names if VARIABLE in run.supervisor.environment(name)}
    assert told == {name for name in run.supervisor.names if name.startswith("gateway")}
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"counts:secret" in path.read_bytes()]


def test_variable_that_is_not_set_is_told_before_anything_starts(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(VariableUnset, match=f"{VARIABLE}, which is not set"):
        LocalRun.prepare(shared, "local", tmp_path / "state")
