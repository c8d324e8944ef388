"""Policies of API Management that cannot be real in a gateway of files, and why: refused at load.

A document that names one is rejected with this reason instead of running without the policy.
"""

from __future__ import annotations

from collections.abc import Mapping

_RESOLVER = "it belongs to a resolver of a GraphQL API, and APIs here are described by OpenAPI"

REFUSED: Mapping[str, str] = {
    "cosmosdb-data-source": _RESOLVER,
    "http-data-source": _RESOLVER,
    "publish-event": _RESOLVER,
    "sql-data-source": _RESOLVER,
    "validate-graphql-request": "it needs a GraphQL schema, and APIs here are described by OpenAPI",
}
