"""Products and subscriptions: whose policies stand for a call, and whether it may come in.

A key beside the token: the token says who calls, the subscription what was agreed with them.
Rules: learn.microsoft.com/azure/api-management/api-management-subscriptions, table 'how API
Management handles requests with or without subscription keys'.
"""

from __future__ import annotations

from collections.abc import Mapping

from hybridmandate.governance.gateway.configuration import (
    ApiEntry,
    Configuration,
    ProductEntry,
    Subscription,
    SubscriptionState,
)
from hybridmandate.governance.gateway.errors import PolicyDocumentError, PolicyError


class Products:
    """The products of a configuration and the subscriptions that open them."""

    def __init__(self, configuration: Configuration) -> None:
        """Check what refers to what.

        :raises PolicyDocumentError: for a product of an unknown API, an API in two open products, a
            subscription to nothing, and a key that two subscriptions have.
        """
        self._products = {each.id: each for each in configuration.products}
        # Revisions of an API belong to the same products (revisions page).
        apis = {base_id(each.id): each.workspace for each in configuration.apis}
        self._open = _open_products(configuration.products, apis)
        self._by_key = _by_key(configuration.subscriptions, self._products, apis)

    def of(self, api: ApiEntry) -> list[str]:
        """Ids of the products that hold an API."""
        return [each.id for each in self._products.values() if base_id(api.id) in each.apis]

    def product(self, api: ApiEntry, subscription: Subscription | None) -> ProductEntry | None:
        """The product whose policies stand for a call."""
        if subscription is not None:
            return self._products.get(subscription.product or "")
        return self._open.get(base_id(api.id))

    def subscribe(self, api: ApiEntry, key: str | None) -> Subscription | None:
        """The subscription of a key for an API.

        :raises PolicyError: 401 when the API asks for a key, no open product holds it, and the key
            is missing or opens nothing.
        """
        found = self._by_key.get(key) if key else None
        if found is not None and self._opens(found, api):
            return found
        if not api.subscription_required or (not key and base_id(api.id) in self._open):
            return None
        raise _refused(key)

    def _opens(self, subscription: Subscription, api: ApiEntry) -> bool:
        if subscription.state is not SubscriptionState.ACTIVE:
            return False
        if subscription.api is not None:
            return subscription.api == base_id(api.id)
        if subscription.product is None:
            return subscription.workspace in (None, api.workspace)
        return base_id(api.id) in self._products[subscription.product].apis


def base_id(api_id: str) -> str:
    """The id of an API without its revision (``orders;rev=2`` is ``orders``)."""
    return api_id.partition(";rev=")[0]


def _open_products(
    products: tuple[ProductEntry, ...], apis: Mapping[str, str | None]
) -> Mapping[str, ProductEntry]:
    found: dict[str, ProductEntry] = {}
    for product in products:
        unknown = {each for each in product.apis if apis.get(each, ...) != product.workspace}
        if unknown:
            raise PolicyDocumentError(product.file, 1, 1, f"there is no API '{min(unknown)}'")
        for api in () if product.subscription_required else sorted(product.apis):
            other = found.setdefault(api, product)
            if other is not product:
                raise PolicyDocumentError(
                    product.file,
                    1,
                    1,
                    f"API '{api}' is in two open products: '{other.id}' and '{product.id}'",
                )
    return found


def _by_key(
    subscriptions: tuple[Subscription, ...],
    products: Mapping[str, ProductEntry],
    apis: Mapping[str, str | None],
) -> Mapping[str, Subscription]:
    found: dict[str, Subscription] = {}
    for each in subscriptions:
        if each.product is not None and each.product not in products:
            raise PolicyDocumentError(each.file, 1, 1, f"there is no product '{each.product}'")
        if each.api is not None and each.api not in apis:
            raise PolicyDocumentError(each.file, 1, 1, f"there is no API '{each.api}'")
        for key in each.keys:
            if found.setdefault(key, each) is not each:
                raise PolicyDocumentError(
                    each.file, 1, 1, f"subscriptions '{found[key].id}' and '{each.id}' share a key"
                )
    return found


def _refused(key: str | None) -> PolicyError:
    if not key:
        return PolicyError(
            401,
            "SubscriptionKeyNotFound",
            "Access denied due to missing subscription key. Make sure to include "
            "subscription key when making requests to this API.",
            source="authorization",
        )
    return PolicyError(
        401,
        "SubscriptionKeyInvalid",
        "Access denied due to invalid subscription key. Make sure to provide a valid key for "
        "an active subscription.",
        source="authorization",
    )
