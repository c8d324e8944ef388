"""One artefact of the example broken at a time: the check names its file, its place, the reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hybridmandate.local.solution_check import solution_findings
from hybridmandate.manifest import load_solution

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"
FLOW = "flows/InvoiceIntake-7C1E4B0A-52D6-4F3B-9E57-2B8A61D0C394.json"
STORE = "policies/apis/exec/operations/files-store-v1/policy.xml"

BROKEN = {
    "a key of a profile that nothing reads": (
        "profiles/invoice.toml",
        ("required = true", "requird = true"),
        "profiles/invoice.toml:",
        "columns.vendorNumber.requird",
    ),
    "a policy that is not one": (
        STORE,
        ('<include-fragment fragment-id="mandate-role" />', "<include-fragmnt />"),
        f"{STORE}:5",
        "there is no policy <include-fragmnt>",
    ),
    "a named value that nobody gives": (
        STORE,
        ("{{max-file-bytes}}", "{{max-bytes}}"),
        f"{STORE}:6",
        "no named value 'max-bytes'",
    ),
    "a flow that is cut off": (FLOW, ('"definition": {', '"definition": '), FLOW, "JSON"),
    "an action type that does not exist": (
        FLOW,
        ('"type": "InitializeVariable"', '"type": "InitialiseVariable"'),
        FLOW,
        "action type 'InitialiseVariable' is not supported",
    ),
    "a connection that the environment lacks": (
        "environments/local.toml",
        ("[connections.hm_teams]", "[connections.hm_other]"),
        FLOW,
        "environments/local.toml has no connection for it",
    ),
    "an operation that the connector does not have": (
        "connectors/mandate/apiDefinition.swagger.json",
        ('"operationId": "files_store_v1"', '"operationId": "files_keep_v1"'),
        FLOW,
        "its connector has no operation",
    ),
    "a table that is not described": (
        "mandate.toml",
        ('table = "hm_vendor"', 'table = "hm_supplier"'),
        "mandate.toml",
        "there is no table 'hm_supplier'",
    ),
    "a column that the table does not have": (
        "mandate.toml",
        ('"hm_name", ', '"hm_title", '),
        "mandate.toml",
        "the table 'hm_vendor' has no column 'hm_title'",
    ),
    "an operation that is not shipped": (
        "mandate.toml",
        ('"files.read/1"', '"files.reed/1"'),
        "mandate.toml",
        "files.reed",
    ),
    "a table file that cannot be read": (
        "tables/hm_vendor.json",
        ('"logicalName"', '"logicaName"'),
        "tables",
        "hm_vendor.json: KeyError",
    ),
}


@pytest.fixture(name="solution")
def _solution(tmp_path: Path) -> Path:
    return shutil.copytree(EXAMPLE, tmp_path / "solution")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} has no {old!r} any more"
    path.write_text(text.replace(old, new), encoding="utf-8")


def findings(solution: Path) -> list[str]:
    return [str(each) for each in solution_findings(load_solution(solution))]


def test_example_could_run(solution: Path) -> None:
    assert findings(solution) == []


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_artefact_is_named_with_its_place(what: str, solution: Path) -> None:
    file, (old, new), place, reason = BROKEN[what]
    change(solution / file, old, new)
    found = findings(solution)
    assert found
    assert all(each.startswith(place.partition(":")[0]) for each in found)
    assert any(each.startswith(place) and reason in each for each in found)


def test_an_environment_variable_needs_a_default_or_a_value(solution: Path) -> None:
    change(solution / FLOW, '"defaultValue": "incidents",', "")
    assert findings(solution) == []
    change(solution / "environments/local.toml", 'hm_operationschannel = "incidents"\n', "")
    assert findings(solution) == [
        f"{FLOW}: environment variable 'hm_operationschannel': it has no default, and "
        "environments/local.toml gives it no value. Add hm_operationschannel to [variables] there"
    ]


def test_a_connector_without_a_document_is_found(solution: Path) -> None:
    document = solution / "connectors/mandate/apiDefinition.swagger.json"
    document.write_text("[]", encoding="utf-8")
    (found,) = findings(solution)
    assert found.startswith(
        "connectors/mandate/apiDefinition.swagger.json: connection 'hm_mandate'"
    )


def test_an_operation_of_the_team_that_does_not_import_is_found(solution: Path) -> None:
    folder = solution / "operations"
    folder.mkdir()
    (folder / "prices.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    (found,) = findings(solution)
    assert "operations/prices.py, line 1: ModuleNotFoundError" in found


def test_a_finding_of_several_environments_stands_once(solution: Path) -> None:
    second = solution / "environments/dev.toml"
    shutil.copyfile(solution / "environments/local.toml", second)
    change(second, 'name = "local"\nkind = "local"', 'name = "dev"\nkind = "dev"')
    change(solution / STORE, "{{max-file-bytes}}", "{{max-bytes}}")
    assert len(findings(solution)) == 1
