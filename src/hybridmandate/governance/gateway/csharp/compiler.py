"""The heart of compilation: scopes, slots of locals, static types, dispatch by node kind.

Compiled code takes a *frame*: a list whose first element is the :class:`Run` and whose others are
the locals. A lambda runs in a copy of the frame that it was made in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.conversions import head_of
from hybridmandate.governance.gateway.csharp.failures import ExpressionSyntaxError
from hybridmandate.governance.gateway.csharp.parse import (
    Source,
    named,
    text_of,
    walk,
)
from hybridmandate.governance.gateway.csharp.parse import (
    field as child,
)
from hybridmandate.governance.gateway.csharp.regroup import last_operand, operator_at_base
from hybridmandate.governance.gateway.csharp.types.table import ClrType, find_type

Frame = list[Any]
Evaluate = Callable[[Frame], Any]
Execute = Callable[[Frame], Any]
SKIP: Final = object()
"""What a chain gives when a ``?.`` in it met null."""


@dataclass(slots=True)
class Code:
    """A compiled expression with its static C# type, "" when only known at run time.

    ``skips`` tells that it may give :data:`SKIP`. ``place`` names the part of ``context`` that it
    gives ("context.Request"), ``literal`` is the text that it always gives; both are for shorter
    code around it.
    """

    run: Evaluate
    type: str = ""
    skips: bool = False
    place: str = ""
    literal: str | None = None


@dataclass(slots=True)
class Local:
    """A local variable: its place in the frame and its static type.

    One that functions use and that is assigned after its declaration is *shared*: its slot holds a
    list with the value, which all copies of the frame have in common.
    """

    slot: int
    type: str
    shared: bool

    def start(self) -> Callable[[Frame, Any], None]:
        """What gives the variable its first value, afresh each time its declaration runs."""
        slot = self.slot
        if self.shared:
            return lambda frame, value: frame.__setitem__(slot, [value])
        return lambda frame, value: frame.__setitem__(slot, value)


@dataclass(slots=True)
class Function:
    """A lambda or local function being compiled: the static types of what it returns."""

    returns: list[str] = field(default_factory=list)


class Compiler:
    """Compiles one expression."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.scopes: list[dict[str, Local]] = [{}]
        self.functions: list[Function] = []
        self.slots = 1
        self.binding: list[Code] = []
        self.instead: dict[int, Callable[[], Code]] = {}
        self.joined: dict[Evaluate, list[Evaluate]] = {}
        self.live_uses = 0
        """Uses of ``context`` for anything but variables and request headers."""
        self.reads_request_body = False
        self.reads_response_body = False
        self.member_names = _own_member_names(source.body)
        self.shared_names = _shared_names(source.body)

    def error(self, node: Node, reason: str) -> ExpressionSyntaxError:
        """An error at a node."""
        return self.source.error(node, reason)

    # Locals

    def new_slot(self) -> int:
        """An unnamed place in the frame."""
        self.slots += 1
        return self.slots - 1

    def declare(self, node: Node, name: str, type_name: str) -> Local:
        """A new local. :raises ExpressionSyntaxError: when the name is taken in its scope."""
        if name in self.scopes[-1]:
            raise self.error(node, f"A local variable named '{name}' is already defined")
        local = Local(self.new_slot(), type_name, name in self.shared_names)
        self.scopes[-1][name] = local
        return local

    def find(self, name: str) -> Local | None:
        """The local of that name, innermost first."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    # Dispatch

    def chain(self, node: Node) -> Code:
        """Compile an expression that may be the inner part of a ``?.`` chain."""
        instead = self.instead.pop(node.id, None)
        if instead is not None:
            return instead()
        operators = operator_at_base(node)
        if operators is not None and operators.id not in self.instead:
            return self._regrouped(node, operators)
        compile_node = EXPRESSIONS.get(node.type)
        if compile_node is None:
            raise self.error(node, f"'{_readable(node)}' is not supported in policy expressions")
        return compile_node(self, node)

    def _regrouped(self, chain: Node, operators: Node) -> Code:
        """Compile the operators; in the place of their last operand stands the whole chain."""
        operand = last_operand(operators)

        def whole_chain() -> Code:
            self.instead[operators.id] = lambda: self.chain(operand)
            return self.expression(chain)

        self.instead[operand.id] = whole_chain
        return self.chain(operators)

    def expression(self, node: Node) -> Code:
        """Compile a complete expression."""
        code = self.chain(node)
        if not code.skips:
            return code
        inner = code.run

        def run(frame: Frame) -> Any:
            value = inner(frame)
            return None if value is SKIP else value

        return Code(run, code.type)

    def statement(self, node: Node) -> Execute:
        """Compile a statement."""
        compile_node = STATEMENTS.get(node.type)
        if compile_node is None:
            raise self.error(node, f"'{_readable(node)}' is not supported in policy expressions")
        return compile_node(self, node)

    # Types

    def type_name(self, node: Node) -> str:
        """The C# type that a type node names, in canonical form ("int", "List<string>").

        :raises ExpressionSyntaxError: for a type that expressions may not use.
        """
        if node.type in ("implicit_type", "var_pattern"):
            return ""
        if node.type == "nullable_type":
            return self.type_name(child(node, "type")) + "?"
        if node.type == "array_type":
            return self.type_name(child(node, "type")) + "[]"
        if node.type == "tuple_type":
            parts = []
            for element in named(node):
                name = text_of(element.child_by_field_name("name"))
                parts.append(f"{self.type_name(child(element, 'type'))} {name}".strip())
            return f"({', '.join(parts)})"
        if node.type == "generic_name":
            return self.generic(node)
        text = text_of(node)
        if node.type == "qualified_name" and "<" in text:
            return self.generic(child(node, "name"))
        if text == "var":
            return ""
        if text == "dynamic":
            return text
        return self.known_type(node, text).name

    def generic(self, node: Node) -> str:
        """``List<string>`` and the like."""
        head, arguments = named(node)[0], named(node)[1]
        known = self.known_type(head, text_of(head))
        return f"{known.name}<{', '.join(self.type_name(a) for a in named(arguments))}>"

    def known_type(self, node: Node, name: str) -> ClrType:
        """A listed type. :raises ExpressionSyntaxError: when it is not."""
        found = find_type(name)
        if found is None:
            raise self.error(node, f"The type '{name}' is not available in policy expressions")
        return found

    def static_type(self, node: Node) -> ClrType | None:
        """The type when the node names one (``string``, ``Convert``, ``System.Convert``)."""
        if node.type == "predefined_type":
            return find_type(text_of(node))
        if node.type == "identifier":
            name = text_of(node)
            return None if name == "context" or self.find(name) else find_type(name)
        if node.type == "generic_name":
            return find_type(self.generic(node))
        if node.type in ("member_access_expression", "qualified_name", "alias_qualified_name"):
            text = "".join(text_of(node).split()).removeprefix("global::")
            if text.replace(".", "").replace("_", "").isalnum() and not self.find(
                text.split(".", 1)[0]
            ):
                return find_type(text) if "." in text else None
        return None


def elements_of(type_name: str) -> str:
    """The static type of the elements of a sequence type, "" when unknown."""
    name = type_name.removesuffix("?")
    if name.endswith("[]"):
        return name[:-2]
    if name in ("JObject", "JArray", "JToken"):
        return "JToken"
    if name == "string":
        return "char"
    head = head_of(name)
    if head in ("List", "IEnumerable", "HashSet", "IList", "ICollection", "Queue", "Stack") and (
        name.endswith(">")
    ):
        return name[len(head) + 1 : -1]
    return ""


def _own_member_names(body: Node) -> set[str]:
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


def _shared_names(body: Node) -> set[str]:
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


def _readable(node: Node) -> str:
    return node.type.replace("_", " ")


ExpressionCompiler = Callable[[Compiler, Node], Code]
StatementCompiler = Callable[[Compiler, Node], Execute]
EXPRESSIONS: Final[dict[str, ExpressionCompiler]] = {}
STATEMENTS: Final[dict[str, StatementCompiler]] = {}


def expression(*kinds: str) -> Callable[[ExpressionCompiler], ExpressionCompiler]:
    """Register what compiles nodes of these kinds."""

    def register(function: ExpressionCompiler) -> ExpressionCompiler:
        for kind in kinds:
            EXPRESSIONS[kind] = function
        return function

    return register


def statement(*kinds: str) -> Callable[[StatementCompiler], StatementCompiler]:
    """Register what compiles statements of these kinds."""

    def register(function: StatementCompiler) -> StatementCompiler:
        for kind in kinds:
            STATEMENTS[kind] = function
        return function

    return register
