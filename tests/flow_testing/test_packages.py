"""The forms in which flows come: packages, folders, files; and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from hybridmandate.orchestration.definition import DefinitionInvalid, load_flow, packages
from hybridmandate.orchestration.definition.packages import (
    FlowPackage,
    find_flows,
    is_desktop_flow,
)

GUID = "7C1E4B0A-52D6-4F3B-9E57-2B8A61D0C394"
DEFINITION = {
    "contentVersion": "1.0.0.0",
    "triggers": {"manual": {"type": "Request", "kind": "Button", "inputs": {}}},
    "actions": {"Say": {"type": "Compose", "inputs": "hello", "runAfter": {}}},
}
ENVELOPE = {
    "properties": {"connectionReferences": {}, "definition": DEFINITION, "templateName": ""},
    "schemaVersion": "1.0.0.0",
}
LEGACY = {
    "name": GUID.lower(),
    "properties": {"apiId": "/a", "displayName": "Say hello", "definition": DEFINITION},
}
DESKTOP = {"schemaversion": "ROBIN", "targets": {}, "properties": {"definition": ""}}
SOLUTION = f"Workflows/SayHello-{GUID}.json"
OLD = f"Microsoft.Flow/flows/{GUID.lower()}/definition.json"


def zipped(entries: dict[str, object]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in entries.items():
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            archive.writestr(name, data)
    return target.getvalue()


@pytest.mark.parametrize(
    ("entry", "tree", "name"), [(SOLUTION, ENVELOPE, "SayHello"), (OLD, LEGACY, "Say hello")]
)
def test_a_package_gives_its_flows(entry: str, tree: object, name: str) -> None:
    package = FlowPackage("p.zip", zipped({entry: tree, "solution.xml": b"<x/>"}))
    (found,) = package.flows
    assert found.document is not None
    assert (found.document.name, found.document.workflow_id) == (name, GUID.lower())
    assert set(load_flow(found.document).actions) == {"Say"}


def test_a_folder_gives_files_and_packages_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "src/Workflows").mkdir(parents=True)
    (tmp_path / "src" / SOLUTION).write_text(json.dumps(ENVELOPE))
    inner = zipped({SOLUTION: ENVELOPE})
    (tmp_path / "appsource.zip").write_bytes(zipped({"PkgAssets/solution.zip": inner}))
    (tmp_path / "notes.json").write_text("{}")
    assert [each.entry for each in find_flows(tmp_path)] == [
        f"appsource.zip!PkgAssets/solution.zip!{SOLUTION}",
        f"src/{SOLUTION}",
    ]


def test_an_unchanged_package_is_written_back_byte_for_byte() -> None:
    raw = zipped({SOLUTION: ENVELOPE, "solution.xml": b"<x/>"})
    package = FlowPackage("p.zip", raw)
    assert package.to_bytes() == raw
    changed = package.to_bytes({SOLUTION: b"{}"})
    with zipfile.ZipFile(io.BytesIO(changed)) as archive:
        assert archive.read(SOLUTION) == b"{}"
        assert archive.read("solution.xml") == b"<x/>"
    with pytest.raises(KeyError, match=r"nothing\.json"):
        package.to_bytes({"nothing.json": b""})


def test_a_desktop_flow_is_told_apart() -> None:
    (found,) = FlowPackage("p.zip", zipped({SOLUTION: DESKTOP})).flows
    assert found.document is None
    assert found.fault is not None
    assert is_desktop_flow(found.fault)


def test_what_is_no_package_is_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 not really")
    (found,) = find_flows(tmp_path)
    assert "no .zip" in str(found.fault)


def test_a_package_that_unpacks_to_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = zipped({SOLUTION: b" " * 100_000})
    monkeypatch.setattr(packages, "MAX_UNPACKED_BYTES", 50_000)
    with pytest.raises(DefinitionInvalid, match="more than is read"):
        FlowPackage("bomb.zip", raw)
