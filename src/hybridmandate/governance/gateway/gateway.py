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
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.messages import Request
from hybridmandate.governance.gateway.pipeline import Pipeline
from hybridmandate.governance.gateway.preparation import (
    DEFAULT_GLOBAL_POLICY,
    NOTHING,
    Sections,
    inherit,
    prepare_document,
)
from hybridmandate.governance.gateway.products import Products
from hybridmandate.governance.gateway.retirement import retirement_document
from hybridmandate.governance.gateway.routing import OperationTable
from hybridmandate.governance.gateway.transport import BaseUrl, parse_base_url
from hybridmandate.governance.gateway.version_sets import VersionedApis

assert _policies.__all__, "importing the policies registers them"


@dataclass(frozen=True, slots=True)
class ServedOperation:
    """An operation and its pipeline for each product that opens it (None: no product)."""

    entry: OperationEntry
    pipelines: Mapping[str | None, Pipeline]


@dataclass(frozen=True, slots=True)
class ServedApi:
    """An API with its operations; ``pipeline`` is its own scope, for calls that match none.

    ``origin`` is scheme, host and port of its back end, as policies see them.
    """

    entry: ApiEntry
    backend: BaseUrl | None
    origin: tuple[str, str, int] | None
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
        self._products = Products(configuration)
        self._views: dict[str | None, Configuration] = {None: configuration}
        self._outer: dict[str | None, Sections] = {None: self._global}
        for workspace in configuration.workspaces:
            self._views[workspace.id] = configuration.seen_from(workspace.id)
            self._outer[workspace.id] = self._inherited(
                workspace.policy, "workspace", self._global, workspace.id
            )
        self._product_sections: dict[str | None, Sections] = {
            each.id: self._inherited(
                each.policy, "product", self._outer[each.workspace], each.workspace
            )
            for each in configuration.products
        }
        self._apis = VersionedApis(
            configuration, [(each, self._api(each)) for each in configuration.apis]
        )

    def find_api(self, path: str, request: Request) -> tuple[ServedApi, str] | None:
        """The API that a request means and the rest of the path below it."""
        return self._apis.find(path, request)

    def subscribe(self, api: ApiEntry, key: str | None) -> Subscription | None:
        """The subscription of a key for an API; see :meth:`Products.subscribe`.

        :raises PolicyError: 401 when the API asks for one and the key is missing or opens nothing.
        """
        return self._products.subscribe(api, key)

    def product(self, api: ApiEntry, subscription: Subscription | None) -> ProductEntry | None:
        """The product whose policies stand for a call."""
        return self._products.product(api, subscription)

    def _inherited(
        self, document: Document | None, scope: str, parent: Sections, workspace: str | None
    ) -> Sections:
        if document is None:
            return parent
        return inherit(prepare_document(document, scope, self._views[workspace]), parent)

    def _api(self, api: ApiEntry) -> ServedApi:
        products = [None, *self._products.of(api)]
        view = self._views[api.workspace]
        prepared = None if api.policy is None else prepare_document(api.policy, "api", view)
        outer = {**self._product_sections, None: self._outer[api.workspace]}
        sections = {each: inherit(prepared, outer[each]) for each in products}
        entries = []
        for operation in api.operations:
            pipelines = {
                each: Pipeline.of(self._of_operation(operation, sections[each], api.workspace))
                for each in products
            }
            served = ServedOperation(operation, pipelines)
            entries.append((operation.method, operation.url_template, served))
        backend = self._backend(api)
        return ServedApi(
            api,
            backend,
            None if backend is None else _origin(backend),
            OperationTable(entries),
            Pipeline.of(sections[None]),
        )

    def _of_operation(
        self, operation: OperationEntry, parent: Sections, workspace: str | None
    ) -> Sections:
        ended = retirement_document(operation)
        with_end = self._inherited(ended, "operation", parent, workspace)
        return self._inherited(operation.policy, "operation", with_end, workspace)

    def _backend(self, api: ApiEntry) -> BaseUrl | None:
        if not api.service_url:
            return None
        text = api.service_url
        for name, value in self._views[api.workspace].named_values.items():
            text = text.replace("{{" + name + "}}", value)
        try:
            return parse_base_url(text)
        except ValueError as error:
            raise PolicyDocumentError(api.file, 1, 1, f"serviceUrl: {error}") from error


def _origin(backend: BaseUrl) -> tuple[str, str, int]:
    scheme, _, place = backend.url.partition("://")
    host, _, port = place.split("/", 1)[0].partition(":")
    return scheme, host, int(port) if port.isdigit() else (443 if scheme == "https" else 80)
