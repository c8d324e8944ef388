"""``context`` and its parts: IRequest, IResponse, IUrl, headers, Jwt and the rest.

Source: learn.microsoft.com, "API Management policy expressions", context variable.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Final

from hybridmandate.governance.gateway.csharp import context as parts
from hybridmandate.governance.gateway.csharp.collections import (
    Array,
    Dictionary,
    List,
    Pair,
)
from hybridmandate.governance.gateway.csharp.conversions import (
    cast_to,
    default_of,
)
from hybridmandate.governance.gateway.csharp.dates import DateTime, TimeSpan
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument_null,
)
from hybridmandate.governance.gateway.csharp.jwt import (
    BasicCredentials,
    Jwt,
    decode_basic,
    decode_jwt,
)
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types import linq
from hybridmandate.governance.gateway.csharp.types.certificates import Certificate
from hybridmandate.governance.gateway.csharp.types.converting import try_parse_guid
from hybridmandate.governance.gateway.csharp.types.message_body import body_of
from hybridmandate.governance.gateway.csharp.types.moments import seconds_moment
from hybridmandate.governance.gateway.csharp.types.net import Uri
from hybridmandate.governance.gateway.csharp.types.strings import STRING
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    enumeration,
)


class Values:
    """Headers, query or claims: ``IReadOnlyDictionary<string, string[]>``."""

    __slots__ = ("named",)

    def __init__(self, named: parts.NamedValues) -> None:
        self.named = named

    def clr_items(self) -> Iterator[Pair]:
        """Pairs of name and values."""
        return (Pair(name, self.get(name)) for name in self.named.names())

    def get(self, name: str) -> Array:
        """The values as an array."""
        return Array(self.named.values(name), "string")

    def __len__(self) -> int:
        return sum(1 for _ in self.named.names())


def joined_or_default(
    values: Values, name: Any, default_value: Any = None, *, types: tuple[str, ...] = ()
) -> Any:
    """``GetValueOrDefault``: the values joined with commas."""
    if name is None:
        raise argument_null("key")
    found = values.named.values(name)
    if not found:
        return default_value
    return found[0] if len(found) == 1 else ",".join(found)


def values_of(values: Values, name: Any) -> Array:
    """``headers[name]``. :raises ExpressionFailure: KeyNotFoundException."""
    if name is None:
        raise argument_null("key")
    found = values.get(name)
    if not found:
        raise ExpressionFailure(
            "The given key was not present in the dictionary.", "KeyNotFoundException"
        )
    return found


def try_get_values(values: Values, name: Any) -> tuple[bool, Array | None]:
    """``TryGetValue``."""
    found = values.get(name)
    return bool(found), found or None


VALUES: Final = ClrType(
    "StringValues",
    "System.Collections.Generic.IReadOnlyDictionary`2[System.String,System.String[]]",
    Values, base=OBJECT,
)  # fmt: skip
VALUES.indexed_by(values_of, "string[]")
VALUES.property("Count", len, "int")
VALUES.property("Keys", lambda v: List(v.named.names(), "string"), "List<string>")
VALUES.property(
    "Values", lambda v: List([v.get(n) for n in v.named.names()], "string[]"), "List<string[]>"
)
VALUES.method("GetValueOrDefault", joined_or_default, "string")
VALUES.method("ContainsKey", lambda v, name: bool(v.named.values(name)), "bool")
VALUES.method("TryGetValue", try_get_values, "bool", outs=1)
linq.extend(VALUES)


class Variables:
    """``context.Variables``: the live variables of the call."""

    __slots__ = ("items",)

    def __init__(self, items: dict[str, Any]) -> None:
        self.items = items

    def clr_items(self) -> Iterator[Pair]:
        """Pairs of name and value."""
        return (Pair(name, of_gateway(value)) for name, value in list(self.items.items()))

    def __len__(self) -> int:
        return len(self.items)


def of_gateway(value: Any) -> Any:
    """A value that a policy stored, as expressions know it: bytes are an array."""
    return bytearray(value) if type(value) is bytes else value


def variable(variables: Variables, name: Any) -> Any:
    """``Variables[name]``. :raises ExpressionFailure: KeyNotFoundException."""
    if name is None:
        raise argument_null("key")
    if name not in variables.items:
        raise ExpressionFailure(
            f"The given key '{as_text(name)}' was not present in the dictionary.",
            "KeyNotFoundException",
        )
    return of_gateway(variables.items[name])


def variable_or_default(
    variables: Variables, name: Any, default_value: Any = None, *, types: tuple[str, ...] = ("",)
) -> Any:
    """``GetValueOrDefault<T>``. :raises ExpressionFailure: InvalidCastException."""
    if name is None:
        raise argument_null("key")
    if name not in variables.items:
        return default_of(types[0]) if default_value is None and types[0] else default_value
    value = of_gateway(variables.items[name])
    return cast_to(types[0], "object")(value) if types[0] else value


def try_get_variable(variables: Variables, name: Any) -> tuple[bool, Any]:
    """``TryGetValue``."""
    return name in variables.items, of_gateway(variables.items.get(name))


VARIABLES: Final = ClrType(
    "Variables", "System.Collections.Generic.IReadOnlyDictionary`2[System.String,System.Object]",
    Variables, base=OBJECT,
)  # fmt: skip
VARIABLES.indexed_by(variable, "object")
VARIABLES.property("Count", len, "int")
VARIABLES.property("Keys", lambda v: List(v.items, "string"), "List<string>")
VARIABLES.property("Values", lambda v: List(map(of_gateway, v.items.values())), "List<object>")
VARIABLES.method("GetValueOrDefault", variable_or_default, "T")
VARIABLES.method("ContainsKey", lambda v, name: name in v.items, "bool")
VARIABLES.method("TryGetValue", try_get_variable, "bool", outs=1)
linq.extend(VARIABLES)


def _query(url: parts.Url) -> Values:
    return Values(url.query)


def _string(value: Any) -> str:
    return str(value)


def _declare(name: str, python: type, **members: str) -> ClrType:
    """A type whose properties are attributes of a Python class; the values are C# types."""
    made = ClrType(name, f"Microsoft.Azure.ApiManagement.{name}", python, base=OBJECT)
    for member, returns in members.items():
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in member).lstrip("_")
        made.property(member, attrgetter(snake), returns)
    return made


URL: Final = _declare(
    "IUrl",
    parts.Url,
    Scheme="string",
    Host="string",
    Port="string",
    Path="string",
    QueryString="string",
)
URL.property("Port", lambda url: url.port, "int")
URL.property("Query", _query, "StringValues")
URL.method("ToString", _string, "string")
URL.method("ToUri", lambda url: Uri(str(url)), "Uri")


def _certificate(request: parts.Request) -> Certificate | None:
    return None if request.certificate is None else Certificate(request.certificate)


REQUEST: Final = _declare(
    "IRequest",
    parts.Request,
    Method="string",
    Url="IUrl",
    OriginalUrl="IUrl",
    IpAddress="string",
    Id="string",
)
REQUEST.property("Headers", lambda r: Values(r.headers), "StringValues")
REQUEST.property("Body", body_of, "IMessageBody")
REQUEST.property(
    "MatchedParameters",
    lambda r: Dictionary(r.matched_parameters, "string", "string", True),
    "Dictionary<string,string>",
)
REQUEST.property("Certificate", _certificate, "X509Certificate2")
RESPONSE: Final = _declare("IResponse", parts.Response, StatusCode="int", StatusReason="string")
RESPONSE.property("Headers", lambda r: Values(r.headers), "StringValues")
RESPONSE.property("Body", body_of, "IMessageBody")

WORKSPACE: Final = _declare("IWorkspace", parts.Workspace, Id="string", Name="string")
API: Final = _declare(
    "IApi",
    parts.Api,
    Id="string",
    Name="string",
    Path="string",
    Revision="string",
    Version="string",
    ServiceUrl="IUrl",
    IsCurrentRevision="bool",
    Workspace="IWorkspace",
)
API.property("Protocols", lambda a: Array(a.protocols, "string"), "string[]")
OPERATION: Final = _declare(
    "IOperation", parts.Operation, Id="string", Method="string", Name="string", UrlTemplate="string"
)
GROUP: Final = _declare("IGroup", parts.Group, Id="string", Name="string")
IDENTITY: Final = _declare("IUserIdentity", parts.UserIdentity, Id="string", Provider="string")
USER: Final = _declare(
    "IUser",
    parts.User,
    Id="string",
    Email="string",
    FirstName="string",
    LastName="string",
    Note="string",
)
USER.property("Groups", lambda u: List(u.groups, "IGroup"), "IEnumerable<IGroup>")
USER.property(
    "Identities", lambda u: List(u.identities, "IUserIdentity"), "IEnumerable<IUserIdentity>"
)
USER.property("RegistrationDate", lambda u: seconds_moment(u.registration_date), "DateTime")
STATE: Final = enumeration(
    "ProductState", "Microsoft.Azure.ApiManagement.ProductState", ["NotPublished", "Published"]
)
PRODUCT: Final = _declare(
    "IProduct",
    parts.Product,
    Id="string",
    Name="string",
    ApprovalRequired="bool",
    SubscriptionRequired="bool",
    Workspace="IWorkspace",
)
PRODUCT.property("SubscriptionLimit", lambda p: p.subscription_limit, "int?")
PRODUCT.property("SubscriptionsLimit", lambda p: p.subscription_limit, "int?")
PRODUCT.property("State", lambda p: STATE.values[p.state], "ProductState")
PRODUCT.property("Groups", lambda p: List(p.groups, "IGroup"), "IEnumerable<IGroup>")
PRODUCT.property("Apis", lambda p: List(p.apis, "IApi"), "IEnumerable<IApi>")


def _moment(seconds: float | None) -> DateTime | None:
    return None if seconds is None else seconds_moment(seconds)


SUBSCRIPTION: Final = _declare(
    "ISubscription",
    parts.Subscription,
    Id="string",
    Name="string",
    Key="string",
    PrimaryKey="string",
    SecondaryKey="string",
)
SUBSCRIPTION.property("CreatedDate", lambda s: _moment(s.created_date), "DateTime")
SUBSCRIPTION.property("StartDate", lambda s: _moment(s.start_date), "DateTime?")
SUBSCRIPTION.property("EndDate", lambda s: _moment(s.end_date), "DateTime?")
DEPLOYMENT: Final = _declare(
    "IDeployment",
    parts.Deployment,
    Region="string",
    ServiceId="string",
    ServiceName="string",
    GatewayId="string",
)
DEPLOYMENT.property(
    "Certificates", lambda d: _certificates(d), "Dictionary<string,X509Certificate2>"
)


class Gateway:
    """``context.Deployment.Gateway``."""

    __slots__ = ("id",)

    def __init__(self, id_: str) -> None:
        self.id = id_


def _certificates(deployment: parts.Deployment) -> Dictionary:
    found = {
        name: Certificate(each.der, each.private_key)
        for name, each in deployment.certificates.items()
    }
    return Dictionary(found, "string", "X509Certificate2")


GATEWAY: Final = _declare("IGateway", Gateway, Id="string")
GATEWAY.property("InstanceId", lambda g: g.id, "string")
GATEWAY.property("IsManaged", lambda g: g.id == "managed", "bool")
DEPLOYMENT.property("Gateway", lambda d: Gateway(d.gateway_id), "IGateway")

LAST_ERROR: Final = _declare(
    "ILastError",
    parts.LastError,
    Source="string",
    Reason="string",
    Message="string",
    Section="string",
    Scope="string",
    Path="string",
    PolicyId="string",
)

CONTEXT: Final = _declare(
    "PolicyContext",
    parts.PolicyContext,
    Request="IRequest",
    Response="IResponse",
    Api="IApi",
    Operation="IOperation",
    Product="IProduct",
    Subscription="ISubscription",
    User="IUser",
    Workspace="IWorkspace",
    Deployment="IDeployment",
    LastError="ILastError",
    Tracing="bool",
)
CONTEXT.property("Variables", lambda c: Variables(c.variables), "Variables")
CONTEXT.property("RequestId", lambda c: _request_id(c), "Guid")
CONTEXT.property("Timestamp", lambda c: seconds_moment(c.started), "DateTime")
CONTEXT.property(
    "Elapsed", lambda c: TimeSpan(int((c.clock() - c.started) * 1_000_000) * 10), "TimeSpan"
)
CONTEXT.method("Trace", lambda c, message, *more: c.trace(as_text(message)), "")


def _request_id(context: parts.PolicyContext) -> Any:
    return try_parse_guid(context.request_id)[1]


# Tokens

JWT: Final = ClrType("Jwt", "Microsoft.Azure.ApiManagement.Jwt", Jwt, base=OBJECT)
JWT.property("Claims", lambda j: Values(j.claims), "StringValues")
JWT.property("Audiences", lambda j: List(j.claims.values("aud"), "string"), "IEnumerable<string>")
JWT.property("Algorithm", lambda j: j.header.get("alg"), "string")
JWT.property("Type", lambda j: j.header.get("typ"), "string")
for _label, _claim in (("Id", "jti"), ("Issuer", "iss"), ("Subject", "sub")):
    JWT.property(_label, lambda j, c=_claim: j.claim(c), "string")
for _label, _claim in (("ExpirationTime", "exp"), ("NotBefore", "nbf"), ("IssuedAt", "iat")):
    JWT.property(_label, lambda j, c=_claim: j.moment(c), "DateTime?")
BASIC: Final = ClrType(
    "BasicAuthCredentials",
    "Microsoft.Azure.ApiManagement.BasicAuthCredentials",
    BasicCredentials,
    base=OBJECT,
)
BASIC.property("UserId", lambda b: b.user_id, "string")
BASIC.property("Username", lambda b: b.user_id, "string")
BASIC.property("Password", lambda b: b.password, "string")
STRING.method("AsJwt", decode_jwt, "Jwt")
STRING.method("AsBasic", decode_basic, "BasicAuthCredentials")


def _tried(found: Any) -> tuple[bool, Any]:
    return found is not None, found


STRING.method("TryParseJwt", lambda text: _tried(decode_jwt(text)), "bool", outs=1)
STRING.method("TryParseBasic", lambda text: _tried(decode_basic(text)), "bool", outs=1)


class Authorization:
    """What ``get-authorization-context`` puts into a variable."""

    __slots__ = ("access_token", "claims")

    def __init__(self, access_token: str, claims: dict[str, Any]) -> None:
        self.access_token = access_token
        self.claims = claims


AUTHORIZATION: Final = ClrType(
    "Authorization", "Microsoft.Azure.ApiManagement.Authorization", Authorization, base=OBJECT
)
AUTHORIZATION.property("AccessToken", lambda a: a.access_token, "string")
AUTHORIZATION.property(
    "Claims", lambda a: Dictionary(a.claims, "string", "object"), "Dictionary<string,object>"
)
