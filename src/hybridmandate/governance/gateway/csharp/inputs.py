"""Expressions whose value depends on little: a few variables, headers, or a token's claims.

Most conditions of a policy set are of this kind. What they depend on is found in the source, which
must hold nothing but these inputs, literals, locals, and members that give the same for the same.
Anything else, such as a body, the time or a fresh GUID, and the expression is not of this kind.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.parse import field, named, text_of, walk

MOST: Final = 6
"""The most inputs that are worth looking up."""
_LITERALS: Final = frozenset(
    {"boolean_literal", "character_literal", "integer_literal", "null_literal", "string_literal"}
)
_TRANSPARENT: Final = frozenset(
    {
        "argument_list",
        "binary_expression",
        "block",
        "bracketed_argument_list",
        "conditional_expression",
        "element_access_expression",
        "if_statement",
        "local_declaration_statement",
        "parenthesized_expression",
        "return_statement",
    }
)
"""What depends on its parts only."""
_TYPES: Final = frozenset({"Convert", "Regex", "String", "StringComparison"})
_CASTS: Final = frozenset({"Jwt", "bool", "int", "long", "string"})
_MEMBERS: Final = frozenset(
    {
        "Claims",
        "Contains",
        "ContainsKey",
        "EndsWith",
        "Equals",
        "GetValueOrDefault",
        "IndexOf",
        "IsMatch",
        "IsNullOrEmpty",
        "IsNullOrWhiteSpace",
        "Join",
        "Length",
        "Ordinal",
        "OrdinalIgnoreCase",
        "Replace",
        "Split",
        "StartsWith",
        "Substring",
        "ToInt32",
        "ToInt64",
        "ToLower",
        "ToLowerInvariant",
        "ToString",
        "ToUpper",
        "ToUpperInvariant",
        "Trim",
        "TrimEnd",
        "TrimStart",
    }
)
"""Members of texts, arrays of them, and a token's claims."""
_VARIABLES: Final = "context.Variables"
_REQUEST_HEADERS: Final = "context.Request.Headers"
_RESPONSE_HEADERS: Final = "context.Response.Headers"
_STATUS: Final = "context.Response.StatusCode"


class Input(NamedTuple):
    """Something that an expression reads: its kind, one of :data:`READ`, and its name."""

    kind: str
    name: str


READ: Final = {
    "variable": "V if type(V := context.variables.get(A, ...)) is str or type(V) is jwt "
    "or V is None or V is ... else skip",
    "presence": "A in context.variables",
    "request header": "tuple(context.request.headers.values(A))",
    "request headers": "tuple(context.request.headers.names())",
    "response header": "tuple(context.response.headers.values(A)) "
    "if context.response is not None else skip",
    "status": "context.response.status_code if context.response is not None else skip",
}
"""Generated Python that reads each kind; ``skip`` stands for what cannot be compared, ``...`` for a
variable that is not there: an indexer refuses it, and not one that is null."""


def inputs_of(body: Node) -> list[Input] | None:
    """What an expression's value depends on alone; None when that is not known.

    Also None where reading the inputs is all that it does: that is as quick as looking them up.
    """
    declared = [node for node in walk(body) if node.type == "variable_declarator"]
    locals = {text_of(each.child_by_field_name("name")) for each in declared}
    found: list[Input] = []
    calls = 0
    pending = [body]
    while pending:
        node = pending.pop()
        given = _input(node)
        if given is not None:
            found.append(given[0])
            pending.extend(given[1])
            continue
        parts = _parts(node, locals)
        if parts is None:
            return None
        calls += node.type == "invocation_expression"
        pending.extend(parts)
    once = list(dict.fromkeys(found))
    return once if calls and 0 < len(once) <= MOST else None


def _input(node: Node) -> tuple[Input, list[Node]] | None:
    """An input, and what else stands in it: its default."""
    if node.type == "member_access_expression":
        place = _place(node)
        if place == _STATUS:
            return Input("status", ""), []
        return (Input("request headers", ""), []) if place == f"{_REQUEST_HEADERS}.Keys" else None
    if node.type == "element_access_expression":
        name = _literal(named(field(node, "subscript")))
        if name is None or _place(field(node, "expression")) != _VARIABLES:
            return None
        return Input("variable", name), []
    if node.type != "invocation_expression":
        return None
    arguments = named(field(node, "arguments"))
    name = _literal(arguments)
    if name is None or any(len(named(each)) != 1 for each in arguments):
        return None
    place = _place(field(node, "function"))
    defaults = [named(each)[0] for each in arguments[1:]]
    if place == f"{_VARIABLES}.ContainsKey":
        return Input("presence", name), defaults
    if place == f"{_VARIABLES}.GetValueOrDefault":
        return Input("variable", name), defaults
    if place == f"{_REQUEST_HEADERS}.GetValueOrDefault":
        return Input("request header", name), defaults
    if place == f"{_RESPONSE_HEADERS}.GetValueOrDefault":
        return Input("response header", name), defaults
    return None


def _place(node: Node) -> str:
    """The source of a chain of members, without blanks and type arguments."""
    return "".join(text_of(node).split()).partition("<")[0]


def _literal(arguments: list[Node]) -> str | None:
    """The text that the first argument is, when it is a plain literal."""
    parts = named(arguments[0]) if arguments else []
    if len(parts) != 1 or parts[0].type != "string_literal":
        return None
    text = text_of(parts[0])
    return None if "\\" in text else text[1:-1]


def _parts(node: Node, locals: set[str]) -> list[Node] | None:
    """What a node depends on; None when nobody knows what it gives."""
    kind = node.type
    if kind in _LITERALS or kind == "predefined_type":
        return []
    if kind in _TRANSPARENT:
        return named(node)
    if kind == "identifier":
        return [] if text_of(node) in locals | _TYPES else None
    if kind == "member_access_expression":
        return [field(node, "expression")] if text_of(field(node, "name")) in _MEMBERS else None
    if kind == "invocation_expression":
        function = field(node, "function")
        is_member = function.type == "member_access_expression"
        return [function, field(node, "arguments")] if is_member else None
    if kind == "argument":
        return named(node) if node.child_count == 1 else None
    if kind == "cast_expression":
        return [field(node, "value")] if text_of(field(node, "type")) in _CASTS else None
    if kind == "prefix_unary_expression":
        return named(node) if node.children[0].type in ("!", "-") else None
    if kind == "variable_declaration":
        return [each for each in named(node) if each.type == "variable_declarator"]
    if kind == "variable_declarator":
        # A tuple that is taken apart has no name of its own.
        return None if node.child_by_field_name("name") is None else named(node)[1:]
    return None
