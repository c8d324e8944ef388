"""Policies of API Management that cannot be real on one machine, and why: refused at load.

A document that names one is rejected with this reason instead of running without the policy.
"""

from __future__ import annotations

from collections.abc import Mapping

_EMBEDDINGS = "it compares embeddings of a deployed model, and there is none on this machine"

REFUSED: Mapping[str, str] = {
    "authentication-certificate": "back ends are reached without a client certificate here",
    "azure-openai-semantic-cache-lookup": _EMBEDDINGS,
    "azure-openai-semantic-cache-store": _EMBEDDINGS,
    "cross-domain": "no browser runs the plug-ins that ask for crossdomain.xml any more",
    "get-authorization-context": "it needs the credential manager of a deployed service",
    "llm-content-safety": "it needs a deployed Azure AI Content Safety resource",
    "llm-semantic-cache-lookup": _EMBEDDINGS,
    "llm-semantic-cache-store": _EMBEDDINGS,
    "proxy": "calls go out directly here, never through a forward proxy",
    "validate-client-certificate": "the listener here asks callers for no certificate",
    "validate-odata-request": "OData metadata documents are not read here",
}
