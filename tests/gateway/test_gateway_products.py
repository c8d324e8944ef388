"""Products and subscriptions of the extractor's folder, executed by the real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from extractor_folder import ExtractorFolder, served

from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.gateway import Gateway
from hybridmandate.governance.gateway.layout import load_layout

ASK = "/orders/items"
NAMED = "<set-header name='x-product'><value>gold</value></set-header>"
REFUSE = "<return-response><set-body>product says no</set-body></return-response>"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> ExtractorFolder:
    return ExtractorFolder(tmp_path / "policies")


@pytest.mark.parametrize(
    ("key", "status", "says"),
    [
        (None, 401, "missing subscription key"),
        ("nonsense", 401, "invalid subscription key"),
        ("secret-of-ours", 200, "orders"),
        ("secret-of-waiting", 401, "invalid subscription key"),
        ("secret-of-paused", 401, "invalid subscription key"),
        ("secret-of-elsewhere", 401, "invalid subscription key"),
        ("secret-of-everything", 200, "orders"),
        ("secret-of-only-this", 200, "orders"),
        ("secret-of-only-other", 401, "invalid subscription key"),
    ],
)
async def test_only_an_active_subscription_of_a_product_of_the_api_opens_it(
    folder: ExtractorFolder, key: str | None, status: int, says: str
) -> None:
    folder.api("orders", subscriptionRequired=True)
    folder.api("other", path="other", subscriptionRequired=True)
    folder.product("gold", ["orders"], NAMED, approvalRequired=True)
    folder.product("silver", ["other"])
    folder.subscription("ours", "/products/gold")
    folder.subscription("waiting", "/products/gold", state="submitted")
    folder.subscription("paused", "/products/gold", state="suspended")
    folder.subscription("elsewhere", "/products/silver")
    folder.subscription("everything", "/apis")
    folder.subscription("only-this", "/apis/orders")
    folder.subscription("only-other", "/apis/other")
    async with served(folder.path) as front:
        headers = {} if key is None else {"ocp_apim_subscription_key": key}
        got, text = await front.get(ASK, **headers)
    assert got == status
    assert says in text


async def test_product_policies_stand_for_calls_with_its_key_only(folder: ExtractorFolder) -> None:
    folder.api("orders")
    folder.product("gold", ["orders"], REFUSE)
    folder.subscription("ours", "/products/gold")
    async with served(folder.path) as front:
        with_key = await front.get(ASK, ocp_apim_subscription_key="secret-of-ours")
        without = await front.get(ASK)
        [first, second] = front.evidence.records
    assert with_key == (200, "product says no")
    assert without == (200, "orders")
    assert (first.detail.get("product"), second.detail.get("product")) == ("gold", None)


async def test_open_product_stands_for_calls_without_a_key(folder: ExtractorFolder) -> None:
    folder.api("orders", subscriptionRequired=True)
    folder.product("open", ["orders"], REFUSE, subscriptionRequired=False)
    async with served(folder.path) as front:
        assert await front.get(ASK) == (200, "product says no")
        status, _ = await front.get(ASK, ocp_apim_subscription_key="nonsense")
    assert status == 401


async def test_calls_of_a_product_that_is_not_published_are_handled_alike(
    folder: ExtractorFolder,
) -> None:
    shown = "<set-body>@(context.Product.State.ToString())</set-body>"
    folder.api("orders", subscriptionRequired=True)
    answer = f"<return-response>{shown}</return-response>"
    folder.product("gold", ["orders"], answer, state="notPublished")
    folder.subscription("ours", "/products/gold")
    async with served(folder.path) as front:
        answered = await front.get(ASK, ocp_apim_subscription_key="secret-of-ours")
    assert answered == (200, "NotPublished")


async def test_revisions_belong_to_the_products_of_their_api(folder: ExtractorFolder) -> None:
    folder.api("orders", subscriptionRequired=True)
    folder.api("orders;rev=2", apiRevision="2", subscriptionRequired=True)
    folder.product("gold", ["orders"])
    folder.subscription("ours", "/products/gold")
    async with served(folder.path) as front:
        answer = await front.get("/orders;rev=2/items", ocp_apim_subscription_key="secret-of-ours")
    assert answer == (200, "orders;rev=2")


async def test_apis_of_a_product_are_read_as_newer_extractors_write_them(
    folder: ExtractorFolder,
) -> None:
    folder.api("orders", subscriptionRequired=True)
    folder.product("gold", [])
    folder.write("products/gold/apis/orders/productApiInformation.json", {})
    folder.subscription("ours", "/products/gold")
    async with served(folder.path) as front:
        answer = await front.get(f"{ASK}?subscription-key=secret-of-ours")
    assert answer == (200, "orders")


def _unknown_api(folder: ExtractorFolder) -> None:
    folder.product("gold", ["invoices"])


def _two_open_products(folder: ExtractorFolder) -> None:
    folder.product("a", ["orders"], subscriptionRequired=False)
    folder.product("b", ["orders"], subscriptionRequired=False)


def _approval_of_an_open_product(folder: ExtractorFolder) -> None:
    folder.product("a", ["orders"], subscriptionRequired=False, approvalRequired=True)


def _subscription_to_nothing(folder: ExtractorFolder) -> None:
    folder.subscription("ours", "/products/gold")


def _subscription_to_no_api(folder: ExtractorFolder) -> None:
    folder.subscription("ours", "/apis/invoices")


def _scope_unread(folder: ExtractorFolder) -> None:
    folder.subscription("ours", "gold")


def _state_unknown(folder: ExtractorFolder) -> None:
    folder.subscription("ours", "/apis", state="asleep")


def _key_in_the_repository(folder: ExtractorFolder) -> None:
    folder.subscription("ours", "/apis", primaryKey="0123456789abcdef")


def _key_without_value(folder: ExtractorFolder) -> None:
    folder.subscription("ours", "/apis", primaryKey="{{nowhere}}")


def _shared_key(folder: ExtractorFolder) -> None:
    folder.subscription("ours", "/apis")
    folder.subscription("theirs", "/apis", primaryKey="{{ours-key}}")


@pytest.mark.parametrize(
    ("arrange", "reason"),
    [
        (_unknown_api, "there is no API 'invoices'"),
        (_two_open_products, "in two open products: 'a' and 'b'"),
        (_approval_of_an_open_product, "approvalRequired stands only beside"),
        (_subscription_to_nothing, "there is no product 'gold'"),
        (_subscription_to_no_api, "there is no API 'invoices'"),
        (_scope_unread, "write /products/<name>"),
        (_state_unknown, "state 'asleep' is none of"),
        (_key_in_the_repository, "no text for a repository"),
        (_key_without_value, "no named value 'nowhere'"),
        (_shared_key, "share a key"),
    ],
)
def test_what_refers_to_nothing_is_refused_at_load(
    folder: ExtractorFolder, arrange: Any, reason: str
) -> None:
    folder.api("orders")
    arrange(folder)
    with pytest.raises(PolicyDocumentError, match=reason):
        Gateway(load_layout(folder.path))


def test_subscription_starts_when_its_file_says(folder: ExtractorFolder) -> None:
    folder.api("orders")
    folder.product("basic", ["orders"])
    folder.subscription("one", "/products/basic", startDate="2026-01-01T00:00:00Z")
    (found,) = load_layout(folder.path).subscriptions
    assert found.started == 1_767_225_600.0
    folder.subscription("one", "/products/basic", startDate="soon")
    with pytest.raises(PolicyDocumentError, match="startDate 'soon'"):
        load_layout(folder.path)
