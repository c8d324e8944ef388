"""A configuration made ready to serve: every document prepared, every operation its pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import hybridmandate.governance.gateway.policies as _policies
from hybridmandate.governance.gateway.configuration import (
    ApiEntry,
    Configuration,
    Document,
    OperationEntry,
    ProductEntry,
    Subscription,
)
from hybridmandate.governance.gateway.errors import PolicyDocumentError, PolicyError
from hybridmandate.governance.gateway.pipeline import Pipeline
from hybridmandate.governance.gateway.preparation import (
    DEFAULT_GLOBAL_POLICY,
    NOTHING,
    Sections,
    inherit,
    prepare_document,
)
from hybridmandate.governance.gateway.routing import ApiTable, OperationTable
from hybridmandate.governance.gateway.transport import BaseUrl, parse_base_url

assert _policies.__all__, "importing the policies registers them"


@dataclass(frozen=True, slots=True)
class ServedOperation:
    """An operation and its pipeline for each product that opens it (None: no product)."""

    entry: OperationEntry
    pipelines: Mapping[str | None, Pipeline]


@dataclass(frozen=True, slots=True)
class ServedApi:
    """An API with its operations; ``pipeline`` is its own scope, for calls that match none."""

    entry: ApiEntry
    backend: BaseUrl | None
    operations: OperationTable[ServedOperation]
    pipeline: Pipeline


class Gateway:
    """Finds the API, operation and subscription of a request."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        document = configuration.global_policy or DEFAULT_GLOBAL_POLICY
        prepared = prepare_document(document, "global", configuration)
        self._global = inherit(prepared, NOTHING)
        self.pipeline = Pipeline.of(self._global)
        self._products = {each.id: each for each in configuration.products}
        self._product_sections: dict[str | None, Sections] = {None: self._global}
        for product in configuration.products:
            self._product_sections[product.id] = self._inherited(
                product.policy, "product", self._global
            )
        self._apis = ApiTable([(each.path, self._api(each)) for each in configuration.apis])
        self._subscriptions = {
            key: each for each in configuration.subscriptions for key in each.keys
        }

    def find_api(self, path: str) -> tuple[ServedApi, str] | None:
        """The API of a path and the rest below it."""
        return self._apis.find(path)

    def subscribe(self, api: ApiEntry, key: str | None) -> Subscription | None:
        """The subscription of a key for an API.

        :raises PolicyError: 401 when the API asks for one and the key is missing or opens nothing.
        """
        found = self._subscriptions.get(key) if key else None
        if found is not None and found.product is not None:
            product = self._products.get(found.product)
            if product is None or api.id not in product.apis:
                found = None
        if found is not None or not api.subscription_required:
            return found
        if not key:
            raise PolicyError(
                401,
                "SubscriptionKeyNotFound",
                "Access denied due to missing subscription key. Make sure to include "
                "subscription key when making requests to this API.",
                source="authorization",
            )
        raise PolicyError(
            401,
            "SubscriptionKeyInvalid",
            "Access denied due to invalid subscription key. Make sure to provide a valid key for "
            "an active subscription.",
            source="authorization",
        )

    def product(self, subscription: Subscription | None) -> ProductEntry | None:
        """The product of a subscription."""
        if subscription is None or subscription.product is None:
            return None
        return self._products.get(subscription.product)

    def _inherited(self, document: Document | None, scope: str, parent: Sections) -> Sections:
        if document is None:
            return parent
        return inherit(prepare_document(document, scope, self.configuration), parent)

    def _api(self, api: ApiEntry) -> ServedApi:
        products = [None, *(p.id for p in self.configuration.products if api.id in p.apis)]
        prepared = (
            None if api.policy is None else prepare_document(api.policy, "api", self.configuration)
        )
        sections = {each: inherit(prepared, self._product_sections[each]) for each in products}
        entries = []
        for operation in api.operations:
            own = (
                None
                if operation.policy is None
                else prepare_document(operation.policy, "operation", self.configuration)
            )
            pipelines = {each: Pipeline.of(inherit(own, sections[each])) for each in products}
            served = ServedOperation(operation, pipelines)
            entries.append((operation.method, operation.url_template, served))
        return ServedApi(
            api, self._backend(api), OperationTable(entries), Pipeline.of(sections[None])
        )

    def _backend(self, api: ApiEntry) -> BaseUrl | None:
        if not api.service_url:
            return None
        text = api.service_url
        for name, value in self.configuration.named_values.items():
            text = text.replace("{{" + name + "}}", value)
        try:
            return parse_base_url(text)
        except ValueError as error:
            raise PolicyDocumentError(
                f"apis/{api.id}/apiInformation.json", 1, 1, f"serviceUrl: {error}"
            ) from error
