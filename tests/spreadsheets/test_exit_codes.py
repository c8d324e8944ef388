"""The exit codes of the spreadsheet commands, as the page tells them; JSON stands alone."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybridmandate.cli.app import app

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"
SAMPLES = EXAMPLE / "samples"
CORPUS = Path(__file__).parent / "corpus"
NORMALIZE = ("normalize", "--solution", str(EXAMPLE), "--profile", "invoice", "--json")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("read", str(SAMPLES / "01-clean.csv"), "--json"), 0),
        (("read", str(CORPUS / "refused-noise.csv"), "--json"), 2),
        (("read", str(CORPUS / "book-two-sheets.xlsx"), "--json"), 2),
        (("read", "missing.csv", "--json"), 2),
        (("read", str(SAMPLES / "01-clean.csv"), "--off", "rows.made_up"), 2),
        ((*NORMALIZE, str(SAMPLES / "01-clean.csv")), 0),
        ((*NORMALIZE, str(SAMPLES / "03-odd-dates.csv")), 1),
        ((*NORMALIZE, str(SAMPLES / "10-no-spreadsheet.csv")), 2),
        ((*NORMALIZE, "missing.csv"), 2),
        (("normalize", str(SAMPLES / "01-clean.csv"), "--profile", "missing.toml"), 2),
        (("profile", "show", "invoice", "--solution", str(EXAMPLE)), 0),
        (("profile", "show", "order", "--solution", str(EXAMPLE)), 1),
        (("profile", "infer", str(SAMPLES / "01-clean.csv")), 0),
        (("profile", "infer", str(CORPUS / "no-header.csv")), 2),
        (("profile", "infer", "missing.csv"), 2),
    ],
)
def test_command_ends_with_the_code_of_its_outcome(command: tuple[str, ...], code: int) -> None:
    assert CliRunner().invoke(app, command).exit_code == code


def test_nothing_accepted_ends_with_2(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("Vendor No,Invoice No,Date,Amount,Currency\nx,1,soon,much,EUR\n")
    assert CliRunner().invoke(app, [*NORMALIZE, str(wrong)]).exit_code == 2


@pytest.mark.parametrize("name", ["01-clean.csv", "03-odd-dates.csv", "10-no-spreadsheet.csv"])
def test_standard_output_is_one_json_document(name: str) -> None:
    for command in (("read", "--json"), NORMALIZE):
        said = CliRunner().invoke(app, [*command, str(SAMPLES / name)]).stdout
        assert isinstance(json.loads(said), dict)


def test_progress_is_told_on_standard_error_only() -> None:
    command = [*NORMALIZE, str(SAMPLES / "03-odd-dates.csv")]
    told = [json.loads(x)["progress"] for x in CliRunner().invoke(app, command).stderr.splitlines()]
    assert told[-1] == {"done": 7, "total": 7, "unit": "rows, 6 accepted, 1 rejected"}
    command.remove("--json")
    plain = CliRunner().invoke(app, command)
    assert plain.stderr.splitlines()[-1] == "7 of 7 rows, 6 accepted, 1 rejected"
    assert "of 7 rows, 6" not in plain.stdout
