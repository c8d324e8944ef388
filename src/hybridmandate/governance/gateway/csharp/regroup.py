"""Two places where the grammar groups C# differently from C# itself, put right.

* ``"a" + x?.b`` comes as ``("a" + x)?.b``: the chain is moved to the last operand.
* ``(T)x.As<U>(true)`` comes as two comparisons, ``((T)x.As < U) > (true)``: it becomes the call.
"""

from __future__ import annotations

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.parse import field, named, text_of

_BASE_FIELD = {
    "member_access_expression": "expression",
    "element_access_expression": "expression",
    "invocation_expression": "function",
    "conditional_access_expression": "condition",
}
_LAST_OPERAND = {
    "binary_expression": "right",
    "cast_expression": "value",
    "conditional_expression": "alternative",
    "assignment_expression": "right",
}


def last_operand(node: Node) -> Node:
    """The operand that stands last in an operator expression, or the node itself."""
    while True:
        if node.type in _LAST_OPERAND:
            node = field(node, _LAST_OPERAND[node.type])
        elif node.type == "prefix_unary_expression":
            node = named(node)[-1]
        else:
            return node


def operator_at_base(node: Node) -> Node | None:
    """The operator expression that a chain of ``?.`` was wrongly put around, if any."""
    if node.type not in _BASE_FIELD:
        return None
    seen_conditional = False
    while node.type in _BASE_FIELD:
        seen_conditional = seen_conditional or node.type == "conditional_access_expression"
        node = field(node, _BASE_FIELD[node.type])
    wrong = node.type in _LAST_OPERAND or node.type == "prefix_unary_expression"
    return node if wrong and seen_conditional else None


class GenericCall:
    """A call with type arguments that came as comparisons."""

    __slots__ = ("argument", "call", "function", "head", "type_node")

    def __init__(self, head: Node, function: Node, type_node: Node, call: Node, arg: Node) -> None:
        self.head = head
        """What stands before the ``<``: the function with the operators in front of it."""
        self.function = function
        self.type_node = type_node
        self.call = call
        """What stands behind the ``>``: the argument in brackets with what follows it."""
        self.argument = arg


def generic_call(node: Node) -> GenericCall | None:
    """The call that ``a.f < T > (x)`` stands for, if the node is such a thing."""
    if node.type != "binary_expression" or _sign(node) != ">":
        return None
    left, call = field(node, "left"), field(node, "right")
    if left.type != "binary_expression" or _sign(left) != "<":
        return None
    argument = call
    while argument.type in _BASE_FIELD:
        argument = field(argument, _BASE_FIELD[argument.type])
    head = field(left, "left")
    function = last_operand(head)
    type_node = field(left, "right")
    if argument.type != "parenthesized_expression" or function.type != "member_access_expression":
        return None
    if type_node.type not in ("identifier", "member_access_expression", "predefined_type"):
        return None
    return GenericCall(head, function, type_node, call, argument)


def _sign(node: Node) -> str:
    return text_of(node.child_by_field_name("operator"))
