"""Expressions as generated Python: templates with holes, filled with syntax trees, compiled once.

A template is a Python expression. Its upper-case names are holes for trees, ``V``, ``V1``, … get
fresh variables, and the names in lower case are either those that every function has (those of
:data:`KNOWN`; ``run``, ``context``, ``budget``; ``f`` for the frame) or objects that are bound for
this use. Generated code reaches nothing else: there are no builtins, and no text of an expression
becomes code, only literals.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import FunctionType
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure, null_reference
from hybridmandate.governance.gateway.csharp.operators import operand
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.table import Run

Frame = list[Any]
SKIP: Final = object()
"""What a chain gives when a ``?.`` in it met null."""
MAX_DEPTH: Final = 24
"""Trees that are deeper become functions of their own, so that Python can compile them."""
_Source = tuple[str, tuple[str, ...]]
"""What a name stands for at the start of a function, and the names that this needs."""
_IN_FRAME: Final[Mapping[str, _Source]] = {
    "run": ("f[0]", ()),
    "context": ("run.context", ("run",)),
    "budget": ("run.budget", ("run",)),
}
_AT_START: Final[Mapping[str, _Source]] = {
    "context": ("run.context", ()),
    "budget": ("run.budget.begun()", ()),
}
_FRESH: Final = re.compile(r"V\d?")
_PLAIN: Final = (str, int, bool, float, type(None))


_PLACE: Final[Mapping[str, Any]] = {"lineno": 1, "col_offset": 0}
"""Where every piece of generated code is said to stand; Python wants to know."""
CHARGED: Final = "V if budget.allocate(len(V := A)) is None else V"
"""A text that was just made."""


def raise_null() -> Any:
    """A member of null was used."""
    raise null_reference()


def truth(value: Any) -> bool:
    """A condition's value. :raises ExpressionFailure: when it is null or no boolean."""
    if value is True or value is False:
        return value
    if value is None:
        raise null_reference()
    plain = operand(value)
    if plain is not value:
        return truth(plain)
    raise ExpressionFailure("A condition must be of type 'System.Boolean'.", "InvalidCastException")


KNOWN: Final[Mapping[str, Any]] = {
    "__builtins__": {},
    "as_text": as_text,
    "bool": bool,
    "bytearray": bytearray,
    "bytes": bytes,
    "int": int,
    "len": len,
    "null": raise_null,
    "skip": SKIP,
    "str": str,
    "tuple": tuple,
    "truth": truth,
    "type": type,
}
"""What every generated function may use."""


class PythonCode:
    """The functions generated for one expression, and the objects that they use."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = dict(KNOWN)
        self._bound: dict[int, str] = {}
        self._count = 0

    def variable(self) -> str:
        """The name of a fresh variable."""
        return self._new("v")

    def fill(
        self, template: str, holes: Mapping[str, str | ast.expr], objects: Mapping[str, Any]
    ) -> ast.expr:
        """The tree of a template."""
        parsed, fresh = _parsed(template)
        names: dict[str, str | ast.expr] = {name: self._new("v") for name in fresh}
        names.update(holes)
        names.update((name, self._bind(value)) for name, value in objects.items())
        filled: ast.expr = _filled(parsed, names)
        return filled

    def constant(self, value: Any) -> ast.expr:
        """The tree of a value: itself where Python has a literal for it, else a bound object."""
        if type(value) in _PLAIN:
            return literal(value)
        return ast.Name(self._bind(value), ast.Load(), **_PLACE)

    def function(self, tree: ast.expr) -> Callable[[Frame], Any]:
        """A function of the frame that gives the tree's value."""
        made: Callable[[Frame], Any] = self._defined(tree, ("f",), _IN_FRAME, _names_in(tree))
        return made

    def entry(self, tree: ast.expr, slots: int) -> Callable[[Run], Any]:
        """A function of the run that evaluates a whole expression.

        It makes only what its code uses: many expressions need neither frame nor budget.
        """
        used = _names_in(tree)
        if not used.isdisjoint(("f", "run")):
            # What is called with them may spend, so the evaluation's time begins.
            used.add("budget")
        prologue = {**_AT_START, "f": (f"[run{', None' * (slots - 1)}]", ())}
        made: Callable[[Run], Any] = self._defined(tree, ("run",), prologue, used)
        return made

    def _defined(
        self,
        tree: ast.expr,
        parameters: tuple[str, ...],
        prologue: Mapping[str, _Source],
        used: set[str],
    ) -> Any:
        body: list[ast.stmt] = []
        for name, (source, needs) in reversed(list(prologue.items())):
            if name in used:
                used.update(needs)
                target = ast.Name(name, ast.Store(), **_PLACE)
                value = _filled(_parsed(source)[0], {})
                body.insert(0, ast.Assign([target], value, **_PLACE))
        body.append(ast.Return(tree, **_PLACE))
        arguments = ast.arguments(
            posonlyargs=[],
            args=[ast.arg(name, **_PLACE) for name in parameters],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        )
        defined = ast.FunctionDef("expression", arguments, body, [], **_PLACE)
        whole = compile(ast.Module([defined], []), "<policy expression>", "exec")
        own = next(each for each in whole.co_consts if hasattr(each, "co_code"))
        return FunctionType(own, self._names)

    def _bind(self, value: Any) -> str:
        """The name of an object; the names keep it alive, so its id is its own."""
        name = self._bound.get(id(value))
        if name is None:
            name = self._bound[id(value)] = self._new("k")
            self._names[name] = value
        return name

    def _new(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"


def literal(value: Any) -> ast.expr:
    """The tree of a text, number, boolean or None."""
    return ast.Constant(value, **_PLACE)


def join(parts: list[ast.expr]) -> ast.expr:
    """The tree of the text that parts, all of them texts, make together."""
    values: list[ast.expr] = []
    for part in parts:
        if isinstance(part, ast.Constant):
            values.append(part)
        else:
            values.append(ast.FormattedValue(part, conversion=-1, **_PLACE))
    return ast.JoinedStr(values, **_PLACE)


@lru_cache(maxsize=1024)
def _parsed(template: str) -> tuple[ast.expr, frozenset[str]]:
    """A template's tree and the variables in it."""
    tree = ast.parse(template, mode="eval").body
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return tree, frozenset(name for name in names if _FRESH.fullmatch(name))


def _filled(node: Any, names: Mapping[str, str | ast.expr]) -> Any:
    """A copy with its holes filled; parts without holes are shared, for nobody changes a tree."""
    kind = type(node)
    if kind is ast.Name:
        found = names.get(node.id, node)
        return ast.Name(found, node.ctx, **_PLACE) if type(found) is str else found
    if kind is list:
        return [_filled(each, names) for each in node]
    if isinstance(node, ast.expr) and kind is not ast.Constant:
        return kind(*[_filled(getattr(node, each), names) for each in kind._fields], **_PLACE)
    return node


def _names_in(tree: ast.expr) -> set[str]:
    names: set[str] = set()
    pending: list[Any] = [tree]
    while pending:
        node = pending.pop()
        if type(node) is ast.Name:
            names.add(node.id)
        elif type(node) is list:
            pending.extend(node)
        elif isinstance(node, ast.expr):
            pending.extend([getattr(node, each) for each in node._fields])
    return names
