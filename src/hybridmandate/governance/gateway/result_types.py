"""Whether the value of an expression can be right for the place where it stands, seen at load.

API Management compiles an expression to what its attribute takes and refuses the document when C#
knows no way from the one type to the other. Here the same is done as far as the type is known: what
is ``object`` or ``dynamic``, or comes out of a ``@{…}`` block, is looked at in each call.

Sources: the pages of the policies (Attributes), of set-variable (Allowed types) and of policy
expressions (Usage: "only have limited verification").
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from hybridmandate.governance.gateway.csharp.types.table import ClrType, find_type


class Wanted(Enum):
    """What an attribute or text takes."""

    TEXT = "string"
    TRUTH = "bool"
    NUMBER = "int"
    VARIABLE = "a variable"
    ANYTHING = "object"


_TRUTHS: Final = frozenset(
    {"allow-private-response-caching", "cache-response", "condition", "enforce-on-completions",
     "estimate-prompt-tokens", "first-fast-retry", "ignore-case", "increment-condition",
     "must-revalidate", "shield-prompt", "vary-by-developer", "vary-by-developer-groups", "when"}
)  # fmt: skip
"""Attributes whose pages ask for true or false."""
_OTHERS: Final = {
    ("set-variable", "value"): Wanted.VARIABLE,
    ("cache-store-value", "value"): Wanted.ANYTHING,
    ("cache-lookup-value", "default-value"): Wanted.ANYTHING,
}
_UNKNOWN: Final = frozenset({"", "object", "dynamic", "null", "throw", "T"})
_READ_FROM_TEXT: Final = frozenset({"string", "JToken", "JValue", "JProperty", "JRaw"})
"""Types whose text is read as true, false or a number in each call."""
_NUMBERS: Final = frozenset(
    {"byte", "sbyte", "short", "ushort", "int", "uint", "long", "ulong", "float", "double",
     "decimal"}
)  # fmt: skip
_VARIABLES: Final = _NUMBERS | {
    "bool", "string", "char", "Guid", "DateTime", "TimeSpan", "byte[]", "sbyte[]",
    "JArray", "JConstructor", "JContainer", "JObject", "JProperty", "JRaw", "JToken", "JValue",
    "IResponse", "Jwt",
}  # fmt: skip
"""Those of the set-variable page, and two more: ``IResponse``, which send-request itself keeps in a
variable, and ``Jwt``, which Microsoft's own snippets keep in one
(github.com/Azure/api-management-policy-snippets)."""
_OF_CONTEXT: Final = "Microsoft.Azure.ApiManagement."
_WITH_TEXT: Final = frozenset({"IUrl", "IMessageBody", "Jwt"})
"""Objects of the gateway that a message can hold as text."""


def wanted_by(element: str, attribute: str) -> Wanted:
    """What an attribute takes."""
    if attribute in _TRUTHS:
        return Wanted.TRUTH
    return _OTHERS.get((element, attribute), Wanted.TEXT)


def refusal(found: str, wanted: Wanted) -> str | None:
    """Why a value of a static C# type cannot be right, None when it can."""
    name = found.removesuffix("?")
    known = None if name in _UNKNOWN or wanted is Wanted.ANYTHING else find_type(name)
    if known is None or _fits(name, known, wanted):
        return None
    if wanted is Wanted.VARIABLE:
        return f"Expression return type '{known.full_name}' is not allowed in a variable"
    return f"Cannot implicitly convert type '{found}' to '{wanted.value}'"


def _fits(name: str, known: ClrType, wanted: Wanted) -> bool:
    if wanted is Wanted.TRUTH:
        return name == "bool" or name in _READ_FROM_TEXT
    if wanted is Wanted.NUMBER:
        return name in _NUMBERS or name in _READ_FROM_TEXT
    if wanted is Wanted.VARIABLE:
        return name in _VARIABLES
    is_part = known.full_name.startswith(_OF_CONTEXT) and known.name not in _WITH_TEXT
    return not is_part and name.split("<", 1)[0] not in ("Func", "Action", "Predicate")
