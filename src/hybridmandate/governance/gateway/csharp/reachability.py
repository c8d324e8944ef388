"""Whether a block of statements always ends with a value.

"All code paths within multi-statement expressions must end with a return statement"
(learn.microsoft.com/azure/api-management/api-management-policy-expressions, Syntax). The rules are
those of end points and reachability in the C# language specification, statements.
"""

from __future__ import annotations

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.parse import named, text_of

_LOOPS = frozenset({"while_statement", "do_statement", "for_statement", "foreach_statement"})
_INSIDE = frozenset(
    {"lambda_expression", "anonymous_method_expression", "local_function_statement"}
)


def runs_out(node: Node) -> bool:
    """Whether control can reach the end of a statement."""
    kind = node.type
    if kind == "block":
        return all(runs_out(each) for each in named(node))
    if kind == "return_statement":
        return not named(node)
    if kind in ("throw_statement", "goto_statement", "continue_statement", "break_statement"):
        return False
    if kind == "if_statement":
        other = node.child_by_field_name("alternative")
        chosen = node.child_by_field_name("consequence")
        return other is None or chosen is None or runs_out(chosen) or runs_out(other)
    if kind in ("while_statement", "do_statement", "for_statement"):
        return not _forever(node) or _breaks(node)
    if kind == "switch_statement":
        return _switch_runs_out(node)
    if kind == "try_statement":
        return _try_runs_out(node)
    if kind in ("using_statement", "checked_statement", "lock_statement", "labeled_statement"):
        body = [each for each in named(node) if each.type.endswith(("block", "_statement"))]
        return not body or runs_out(body[-1])
    return True


def _forever(loop: Node) -> bool:
    condition = loop.child_by_field_name("condition")
    if loop.type == "for_statement" and condition is None:
        return True
    return condition is not None and text_of(condition).strip("() ") == "true"


def _breaks(node: Node) -> bool:
    """Whether a ``break`` ends this loop or switch, not one inside it."""
    for each in named(node):
        if each.type == "break_statement":
            return True
        if each.type in _LOOPS or each.type == "switch_statement" or each.type in _INSIDE:
            continue
        if _breaks(each):
            return True
    return False


def _switch_runs_out(node: Node) -> bool:
    sections = [each for each in named(named(node)[-1]) if each.type == "switch_section"]
    if not any(child.type == "default" for section in sections for child in section.children):
        return True
    return _breaks(node) or runs_out(named(sections[-1])[-1])


def _try_runs_out(node: Node) -> bool:
    parts = named(node)
    finals = [each for each in parts if each.type == "finally_clause"]
    if finals and not runs_out(named(finals[0])[-1]):
        return False
    blocks = [parts[0]] + [named(each)[-1] for each in parts if each.type == "catch_clause"]
    return any(runs_out(each) for each in blocks)
