"""Everything that API Management would reject in a configuration, not only the first of it."""

from __future__ import annotations

from collections.abc import Iterator

import hybridmandate.governance.gateway.policies as _policies
from hybridmandate.governance.gateway.configuration import Configuration, Document
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.gateway import Gateway
from hybridmandate.governance.gateway.preparation import prepare_document

assert _policies.__all__, "importing the policies registers them"


def policy_findings(configuration: Configuration) -> list[PolicyDocumentError]:
    """The findings of all documents, by file and place, each once.

    A document that cannot be read, or a named value that is missing, is one finding for its whole
    document; below that each policy is looked at by itself.
    """
    found: list[PolicyDocumentError] = []
    views = {each.id: configuration.seen_from(each.id) for each in configuration.workspaces}
    for scope, document, workspace in _documents(configuration):
        view = configuration if workspace is None else views[workspace]
        try:
            prepare_document(document, scope, view, found)
        except PolicyDocumentError as error:
            found.append(error)
    if not found:
        try:
            Gateway(configuration)
        except PolicyDocumentError as error:
            found.append(error)
    apart = {(each.file, each.line, each.column, each.reason): each for each in found}
    return [apart[place] for place in sorted(apart)]


def _documents(configuration: Configuration) -> Iterator[tuple[str, Document, str | None]]:
    """Every document with its scope and its workspace."""
    if configuration.global_policy is not None:
        yield "global", configuration.global_policy, None
    for workspace in configuration.workspaces:
        if workspace.policy is not None:
            yield "workspace", workspace.policy, workspace.id
    for product in configuration.products:
        if product.policy is not None:
            yield "product", product.policy, product.workspace
    for api in configuration.apis:
        if api.policy is not None:
            yield "api", api.policy, api.workspace
        for operation in api.operations:
            if operation.policy is not None:
                yield "operation", operation.policy, api.workspace
