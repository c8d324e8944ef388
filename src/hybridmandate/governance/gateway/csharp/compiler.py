"""The heart of compilation: scopes, slots of locals, static types, dispatch by node kind.

Compiled code takes a *frame*: a list whose first element is the :class:`Run` and whose others are
the locals. A lambda runs in a copy of the frame that it was made in.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.conversions import head_of
from hybridmandate.governance.gateway.csharp.failures import ExpressionSyntaxError
from hybridmandate.governance.gateway.csharp.inputs import READ, Input
from hybridmandate.governance.gateway.csharp.jwt import Jwt
from hybridmandate.governance.gateway.csharp.parse import (
    Source,
    named,
    text_of,
)
from hybridmandate.governance.gateway.csharp.parse import (
    field as child,
)
from hybridmandate.governance.gateway.csharp.python_code import (
    CHARGED,
    MAX_DEPTH,
    Frame,
    PythonCode,
    join,
)
from hybridmandate.governance.gateway.csharp.regroup import last_operand, operator_at_base
from hybridmandate.governance.gateway.csharp.source_names import own_member_names, shared_names
from hybridmandate.governance.gateway.csharp.types.table import ClrType, Run, find_type

Evaluate = Callable[[Frame], Any]
Execute = Callable[[Frame], Any]


class Code:
    """A compiled expression with its static C# type, "" when only known at run time.

    ``run`` evaluates it on a frame. ``skips`` tells that it may give :data:`SKIP`, ``exact`` that
    its value is always of the type and never null. ``place`` names the part of ``context`` that it
    gives ("context.Request"), ``literal`` is the text that it always gives; both are for shorter
    code around it.
    """

    __slots__ = ("_run", "exact", "literal", "place", "skips", "type")

    def __init__(
        self,
        run: Evaluate | None,
        type: str = "",
        skips: bool = False,
        place: str = "",
        literal: str | None = None,
        *,
        exact: bool = False,
    ) -> None:
        self._run = run
        self.type = type
        self.skips = skips
        self.place = place
        self.literal = literal
        self.exact = exact

    @property
    def run(self) -> Evaluate:
        """The function that evaluates it."""
        assert self._run is not None
        return self._run

    @property
    def settled(self) -> tuple[Any] | None:
        """Its value when that stands in the source: a text, number, boolean or null."""
        return None


class Written(Code):
    """Code that is a tree of generated Python; a function only when somebody asks for one."""

    __slots__ = ("_python", "_tree", "depth")

    def __init__(
        self,
        python: PythonCode,
        tree: ast.expr | None,
        depth: int,
        type: str,
        *,
        skips: bool = False,
        place: str = "",
        literal: str | None = None,
        exact: bool = False,
    ) -> None:
        super().__init__(None, type, skips, place, literal, exact=exact)
        self._python = python
        self._tree = tree
        self.depth = depth

    @property
    def tree(self) -> ast.expr:
        """The generated Python, to be part of other code of the same expression."""
        assert self._tree is not None
        return self._tree

    @property
    def settled(self) -> tuple[Any] | None:
        """Its value when that stands in the source: a text, number, boolean or null."""
        return (self._tree.value,) if isinstance(self._tree, ast.Constant) else None

    @property
    def run(self) -> Evaluate:
        """The function that evaluates it."""
        if self._run is None:
            self._run = self._python.function(self.tree)
        return self._run


class Joined(Written):
    """Texts joined by ``+``: one join of all parts, however many operators stand in a row."""

    __slots__ = ("_compiler", "_parts")

    def __init__(self, c: Compiler, parts: list[Code]) -> None:
        super().__init__(c.python, None, 1, "string", exact=True)
        self._compiler = c
        self._parts: list[Code] = []
        for each in parts:
            self.append(each)

    def append(self, part: Code) -> None:
        """One more part on the right."""
        self._parts.append(part)
        self.depth = max(self.depth, part.depth + 1 if isinstance(part, Written) else 1)

    @property
    def tree(self) -> ast.expr:
        """The join, made when the last part is known."""
        if self._tree is None:
            self._tree = self._compiler.join(self._parts)
        return self._tree


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
        self.python = PythonCode()
        self.scopes: list[dict[str, Local]] = [{}]
        self.functions: list[Function] = []
        self.slots = 1
        self.binding: list[Code] = []
        self.instead: dict[int, Callable[[], Code]] = {}
        self.live_uses = 0
        """Uses of ``context`` for anything but variables and request headers."""
        self.reads_request_body = False
        self.reads_response_body = False
        self.member_names = own_member_names(source.body)
        self.shared_names = shared_names(source.body)

    def error(self, node: Node, reason: str) -> ExpressionSyntaxError:
        """An error at a node."""
        return self.source.error(node, reason)

    # Generated Python

    def write(
        self,
        template: str,
        type: str = "",
        *,
        skips: bool = False,
        place: str = "",
        exact: bool = False,
        **parts: Any,
    ) -> Written:
        """Code by a template: parts in upper case are code or trees for its holes, others objects.

        A part that is a text is the name of a variable.
        """
        holes: dict[str, str | ast.expr] = {}
        objects: dict[str, Any] = {}
        depth = 1
        for name, part in parts.items():
            if isinstance(part, Code):
                holes[name] = self.tree(part)
                depth = max(depth, _depth(part) + 1)
            elif isinstance(part, str | ast.expr):
                holes[name] = part
            else:
                objects[name] = part
        tree = self.python.fill(template, holes, objects)
        return Written(self.python, tree, depth, type, skips=skips, place=place, exact=exact)

    def write_on(self, receiver: Code, template: str, type: str = "", **parts: Any) -> Written:
        """The same on a receiver in hole ``A``; when that may be skipped, so is this."""
        if not receiver.skips:
            return self.write(template, type, A=receiver, **parts)
        name = self.python.variable()
        inner = self.write(template, type, A=name, **parts)
        return self.write(
            "C if (C := A) is skip else B", type, skips=True, A=receiver, B=inner, C=name
        )

    def tree(self, code: Code) -> ast.expr:
        """The tree of code, to be part of other code; what is deep becomes a call."""
        if isinstance(code, Written) and code.depth < MAX_DEPTH:
            return code.tree
        return self.python.fill("call(f)", {}, {"call": code.run})

    def constant(self, value: Any, type: str) -> Written:
        """Code that always gives the same value."""
        tree = self.python.constant(value)
        literal = value if value.__class__ is str else None
        exact = value is not None
        return Written(self.python, tree, 1, type, literal=literal, exact=exact)

    def text(self, code: Code) -> Code:
        """The text of code in a concatenation."""
        if code.literal is not None or (code.type == "string" and code.exact):
            return code
        return self.write("V if type(V := A) is str else as_text(V)", "string", A=code, exact=True)

    def condition(self, code: Code) -> Code:
        """Code as a condition: true or false, else an error."""
        if code.type == "bool" and code.exact:
            return code
        return self.write(
            "V if (V := A) is True or V is False else truth(V)", "bool", A=code, exact=True
        )

    def entry(self, code: Code) -> Callable[[Run], Any]:
        """What evaluates a whole expression with a context and a budget."""
        if not (code.exact and code.type in ("bool", "int", "string")):
            code = self.write("bytes(V) if type(V := A) is bytearray else V", A=code)
        return self.python.entry(self.tree(code), self.slots)

    def reader(self, inputs: list[Input]) -> Callable[[Run], tuple[Any, ...]]:
        """What reads an expression's inputs, without evaluating it."""
        parts: dict[str, Any] = {
            letter: self.write(READ[each.kind], A=self.constant(each.name, "string"), jwt=Jwt)
            for letter, each in zip("ABCDEF", inputs, strict=False)
        }
        whole = self.write(f"({', '.join(parts)},)", **parts)
        return self.python.entry(self.tree(whole), self.slots)

    def join(self, parts: list[Code]) -> ast.expr:
        """The joined text of parts, charged to the budget."""
        made = join([self.tree(self.text(part)) for part in parts])
        return self.python.fill(CHARGED, {"A": made}, {})

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
        return self.write("None if (V := A) is skip else V", code.type, A=code)

    def statement(self, node: Node) -> Code:
        """Compile a statement; its value is None, BREAK, CONTINUE, or a tuple that is returned.

        Its type is "void" when that is always None.
        """
        compile_node = STATEMENTS.get(node.type)
        if compile_node is None:
            raise self.error(node, f"'{_readable(node)}' is not supported in policy expressions")
        found = compile_node(self, node)
        return found if isinstance(found, Code) else Code(found)

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


def _depth(code: Code) -> int:
    return code.depth if isinstance(code, Written) and code.depth < MAX_DEPTH else 1


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


def _readable(node: Node) -> str:
    return node.type.replace("_", " ")


ExpressionCompiler = Callable[[Compiler, Node], Code]
StatementCompiler = Callable[[Compiler, Node], Code | Execute]
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
