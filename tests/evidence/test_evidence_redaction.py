"""No secret gets into evidence, whoever hands it in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hybridmandate.evidence.redaction import MAX_DETAIL_BYTES, bounded_detail

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLWl0"


@pytest.mark.parametrize(
    "detail",
    [
        {"authorization": "4711-secret"},
        {"Authorization": ["4711-secret"]},
        {"headers": {"X-Client-Secret": "4711-secret"}},
        {"client_assertion": "4711-secret"},
        {"password": "4711-secret"},
        {"sig": "4711-secret"},
        {"accessToken": "4711-secret"},
        {"Ocp-Apim-Subscription-Key": "4711-secret"},
        {"note": "Bearer 4711-secret"},
        {"url": "https://x.blob.core.windows.net/a?sv=2024&sig=4711-secret%3D&se=1"},
        {"text": "Endpoint=sb://x/;SharedAccessKey=4711-secret="},
        {"body": "grant_type=x&client_secret=4711-secret&scope=y"},
        {"pem": "-----BEGIN PRIVATE KEY-----\n4711-secret"},
        {"deep": [{"deeper": {"cookie": "4711-secret"}}]},
        {"Bearer 4711-secret": {"Bearer 4711-secret": 1}},
    ],
)
def test_secrets_do_not_survive(detail: dict[str, Any]) -> None:
    if "Bearer 4711-secret" in detail:
        detail = {"outer": detail}
    stored = bounded_detail(detail)
    assert "4711-secret" not in stored
    assert "[redacted]" in stored


@pytest.mark.parametrize("place", ["token at {}", "{}", "x" * 480 + " {}", "a={};b"])
def test_a_jwt_does_not_survive_anywhere_in_a_text(place: str) -> None:
    stored = bounded_detail({"message": place.format(JWT)})
    assert "eyJ" not in stored


def test_ordinary_detail_is_kept_as_it_is() -> None:
    detail = {
        "operation": "spreadsheets.normalize",
        "rows": 12,
        "ok": True,
        "ratio": 0.5,
        "none": None,
        "tokens": 311,
        "keys": ["invoice", "date"],
        "hasPassword": False,
        "design": "sigma=3",
    }
    assert json.loads(bounded_detail(detail)) == detail


@pytest.mark.parametrize(
    "detail",
    [
        {f"k{n}": "v" * 400 for n in range(200)},
        {"list": list(range(100_000))},
        {"text": "x" * 1_000_000},
        {"wide": {f"k{n}": {f"j{m}": "v" * 300 for m in range(40)} for n in range(40)}},
    ],
)
def test_detail_is_bounded(detail: dict[str, Any]) -> None:
    assert len(bounded_detail(detail).encode()) <= MAX_DETAIL_BYTES


def test_odd_values_become_their_type_and_never_raise() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    stored = json.loads(
        bounded_detail({"o": object(), "nan": float("nan"), "loop": loop, "s": "\ud800", "b": b"x"})
    )
    assert stored["o"] == "<object>"
    assert stored["nan"] == "nan"
    assert stored["b"] == "<bytes>"
    assert stored["s"] == "?"
