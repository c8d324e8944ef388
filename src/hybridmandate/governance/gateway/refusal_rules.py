"""Why a document is refused here that API Management itself would refuse, with the source.

A reason that no rule explains is a gap of this gateway.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PAGE = "the policy's page (learn.microsoft.com/azure/api-management/<policy>-policy)"
_EXPRESSIONS = "learn.microsoft.com/azure/api-management/api-management-policy-expressions"


@dataclass(frozen=True, slots=True)
class RefusalRule:
    """One kind of refusal: what is wrong with the document, and where that is written."""

    pattern: re.Pattern[str]
    statement: str
    source: str


def _rule(pattern: str, statement: str, source: str) -> RefusalRule:
    return RefusalRule(re.compile(pattern), statement, source)


RULES = (
    _rule(
        r"there is no policy <",
        "API Management has no such policy.",
        "learn.microsoft.com/azure/api-management/api-management-policies",
    ),
    _rule(r"> has no attribute '", "The policy has no such attribute.", _PAGE),
    _rule(
        r"> needs (?:attribute '|at least one <|exactly one of)",
        "A required part is missing.",
        _PAGE,
    ),
    _rule(r"is not allowed in section", "The policy may not stand in that section.", _PAGE),
    _rule(r"may stand only once in a section", "Usage notes: once in a section.", _PAGE),
    _rule(r"is not allowed in attribute '", "The attribute has a closed list of values.", _PAGE),
    _rule(r"must be (?:a whole number|at least)", "A number in bounds is required.", _PAGE),
    _rule(r"at most 5 custom dimensions|is not built in", "Dimensions: 5, or of the list.", _PAGE),
    _rule(r"'' is no absolute http or https URL", "An address is required, not empty text.", _PAGE),
    _rule(r"<key> is neither base64", "A key is base64 text.", _PAGE),
    _rule(
        r"names differ|does not end|is never closed|name is expected here|must be quoted",
        "The markup is broken.",
        "w3.org/TR/xml (well-formedness)",
    ),
    _rule(r"C# syntax: ", "The expression is not C#.", f"{_EXPRESSIONS} (Syntax)"),
    _rule(
        r"does not contain a definition for|does not exist in the current context"
        r"|cannot be applied to operands|Cannot implicitly convert|cannot convert from",
        "The C# compiler refuses the expression.",
        f"{_EXPRESSIONS} (Context variable) and the C# language specification",
    ),
    _rule(
        r"Expression return type '.*' is not allowed in a variable",
        "A variable keeps a value of the allowed types.",
        "learn.microsoft.com/azure/api-management/set-variable-policy (Allowed types)",
    ),
    _rule(
        r"is not available in policy expressions",
        "The type is not on the list of allowed types.",
        f"{_EXPRESSIONS} (.NET Framework types allowed)",
    ),
)


def rule_for(reason: str) -> RefusalRule | None:
    """The rule that explains a refusal, None for a gap."""
    return next((each for each in RULES if each.pattern.search(reason)), None)
