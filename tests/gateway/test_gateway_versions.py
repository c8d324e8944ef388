"""Version sets and revisions of the extractor's folder, executed by the real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from extractor_folder import ExtractorFolder, served

from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.gateway import Gateway
from hybridmandate.governance.gateway.layout import load_layout

IN_SET = {"apiVersionSetId": "/apiVersionSets/orders"}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> ExtractorFolder:
    return ExtractorFolder(tmp_path / "policies")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/orders/v1/items", (200, "orders-v1")),
        ("/orders/v2/items", (200, "orders-v2")),
        ("/orders/items", (200, "orders")),
        ("/orders/v3/items", 404),
    ],
)
async def test_segment_version_is_part_of_the_path(
    folder: ExtractorFolder, path: str, answer: Any
) -> None:
    folder.version_set("Segment")
    folder.api("orders", **IN_SET)
    folder.api("orders-v1", apiVersion="v1", **IN_SET)
    folder.api("orders-v2", apiVersion="v2", **IN_SET)
    async with served(folder.path) as front:
        status, text = await front.get(path)
    assert status == answer if isinstance(answer, int) else (status, text) == answer


@pytest.mark.parametrize(
    ("path", "headers", "answer"),
    [
        ("/orders/items", {"api_version": "2026-01-01"}, (200, "dated")),
        ("/orders/items", {"API_VERSION": "2026-01-01"}, (200, "dated")),
        ("/orders/items", {}, (200, "original")),
        ("/orders/items", {"api_version": "2030-01-01"}, 404),
        ("/orders/items", {"api_version": "2026-01-01, 2030-01-01"}, 404),
        ("/orders/2026-01-01/items", {}, 404),
    ],
)
async def test_header_version_is_told_by_the_named_header(
    folder: ExtractorFolder, path: str, headers: dict[str, str], answer: Any
) -> None:
    folder.version_set("Header", versionHeaderName="api-version")
    folder.api("original", **IN_SET)
    folder.api("dated", apiVersion="2026-01-01", **IN_SET)
    async with served(folder.path) as front:
        status, text = await front.get(path, **headers)
    assert status == answer if isinstance(answer, int) else (status, text) == answer


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/orders/items?v=2", (200, "second")),
        ("/orders/items?a=b&v=2", (200, "second")),
        ("/orders/items", 404),
        ("/orders/items?v=1", 404),
    ],
)
async def test_query_version_without_an_original_must_be_asked_for(
    folder: ExtractorFolder, path: str, answer: Any
) -> None:
    folder.version_set("Query", versionQueryName="v")
    folder.api("second", apiVersion="2", **IN_SET)
    async with served(folder.path) as front:
        status, text = await front.get(path)
    assert status == answer if isinstance(answer, int) else (status, text) == answer


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/orders/items", (200, "orders")),
        ("/orders;rev=2/items", (200, "orders;rev=2")),
        ("/orders/items;rev=2", (200, "orders;rev=2")),
        ("/orders;rev=1/items", (200, "orders")),
        ("/orders;rev=3/items", 404),
        ("/orders;rev=0/items", 404),
        ("/orders;rev=2;rev=1/items", 404),
        ("/ord;rev=2ers/items", 404),
        ("/orders/it;rev=2/items", 404),
    ],
)
async def test_revision_is_asked_for_by_number_and_the_current_one_answers_otherwise(
    folder: ExtractorFolder, path: str, answer: Any
) -> None:
    folder.api("orders", apiRevision="1", isCurrent=True)
    folder.api("orders;rev=2", apiRevision="2", isCurrent=False)
    async with served(folder.path) as front:
        status, text = await front.get(path)
    assert status == answer if isinstance(answer, int) else (status, text) == answer


async def test_evidence_names_the_version_that_answered(folder: ExtractorFolder) -> None:
    folder.version_set("Segment")
    folder.api("orders-v2", apiVersion="v2", **IN_SET)
    async with served(folder.path) as front:
        await front.get("/orders/v2/items")
    [call] = front.evidence.records
    assert (call.detail["api"], call.detail["version"]) == ("orders-v2", "v2")


WRONG: list[tuple[str, list[tuple[str, dict[str, Any]]], dict[str, Any] | None]] = [
    ("no version set", [("a", {"apiVersion": "v1"})], None),
    ("there is no version set 'orders'", [("a", {"apiVersion": "v1", **IN_SET})], None),
    (
        "needs a versionHeaderName",
        [("a", {"apiVersion": "v1", **IN_SET})],
        {"versioningScheme": "Header"},
    ),
    (
        "versioningScheme 'Path' is none of Segment, Header, Query",
        [("a", {"apiVersion": "v1", **IN_SET})],
        {"versioningScheme": "Path"},
    ),
    (
        "cannot stand in a path",
        [("a", {"apiVersion": "v1/x", **IN_SET})],
        {"versioningScheme": "Segment"},
    ),
    ("revision 1 of version '' twice", [("a", {}), ("b", {})], None),
    (
        "revision 1 of version 'v1' twice",
        [("a", {"apiVersion": "v1", **IN_SET}), ("b", {"apiVersion": "v1", **IN_SET})],
        {"versioningScheme": "Query", "versionQueryName": "v"},
    ),
    (
        "has versions of another set or none",
        [("a", {"apiVersion": "v1", **IN_SET}), ("b", {})],
        {"versioningScheme": "Query", "versionQueryName": "v"},
    ),
    ("none that is current", [("a;rev=2", {"apiRevision": "2", "isCurrent": False})], None),
    ("the folder is of revision 2, apiRevision says 3", [("a;rev=2", {"apiRevision": "3"})], None),
    (
        "the current revision",
        [("a", {}), ("a;rev=2", {"apiRevision": "2", "isCurrent": True})],
        None,
    ),
]


@pytest.mark.parametrize(("reason", "apis", "version_set"), WRONG)
def test_what_cannot_be_served_is_refused_at_load_with_its_file_and_reason(
    folder: ExtractorFolder,
    reason: str,
    apis: list[tuple[str, dict[str, Any]]],
    version_set: dict[str, Any] | None,
) -> None:
    for name, properties in apis:
        folder.api(name, **properties)
    if version_set is not None:
        folder.write("version sets/orders/versionSetInformation.json", version_set)
    with pytest.raises(PolicyDocumentError) as refused:
        Gateway(load_layout(folder.path))
    assert reason in refused.value.reason
    assert refused.value.file.endswith("Information.json")


def test_one_path_cannot_have_versions_of_two_sets(folder: ExtractorFolder) -> None:
    folder.version_set("Query", versionQueryName="v")
    other = {"versioningScheme": "Header", "versionHeaderName": "v"}
    folder.write("version sets/other/versionSetInformation.json", other)
    folder.api("a", path="orders", apiVersion="v1", **IN_SET)
    folder.api("b", path="orders", apiVersion="v2", apiVersionSetId="/apiVersionSets/other")
    with pytest.raises(PolicyDocumentError, match="has versions of another set"):
        Gateway(load_layout(folder.path))
