"""What `mandate read`, `normalize` and `profile` show a person, and what they write."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hybridmandate.cli.app import app

PROFILE = """
[profile]
name = "order"
version = 1
title = "Orders"
[columns.code]
type = "text"
required = true
[columns.amount]
type = "integer"
[[rules]]
code = "small"
message = "is above what is usual"
check = "amount <= 10"
severity = "warning"
"""


def called(*command: str, width: int = 100) -> Result:
    return CliRunner().invoke(app, command, env={"COLUMNS": str(width)})


def orders(folder: Path, *rows: str) -> tuple[str, str]:
    """A file of orders and its profile."""
    (folder / "order.csv").write_text("\n".join(("code,amount,remark", *rows, "")))
    (folder / "order.toml").write_text(PROFILE)
    return str(folder / "order.csv"), str(folder / "order.toml")


def test_read_keeps_the_lines_in_sight_when_a_table_is_wider_than_the_terminal(
    tmp_path: Path,
) -> None:
    wide = tmp_path / "wide.csv"
    wide.write_text(
        "".join(",".join(f"{word} {n}" for n in range(30)) + "\n" for word in ("name", "value"))
    )
    said = called("read", str(wide), width=60).stdout.splitlines()
    assert [line.split()[0] for line in said[-3:]] == ["line", "2", "and"]
    assert said[-1] == "and 25 more columns: --csv or --json gives all"


def test_read_says_how_many_lines_a_decision_is_about(tmp_path: Path) -> None:
    gaps = tmp_path / "gaps.csv"
    gaps.write_text("id,name\n" + "1,a\n,\n" * 12)
    said = called("read", str(gaps)).stdout
    assert "(lines 3, 5, 7, 9, 11, 13, 15, 17, 19, 21 and 2 more)" in " ".join(said.split())


def test_normalize_shows_warnings_and_columns_that_it_does_not_use(tmp_path: Path) -> None:
    file, profile = orders(tmp_path, "A-1,5,x", "A-2,50,y")
    said = called("normalize", file, "--profile", profile)
    assert said.exit_code == 0
    shown = " ".join(said.stdout.split())
    assert "warning, line 3: amount '50' is above what is usual [rule.small]" in shown
    assert "columns.ignored: columns that the profile does not name: remark (line 1)" in shown
    report = json.loads(called("normalize", file, "--profile", profile, "--json").stdout)
    assert [each["code"] for each in report["warnings"]] == ["rule.small"]
    assert report["ignoredHeaders"] == ["remark"]
    assert report["reviewNeeded"] is False


def test_normalize_says_how_many_errors_it_does_not_show(tmp_path: Path) -> None:
    file, profile = orders(tmp_path, *[f"A-{n},many," for n in range(30)], "B-1,1,")
    said = called("normalize", file, "--profile", profile)
    assert said.exit_code == 1
    assert "and 10 more: --json lists all" in said.stdout
    assert "a person decides: more than 20% of the rows were rejected" in said.stdout


def test_normalize_writes_what_a_submitter_and_a_machine_need(tmp_path: Path) -> None:
    file, profile = orders(tmp_path, "A-1,5,x", ",many,y")
    out = tmp_path / "out"
    called("normalize", file, "--profile", profile, "--output", str(out))
    assert {each.name for each in out.iterdir()} == {
        *("accepted.csv", "accepted.parquet", "errors.jsonl", "rejected-rows.xlsx")
    }
    errors = [json.loads(line) for line in (out / "errors.jsonl").read_text().splitlines()]
    assert [(each["line"], each["code"]) for each in errors] == [
        (3, "required"),
        (3, "integer.format"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "wrong.toml: not UTF-8 text, as TOML must be"),
        (b"[profile", "wrong.toml: not valid TOML"),
        (b"[profile]\nname = 'x'\nversion = 0\n", "wrong.toml: profile.version: "),
    ],
)
def test_wrong_profile_is_refused_with_its_file_and_place(
    content: bytes, said: str, tmp_path: Path
) -> None:
    file, _ = orders(tmp_path, "A-1,5,x")
    wrong = tmp_path / "wrong.toml"
    wrong.write_bytes(content)
    for command, code in ((("normalize", file, "--profile"), 2), (("profile", "show"), 1)):
        refused = called(*command, str(wrong))
        assert refused.exit_code == code
        assert said in refused.stderr


def test_two_files_with_one_version_of_a_profile_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    for name in ("a.toml", "b.toml"):
        (folder / name).write_text(PROFILE)
    refused = called("profile", "show", "order", "--solution", str(tmp_path))
    assert refused.exit_code == 1
    assert "b.toml: profile 'order/1' is in a.toml as well" in refused.stderr
