"""What a view may be asked for: values that its columns can have, not too many at once."""

from pathlib import Path
from typing import Any

import pytest
from data_gateway_kit import House

VIEW = "/views/vendors/v1"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (5, "view.value"),
        (True, "view.value"),
        (["GB", 5], "view.value"),
        (1e300, "view.value"),
        ([], "view.value"),
        ("x" * 30_000, "view.value"),
        ([f"V{n}" for n in range(201)], "view.values"),
    ],
)
async def test_value_that_cannot_be_looked_for_is_the_callers_error(
    tmp_path: Path, value: Any, reason: str
) -> None:
    house = House(tmp_path)
    answer = await house.post(VIEW, {"parameters": {"hm_country": value}})
    assert answer.status_code == 422
    assert answer.json()["failure"]["type"] == "validation_error"
    assert answer.json()["failure"]["reason"] == reason
    assert house.evidence.kinds() == ["data.refused"]


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (None, 0),
        (["GB", None], 2),
        ("gb", 2),
        ([f"V{n}" for n in range(200)], 0),
        ("\u00e9'&#+?%20", 0),
    ],
)
async def test_value_that_can_be_looked_for_is(tmp_path: Path, value: Any, count: int) -> None:
    answer = await House(tmp_path).post(VIEW, {"parameters": {"hm_country": value}})
    assert answer.status_code == 200
    assert answer.json()["counts"] == {"rows": count}
