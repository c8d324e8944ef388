"""Names of an expression that are looked for before it is compiled."""

from __future__ import annotations

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.parse import field as child
from hybridmandate.governance.gateway.csharp.parse import named, text_of, walk


def own_member_names(body: Node) -> set[str]:
    """Names of members that the expression itself makes: anonymous types and tuples."""
    names: set[str] = set()
    for node in walk(body):
        if node.type in ("anonymous_object_creation_expression", "tuple_expression"):
            for part in walk(node):
                if part.type == "identifier":
                    names.add(text_of(part))
        elif node.type == "tuple_element":
            names.add(text_of(node.child_by_field_name("name")))
    return names


_FUNCTIONS = frozenset(
    {"lambda_expression", "anonymous_method_expression", "local_function_statement"}
)


def shared_names(body: Node) -> set[str]:
    """Names that are assigned after their declaration and used in a lambda or local function."""
    assigned: set[str] = set()
    used: set[str] = set()
    for node in walk(body):
        if node.type == "assignment_expression":
            assigned |= _names(child(node, "left"))
        elif node.type in ("prefix_unary_expression", "postfix_unary_expression"):
            signs = {text_of(part) for part in node.children if not part.is_named}
            assigned |= _names(node) if signs & {"++", "--"} else set()
        elif node.type == "argument" and any(part.type == "out" for part in node.children):
            assigned |= _names(node)
        elif node.type in _FUNCTIONS:
            used |= {text_of(part) for part in walk(node) if part.type == "identifier"}
    return assigned & used


def _names(node: Node) -> set[str]:
    if node.type == "identifier":
        return {text_of(node)}
    if node.type == "member_access_expression":
        return set()
    return {text_of(part) for part in named(node) if part.type == "identifier"} | {
        name for part in named(node) if part.type == "argument" for name in _names(part)
    }
