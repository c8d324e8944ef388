"""`mandate policy`: what check, show, trace and test say of the example and of broken copies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hybridmandate.cli.policy import app

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"
GOOD = """
method = "POST"
path = "/data/views/vendors/v1"
headers = { x-correlation-id = "4c0b8a52-7a5e-4df5-9f0b-0d7a1f8f7e11" }
token = { roles = ["Data.View.Vendors"] }
json = {}
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "solution"))


def broken(copy: Path, old: str, new: str) -> Path:
    path = copy / "policies/apis/data/operations/view-vendors-v1/policy.xml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return path


def test_policies_of_the_example_load() -> None:
    result = run("check", "-s", EXAMPLE)
    assert result.exit_code == 0, result.output
    assert "all policies load" in result.output


def test_check_lists_every_finding_with_its_place(copy: Path) -> None:
    path = broken(
        copy,
        '<include-fragment fragment-id="mandate-forward" />',
        '<choose><when condition="true"><no-such/><publish-event/></when></choose>\n'
        "<set-body tone='x'/>",
    )
    result = run("check", "-s", copy)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert len(lines) == 3
    assert f"{path}:10:40: there is no policy <no-such>" in lines
    assert any(line.startswith(f"{path}:10:50: <publish-event> is not run here") for line in lines)
    assert any(line.startswith(f"{path}:11:17: <set-body> has no attribute") for line in lines)
    found = json.loads(run("check", "-s", copy, "--json").stdout)
    assert not found["ok"]
    assert [each["line"] for each in found["findings"]] == [10, 10, 11]


def test_a_finding_in_a_shared_fragment_is_told_once(copy: Path) -> None:
    folder = copy / "policies/policy fragments/mandate-forward"
    folder.mkdir(parents=True)
    (folder / "policy.xml").write_text("<fragment><nothing/></fragment>", "utf-8")
    result = run("check", "-s", copy)
    assert result.output.splitlines() == [
        f"{folder / 'policy.xml'}:1:11: there is no policy <nothing>"
    ]


def test_show_puts_outer_scopes_where_base_stands(copy: Path) -> None:
    broken(
        copy,
        "<base />\n        <set-variable",
        "<set-method>PUT</set-method>\n<base />\n<set-variable",
    )
    result = run("show", "data", "view-vendors-v1", "-s", copy)
    assert result.exit_code == 0, result.output
    inbound = result.output.split("</inbound>")[0]
    places = [
        inbound.index(each)
        for each in (
            "scope: operation",
            "set-method",
            "scope: global",
            "mandate-admission",
            "requiredRole",
        )
    ]
    assert places == sorted(places)
    assert "<base" not in result.output


def test_show_of_an_unknown_operation_names_those_that_are_there() -> None:
    result = run("show", "data", "nothing", "-s", EXAMPLE)
    assert result.exit_code == 1
    assert "view-vendors-v1" in result.output


@pytest.mark.parametrize(
    "arguments",
    [("check",), ("show", "data"), ("trace", "request.toml"), ("test",)],
)
def test_an_unknown_environment_is_told_with_those_that_exist(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "-s", EXAMPLE, "-e", "nope")
    assert result.exit_code == 1
    assert "or use one that exists: local" in result.output


def test_trace_tells_policies_with_section_scope_and_what_they_set(tmp_path: Path) -> None:
    file = tmp_path / "request.toml"
    file.write_text(GOOD, "utf-8")
    result = run("trace", file, "-s", EXAMPLE, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["answer"]["status"] == 200
    policies = found["policies"]
    role = next(
        each for each in policies if "variable requiredRole = Data.View.Vendors" in each["changes"]
    )
    assert (role["policy"], role["section"], role["scope"]) == (
        "set-variable",
        "inbound",
        "operation",
    )
    sections = [each["section"] for each in policies]
    assert list(dict.fromkeys(sections)) == ["inbound", "backend", "outbound"]
    forward = next(each for each in policies if each["policy"] == "forward-request")
    assert forward["milliseconds"] > 0
    own = next(each for each in policies if each["policy"] == "authentication-managed-identity")
    assert own["changes"] == ["request header authorization = (hidden)"]


def test_trace_of_a_refusal_shows_who_refused_and_no_token(tmp_path: Path) -> None:
    file = tmp_path / "request.toml"
    file.write_text(GOOD.replace("Data.View.Vendors", "Files.Store"), "utf-8")
    result = run("trace", file, "-s", EXAMPLE)
    lines = result.output.splitlines()
    # The policy that answers stands inside the choose that found the role missing.
    assert [line for line in lines if line.startswith("  choose") and "answered" in line]
    inner = [line for line in lines if line.lstrip().startswith("return-response (")]
    assert [line for line in inner if line.startswith("    ") and line.endswith("answered")]
    assert "answer 403, back end called 0 times" in result.output
    assert "eyJ" not in result.output
    file.write_text(GOOD.replace("token = ", "token.tid = 'other'\n#"), "utf-8")
    result = run("trace", file, "-s", EXAMPLE)
    assert "failed: Token" in result.output
    assert "on-error" in result.output


def test_files_of_the_example_pass() -> None:
    result = run("test", "-s", EXAMPLE)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "9 passed, 0 failed"


def test_a_policy_that_lets_everyone_in_fails_the_files(copy: Path) -> None:
    broken(copy, '<include-fragment fragment-id="mandate-role" />', "")
    result = run("test", "-s", copy)
    assert result.exit_code == 1
    assert "another role is forbidden: status is 200, not 403" in result.output
    assert result.output.splitlines()[-1] == "8 passed, 1 failed"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[case]]\nname = 1\nname = 2", "Cannot overwrite"),
        ("x = 1", "[[case]] tables are expected"),
        ("[[case]]\nname = 'a'\nrequest.path = '/'", "has no 'expect'"),
        ("[[case]]\nname='a'\nrequest.method='GET'\nexpect.status=1", "has no 'path'"),
        ("[[case]]\nname='a'\nrequest.path='/'\nexpect.stauts=1", "'stauts' is not known"),
        ("[[case]]\nname='a'\nrepeat=0\nrequest.path='/'\nexpect.status=1", "from 1"),
    ],
)
def test_a_file_that_tests_nothing_is_an_error(copy: Path, text: str, reason: str) -> None:
    (copy / "policies/tests/more.toml").write_text(text, "utf-8")
    result = run("test", "-s", copy)
    assert result.exit_code == 1
    assert reason in result.output


def test_a_solution_without_test_files_is_not_a_success(copy: Path) -> None:
    shutil.rmtree(copy / "policies/tests")
    assert run("test", "-s", copy).exit_code == 1
