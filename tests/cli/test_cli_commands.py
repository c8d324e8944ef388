"""The command line: helpful errors, exit codes, JSON for machines, help at once."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybridmandate import __version__
from hybridmandate.cli.app import app
from hybridmandate.cli.reference_pages import commands_page

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "vendor-invoices"
RUNNER = CliRunner()


def run(*arguments: str) -> tuple[int, str]:
    result = RUNNER.invoke(app, list(arguments), env={"COLUMNS": "200", "NO_COLOR": "1"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_version() -> None:
    assert run("--version") == (0, f"mandate {__version__}\n")


def test_every_command_has_help_with_an_example() -> None:
    sections = commands_page().split("\n## mandate ")[1:]
    assert len(sections) >= 12
    for section in sections:
        name = section.splitlines()[0]
        if name not in ("lock",):
            assert "mandate" in section.split("\n", 1)[1], f"mandate {name} shows no example"


def test_check_tells_what_loads() -> None:
    code, output = run("check", "--solution", str(EXAMPLE))
    assert code == 0
    assert "three owners" in output


def test_check_lists_every_finding_and_fails(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "mandate.toml", tmp_path)
    text = (tmp_path / "mandate.toml").read_text()
    (tmp_path / "mandate.toml").write_text(text.replace('class = "departmental"', 'class = "x"'))
    code, output = run("check", "--solution", str(tmp_path), "--json")
    assert code == 1
    (finding,) = json.loads(output)["findings"]
    assert finding["where"] == "solution.class"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("call", "files.store/1"), "mandate up"),
        (("call", "files.store"), "name/version"),
        (("resubmit", "x"), "mandate up"),
        (("approvals",), "mandate up"),
        (("trace", "0f8fad5b-d9cb-469f-a165-70867728950e"), "--state"),
        (("bench", "nothing"), "there is no benchmark"),
        (("check",), "is missing"),
    ],
)
def test_error_says_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = run(*arguments)
    assert code == 1
    assert says in output


def test_body_that_is_not_json_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    code, output = run("call", "a.b/1", "--body", "{", "--state", str(tmp_path))
    assert code == 1
    assert "not JSON" in output


def test_demo_does_not_empty_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    code, output = run("demo", "--state", str(tmp_path))
    assert code == 1
    assert "name another" in output
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_up_refuses_a_solution_that_does_not_load(tmp_path: Path) -> None:
    code, output = run("up", "--solution", str(tmp_path), "--state", str(tmp_path / "state"))
    assert code == 1
    assert "does not load" in output


def test_check_and_up_name_what_an_artefact_lacks_before_anything_starts(tmp_path: Path) -> None:
    broken = shutil.copytree(EXAMPLE, tmp_path / "solution")
    (broken / "profiles" / "second.toml").write_text("colour = 1", encoding="utf-8")
    for command in (("check",), ("up", "--state", str(tmp_path / "state"))):
        code, output = run(*command, "--solution", str(broken))
        assert code == 1
        assert "profiles/second.toml:1: colour: " in output
    assert not (tmp_path / "state").exists()


def test_help_does_not_import_heavy_libraries() -> None:
    heavy = "polars,dbos,lxml,sqlalchemy,aiohttp,httpx,cryptography,babel,starlette,numpy,pydantic"
    script = (
        "import sys\n"
        "from hybridmandate.cli.app import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        f"loaded = [m for m in '{heavy}'.split(',') if m in sys.modules]\n"
        "sys.stderr.write(','.join(loaded))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stderr == ""
    assert "demo" in result.stdout


def test_launcher_says_what_it_needs_when_python_is_too_old(tmp_path: Path) -> None:
    """The launcher is run with a version that it must refuse, and no newer one in reach."""
    text = (ROOT / "mandate").read_text().replace("NEEDED = (3, 11)", "NEEDED = (3, 99)")
    launcher = tmp_path / "mandate"
    launcher.write_text(text)
    result = subprocess.run(
        [sys.executable, str(launcher)],
        capture_output=True,
        text=True,
        env={"PATH": ""},
        check=False,
    )
    assert result.returncode == 1
    assert "needs Python 3.99 or newer" in result.stderr
    assert "Install it" in result.stderr


def test_launcher_can_be_read_by_old_pythons() -> None:
    """No syntax newer than the oldest Python 3 that may meet it."""
    import ast

    ast.parse((ROOT / "mandate").read_text(), feature_version=(3, 5))


def test_exported_table_holds_no_cell_that_runs_as_a_formula(tmp_path: Path) -> None:
    given = tmp_path / "given.csv"
    given.write_text(
        "name,amount,remark\nAda,-12.5,=1+1\nBob,+3,@SUM(A1)\nCy,7,-cmd\n", encoding="utf-8"
    )
    written = tmp_path / "written.csv"
    code, output = run("read", str(given), "--csv", str(written))
    assert code == 0, output
    with written.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["name", "amount", "remark"],
        ["Ada", "-12.5", "'=1+1"],
        ["Bob", "+3", "'@SUM(A1)"],
        ["Cy", "7", "'-cmd"],
    ]
