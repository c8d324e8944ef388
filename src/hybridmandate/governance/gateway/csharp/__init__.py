"""The C# expressions of API Management policies: compiled to closures, bounded, side-effect free."""

from hybridmandate.governance.gateway.csharp.budget import Budget
from hybridmandate.governance.gateway.csharp.context import (
    Api,
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
    Url,
    User,
    UserIdentity,
    Workspace,
)
from hybridmandate.governance.gateway.csharp.expression import Expression, compile_expression
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    ExpressionSyntaxError,
)
from hybridmandate.governance.gateway.csharp.json_tokens import (
    JToken,
    parse_json,
    plain_json,
    token_of,
)
from hybridmandate.governance.gateway.csharp.jwt import Jwt
from hybridmandate.governance.gateway.csharp.text import as_text

__all__ = [
    "compile_expression", "Expression", "ExpressionSyntaxError", "ExpressionFailure", "Budget",
    "as_text", "PolicyContext", "Request", "Response", "Url", "MessageBody", "NamedValues",
    "MappingValues", "Api", "Operation", "Product", "Subscription", "User", "UserIdentity",
    "Group", "Deployment", "Certificate", "LastError", "Workspace", "Jwt", "JToken", "parse_json", "plain_json",
    "token_of",
]  # fmt: skip
