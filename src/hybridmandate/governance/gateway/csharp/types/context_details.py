"""Members of ``context`` that only some services have: back end, Foundry, GraphQL and the like.

Source: learn.microsoft.com/azure/api-management/api-management-policy-expressions, "Context
variable". What this gateway never has (GraphQL, private endpoints, Foundry) is null.
"""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp import context as parts
from hybridmandate.governance.gateway.csharp.types.http_types import (
    API,
    CONTEXT,
    DEPLOYMENT,
    REQUEST,
)
from hybridmandate.governance.gateway.csharp.types.table import OBJECT, ClrType, enumeration

_NAMESPACE: Final = "Microsoft.Azure.ApiManagement"
BACKEND_TYPE: Final = enumeration("BackendType", f"{_NAMESPACE}.BackendType", ["Single", "Pool"])
CARBON: Final = enumeration(
    "CarbonIntensityCategory",
    f"{_NAMESPACE}.CarbonIntensityCategory",
    ["NotAvailable", "VeryLow", "Low", "Medium", "High", "VeryHigh"],
)


class SustainabilityInfo:
    """``context.Deployment.SustainabilityInfo``."""

    __slots__ = ()


def _declared(name: str, *classes: type, **members: str) -> ClrType:
    made = ClrType(name, f"{_NAMESPACE}.{name}", *classes, base=OBJECT)
    for member, type_name in members.items():
        made.property(member, lambda value, m=member: getattr(value, _field(m)), type_name)
    return made


def _field(member: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in member).lstrip("_")


BACKEND: Final = _declared("IBackend", parts.Backend, AzureRegion="string", Id="string")
BACKEND.property(
    "Type", lambda b: BACKEND_TYPE.values["Pool" if b.is_pool else "Single"], "BackendType"
)
KEY_NAMES: Final = _declared(
    "ISubscriptionKeyParameterNames",
    parts.SubscriptionKeyNames,
    Header="string",
    Query="string",
)
ENDPOINT: Final = _declared(
    "IPrivateEndpointConnection", Name="string", GroupId="string", MemberName="string"
)
FOUNDRY: Final = _declared("IFoundry", Deployment="string")
GRAPHQL: Final = _declared("IGraphQL", GraphQLArguments="", Parent="")
SUSTAINABILITY: Final = _declared("ISustainabilityInfo", SustainabilityInfo)
SUSTAINABILITY.property(
    "CurrentCarbonIntensity",
    lambda info: CARBON.values["NotAvailable"],
    "CarbonIntensityCategory",
)


def _nothing(_: Any) -> None:
    return None


CONTEXT.property("Backend", lambda c: c.backend(), "IBackend")
CONTEXT.property("GraphQL", _nothing, "IGraphQL")
REQUEST.property("PrivateEndpointConnection", _nothing, "IPrivateEndpointConnection")
REQUEST.property("Foundry", _nothing, "IFoundry")
DEPLOYMENT.property("SustainabilityInfo", lambda d: SustainabilityInfo(), "ISustainabilityInfo")
API.property(
    "SubscriptionKeyParameterNames",
    lambda api: api.subscription_key_names,
    "ISubscriptionKeyParameterNames",
)
