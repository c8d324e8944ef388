"""How a contract version says that it ends."""

from datetime import UTC, date, datetime

import pytest
from pydantic import BaseModel

from hybridmandate.contracts import Call, Registry, operation
from hybridmandate.contracts.declaration import declared_operation
from hybridmandate.contracts.lifecycle import Lifecycle
from hybridmandate.contracts.openapi import openapi_document


class Asked(BaseModel):
    number: int


def declared(**lifecycle: object) -> Registry:
    @operation("shop.count", version=1, role="Shop.Count", **lifecycle)  # type: ignore[arg-type]
    async def count(request: Asked, call: Call) -> Asked:
        """Count."""
        return request

    found = declared_operation(count)
    assert found is not None
    return Registry([found])


def test_the_published_document_carries_the_whole_lifecycle() -> None:
    registry = declared(deprecated=date(2026, 1, 1), sunset=date(2027, 1, 1), successor=2)
    document = openapi_document(registry, title="t", version="1", server_url="/exec")
    published = document["paths"]["/operations/shop.count/v1"]["post"]
    assert published["deprecated"] is True
    lifecycle = Lifecycle.of_openapi(published)
    assert lifecycle == next(iter(registry)).lifecycle
    assert lifecycle is not None
    assert lifecycle.ends_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert lifecycle.headers() == {
        "Deprecation": "@1767225600",
        "Sunset": "Fri, 01 Jan 2027 00:00:00 GMT",
        "Link": '</exec/operations/shop.count/v2>; rel="successor-version"',
    }


def test_a_version_that_stays_has_no_lifecycle() -> None:
    assert next(iter(declared())).lifecycle is None
    assert Lifecycle.of_openapi({"operationId": "x"}) is None


@pytest.mark.parametrize(
    "lifecycle",
    [
        {"successor": 2},
        {"deprecated": date(2026, 1, 1), "successor": 1},
        {"sunset": date(2026, 1, 1)},
        {"deprecated": date(2026, 1, 2), "sunset": date(2026, 1, 1)},
    ],
)
def test_a_lifecycle_that_makes_no_sense_is_refused_where_it_is_declared(
    lifecycle: dict[str, object],
) -> None:
    with pytest.raises(ValueError, match=r"shop\.count"):
        declared(**lifecycle)
