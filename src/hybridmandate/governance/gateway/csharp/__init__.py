"""The C# expressions of API Management policies: compiled once, bounded."""

from hybridmandate.governance.gateway.csharp.budget import Budget
from hybridmandate.governance.gateway.csharp.context import (
    Api,
    Backend,
    Certificate,
    Deployment,
    Group,
    LastError,
    MappingValues,
    MessageBody,
    NamedValues,
    Operation,
    PolicyContext,
    Product,
    Request,
    Response,
    Subscription,
    SubscriptionKeyNames,
    Url,
    User,
    UserIdentity,
    Workspace,
)
from hybridmandate.governance.gateway.csharp.expression import Expression, compile_expression
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    ExpressionSyntaxError,
    as_failure,
)
from hybridmandate.governance.gateway.csharp.json_tokens import (
    JToken,
    parse_json,
    plain_json,
    token_of,
)
from hybridmandate.governance.gateway.csharp.jwt import Jwt
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.table import Run

__all__ = [
    "Api",
    "Backend",
    "Budget",
    "Certificate",
    "Deployment",
    "Expression",
    "ExpressionFailure",
    "ExpressionSyntaxError",
    "Group",
    "JToken",
    "Jwt",
    "LastError",
    "MappingValues",
    "MessageBody",
    "NamedValues",
    "Operation",
    "PolicyContext",
    "Product",
    "Request",
    "Response",
    "Run",
    "Subscription",
    "SubscriptionKeyNames",
    "Url",
    "User",
    "UserIdentity",
    "Workspace",
    "as_failure",
    "as_text",
    "compile_expression",
    "parse_json",
    "plain_json",
    "token_of",
]
