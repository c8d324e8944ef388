"""A request finds the API with the longest path and the most literal operation."""

from __future__ import annotations

import pytest

from hybridmandate.governance.gateway.routing import ApiTable, OperationTable

OPERATIONS = OperationTable(
    [
        ("GET", "/items", "list"),
        ("GET", "/items/{id}", "one"),
        ("GET", "/items/special", "special"),
        ("POST", "/operations/{operation}/v{version}", "operate"),
        ("*", "/files/*", "files"),
        ("GET", "/rest/{*path}", "rest"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "target", "parameters"),
    [
        ("GET", "/items", "list", {}),
        ("GET", "/items/", "list", {}),
        ("GET", "/items/7", "one", {"id": "7"}),
        ("GET", "/items/a%20b", "one", {"id": "a b"}),
        ("GET", "/items/special", "special", {}),
        (
            "POST",
            "/operations/files.store/v1",
            "operate",
            {"operation": "files.store", "version": "1"},
        ),
        ("DELETE", "/files/a/b", "files", {}),
        ("GET", "/rest/a/b", "rest", {"path": "a/b"}),
    ],
)
def test_an_operation_is_found(
    method: str, path: str, target: str, parameters: dict[str, str]
) -> None:
    match = OPERATIONS.find(method, path)
    assert match is not None
    assert match.target == target
    assert match.parameters == parameters


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/items"),
        ("GET", "/items/7/more"),
        ("GET", "/"),
        ("POST", "/operations/files.store/1"),
        ("POST", "/operations/files.store/v"),
    ],
)
def test_what_matches_nothing_is_not_found(method: str, path: str) -> None:
    assert OPERATIONS.find(method, path) is None


def test_the_longest_api_path_wins_on_whole_segments() -> None:
    table = ApiTable([("a", "short"), ("a/b", "long"), ("", "root")])
    assert table.find("/a/b/c") == ("long", "/c")
    assert table.find("/a/bc") == ("short", "/bc")
    assert table.find("/a") == ("short", "/")
    assert table.find("/ab") == ("root", "/ab")
    assert ApiTable([("a", "x")]).find("/b") is None
