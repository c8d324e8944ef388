"""`mandate call` and `mandate run` end with the code of what they came to; nothing is started."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hybridmandate.cli import run as commands
from hybridmandate.cli.app import app
from hybridmandate.cli.gateway_call import Answer


def ended(monkeypatch: pytest.MonkeyPatch, name: str, value: Any, *command: str) -> int:
    """The exit code of a command whose conversation with the solution came to a value."""

    async def came_to(*_: Any) -> Any:
        return value

    monkeypatch.setattr(commands, name, came_to)
    return CliRunner().invoke(app, command).exit_code


@pytest.mark.parametrize(
    ("status", "outcome", "wait", "code"),
    [
        (200, "succeeded", "5", 0),
        (200, "partiallySucceeded", "5", 0),
        (202, "accepted", "5", 3),
        (202, "accepted", "0", 0),
        (401, "failed", "5", 1),
        (422, "rejected", "5", 1),
        (429, "failed", "5", 1),
        (500, "failed", "5", 1),
        (504, "failed", "5", 1),
    ],
)
def test_call_ends_with_the_code_of_its_answer(
    status: int, outcome: str, wait: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answer(status, {"status": outcome}, {})
    assert (
        ended(monkeypatch, "_call", answer, "call", "a.b/1", "--body", "{}", "--wait", wait) == code
    )


@pytest.mark.parametrize(
    ("status", "wait", "code"),
    [
        ("Succeeded", "5", 0),
        ("Failed", "5", 1),
        ("TimedOut", "5", 1),
        ("Cancelled", "5", 1),
        ("Running", "5", 3),
        ("Waiting", "5", 3),
        ("Running", "0", 0),
    ],
)
def test_run_ends_with_the_code_of_its_flow(
    status: str, wait: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n1\n")
    run = {"flow": "Intake", "status": status, "correlationId": "c-1"}
    command = ("run", "Intake", "--file", str(file), "--wait", wait)
    assert ended(monkeypatch, "_drop_and_follow", run, *command) == code
