"""`mandate flow …` and `mandate conformance …` from the command line, and the pytest plugin."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab_flows import ACTIONS, write_solution
from typer.testing import CliRunner

from hybridmandate.cli import conformance, flow

EXAMPLE = "examples/vendor-invoices"
RUNNER = CliRunner()
PLUGIN = "hybridmandate.orchestration.testing.plugin"


def test_show_prints_an_outline_and_a_diagram() -> None:
    shown = RUNNER.invoke(flow.app, ["show", "invoice-intake", "-s", EXAMPLE]).output
    assert "Ask_for_approval: calls shared_approvals.StartAndWaitForAnApproval" in shown
    assert "[when Try is Failed or TimedOut]" in shown
    drawn = RUNNER.invoke(flow.app, ["show", "invoice-intake", "-s", EXAMPLE, "--diagram"]).output
    assert drawn.startswith("flowchart TD")
    assert drawn.count("subgraph") == drawn.count("end\n")


def test_run_answers_with_mocks_and_exports_a_history(tmp_path: Path) -> None:
    folder = write_solution(tmp_path)
    mocks, history = tmp_path / "mocks.json", tmp_path / "run.json"
    mocks.write_text(json.dumps({"ListRecords": {"value": [{"amount": 500, "due": "2026-01-31"}]}}))
    ended = RUNNER.invoke(
        flow.app,
        ["run", "ShipRows", "-s", str(folder), "--mocks", str(mocks), "--export", str(history)],
    )
    assert ended.exit_code == 0, ended.output
    assert "Succeeded  Post[0]" in ended.output
    assert json.loads(history.read_text())["properties"]["status"] == "Succeeded"


def test_a_run_that_fails_ends_with_1(tmp_path: Path) -> None:
    broken = {"Read": {"type": "Compose", "inputs": "@int('x')", "runAfter": {}}}
    ended = RUNNER.invoke(
        flow.app, ["run", "ShipRows", "-s", str(write_solution(tmp_path, broken))]
    )
    assert ended.exit_code == 1
    assert "run Failed" in ended.output


def test_coverage_lists_what_does_not_run_and_counts() -> None:
    found = RUNNER.invoke(flow.app, ["coverage", EXAMPLE])
    assert found.output.splitlines()[-1].endswith("1 load, 1 run")


def test_limits_end_with_1_when_one_is_over(tmp_path: Path) -> None:
    many = {f"A{n}": {"type": "Compose", "inputs": n, "runAfter": {}} for n in range(501)}
    folder = str(write_solution(tmp_path, many))
    over = RUNNER.invoke(flow.app, ["limits", "-s", folder, "--profile", "medium", "--json"])
    assert over.exit_code == 1
    (actions,) = [e for e in json.loads(over.output) if e["limit"] == "flow.actions"]
    assert (actions["value"], actions["highest"], actions["level"]) == (501, 500, "over")
    assert RUNNER.invoke(flow.app, ["limits", "-s", EXAMPLE]).exit_code == 0


def test_limits_are_those_of_the_environment_unless_a_profile_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "solution"
    shutil.copytree(EXAMPLE, folder)
    with (folder / "environments" / "local.toml").open("a") as stream:
        stream.write('[flows]\nprofile = "low"\n')

    def profiles(*arguments: str) -> set[str]:
        found = RUNNER.invoke(flow.app, ["limits", "-s", str(folder), "--json", *arguments])
        return {each["profile"] for each in json.loads(found.output)}

    assert profiles() == {"low"}
    assert profiles("--profile", "high") == {"high"}
    wrong = RUNNER.invoke(flow.app, ["limits", "-s", str(folder), "-e", "mars"])
    assert wrong.exit_code == 1
    assert "no environment 'mars'" in wrong.output


def test_a_flow_is_shown_although_another_of_the_folder_is_broken(tmp_path: Path) -> None:
    folder = write_solution(tmp_path)
    (folder / "flows" / "Broken.json").write_text("{oops")
    assert RUNNER.invoke(flow.app, ["show", "ShipRows", "-s", str(folder)]).exit_code == 0
    broken = RUNNER.invoke(flow.app, ["show", "broken", "-s", str(folder)])
    assert broken.exit_code == 1
    assert "not JSON" in broken.output


def test_files_named_to_flow_test_are_run_instead_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    one = tmp_path / "tests" / "test_one.py"
    one.write_text("")
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "call", lambda command: commands.append(command) or 0)
    for arguments in (["-x"], [f"{one}::test_a"]):
        RUNNER.invoke(flow.app, ["test", "-s", str(tmp_path), "--", *arguments])
    assert [str(tmp_path / "tests") in each for each in commands] == [True, False]
    assert [each[-1] for each in commands] == ["-x", f"{one}::test_a"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["show", "nobody", "-s", EXAMPLE], "InvoiceIntake"),
        (["coverage", "no-such-folder"], "is not there"),
        (["limits", "-s", EXAMPLE, "--profile", "gold"], "no profile"),
        (["run", "invoice-intake", "-s", EXAMPLE, "--mocks", "LIST"], "JSON object is needed"),
        (["run", "invoice-intake", "-s", EXAMPLE, "--trigger", "LIST"], "JSON object is needed"),
        (["run", "invoice-intake", "-s", EXAMPLE, "--mocks", "OTHER"], "operation 'Nope' to mock"),
    ],
)
def test_a_wrong_argument_says_what_there_is(
    tmp_path: Path, arguments: list[str], word: str
) -> None:
    files = {"LIST": "[1, 2]", "OTHER": '{"Nope": 1}'}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    named = [str(tmp_path / each) if each in files else each for each in arguments]
    ended = RUNNER.invoke(flow.app, named)
    assert ended.exit_code == 2
    assert word in ended.output


def test_conformance_prints_failing_ids_and_the_counts_last(tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    cases.write_text(
        '{"id": "one", "expr": "@add(1, 2)", "expect": 3}\n'
        '{"id": "two", "expr": "@add(1, 2)", "expect": 4}\n'
    )
    ended = RUNNER.invoke(conformance.app, ["flow-expressions", str(cases)])
    assert ended.exit_code == 1
    assert ended.output.splitlines()[0].startswith("two: ")
    assert ended.output.splitlines()[-1] == "1 passed, 1 failed"


def test_a_file_that_is_no_case_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("not json\n")
    ended = RUNNER.invoke(conformance.app, ["flow-expressions", str(tmp_path / "x.jsonl")])
    assert ended.exit_code == 2


def pytest_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", "-q"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def test_the_flow_tests_of_the_example_pass_and_reach_every_branch() -> None:
    ended = pytest_run(f"{EXAMPLE}/tests", "--flow-coverage-min", "100")
    assert ended.returncode == 0, ended.stdout
    assert "InvoiceIntake: 100.0%" in ended.stdout


def test_coverage_below_the_minimum_fails_the_session(tmp_path: Path) -> None:
    folder = write_solution(tmp_path, ACTIONS)
    (folder / "test_rows.py").write_text(
        "def test_nothing_comes(flow, clock):\n"
        "    run = flow('ShipRows').mock('ListRecords', {'value': []}).trigger({})\n"
        "    assert run.action('Each_row').status == 'Succeeded'\n"
    )
    ended = pytest_run(str(folder / "test_rows.py"), "--flow-coverage-min", "90", "-c", "/dev/null")
    assert ended.returncode == 1, ended.stdout
    assert "not reached: Is_large/actions" in ended.stdout
