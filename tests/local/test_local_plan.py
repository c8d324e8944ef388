"""The plan of a run and the folder of its state."""

import json
import os
import socket
from pathlib import Path

import pytest

from hybridmandate.local.machine import AlreadyRunning, LocalRun, pid_file
from hybridmandate.local.run_plan import NotRunning, free_ports, make_plan, read_plan
from hybridmandate.local.state_folder import MAX_SOCKET_PATH, StateFolder

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"


def test_plan_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    StateFolder(tmp_path).prepare()
    plan = make_plan(EXAMPLE, "local", tmp_path)
    plan.write()
    assert read_plan(tmp_path) == plan
    assert len(set(plan.ports.values())) == len(plan.ports)
    assert plan.origin("entra").startswith("https://localhost:")
    assert plan.origin("gateway").startswith("http://127.0.0.1:")


def test_next_run_keeps_the_ports_that_are_still_free(tmp_path: Path) -> None:
    StateFolder(tmp_path).prepare()
    first = make_plan(EXAMPLE, "local", tmp_path)
    first.write()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first.ports["gateway"]))
        taken.listen()
        second = make_plan(EXAMPLE, "local", tmp_path)
    assert second.ports["gateway"] != first.ports["gateway"]
    assert {k: v for k, v in second.ports.items() if k != "gateway"} == {
        k: v for k, v in first.ports.items() if k != "gateway"
    }


def test_ports_are_distinct() -> None:
    ports = free_ports([f"p{n}" for n in range(20)], {})
    assert len(set(ports.values())) == 20


@pytest.mark.parametrize("content", [None, "", "not json", "[]", '{"solution": "x"}'])
def test_folder_in_which_nothing_was_started_is_told_so(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(NotRunning, match="nothing was started"):
        read_plan(tmp_path)


def test_secrets_and_sockets_are_for_the_owner_only(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    for each in (folder.credentials, folder.sockets):
        assert each.stat().st_mode & 0o077 == 0


def test_socket_path_of_a_deep_folder_still_fits(tmp_path: Path) -> None:
    deep = StateFolder(tmp_path / ("d" * 60) / ("e" * 60))
    path = deep.sockets / "execution.sock"
    assert len(os.fsencode(path)) <= MAX_SOCKET_PATH
    other = StateFolder(tmp_path / ("d" * 60) / ("f" * 60))
    assert other.sockets != deep.sockets


def test_second_run_with_the_same_state_is_refused(tmp_path: Path) -> None:
    pid_file(StateFolder(tmp_path)).write_text(str(os.getppid()))
    with pytest.raises(AlreadyRunning, match="stop it first"):
        LocalRun.prepare(EXAMPLE, "local", tmp_path)


def test_state_of_a_supervisor_that_died_can_be_used_again(tmp_path: Path) -> None:
    pid_file(StateFolder(tmp_path)).write_text("999999999")
    run = LocalRun.prepare(EXAMPLE, "local", tmp_path)
    passwords = json.loads((tmp_path / "credentials" / "people.json").read_text())
    assert "ada@contoso.example" in passwords
    again = LocalRun.prepare(EXAMPLE, "local", tmp_path)
    assert again.machine.plan.ports == run.machine.plan.ports
    assert json.loads((tmp_path / "credentials" / "people.json").read_text()) == passwords


def test_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    LocalRun.prepare(EXAMPLE, "local", tmp_path)
    files = [path for path in (tmp_path / "credentials").iterdir() if path.is_file()]
    assert len(files) >= 3
    for path in files:
        assert path.stat().st_mode & 0o077 == 0, path.name
