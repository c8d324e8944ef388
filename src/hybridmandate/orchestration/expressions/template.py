"""Texts of a definition that may hold expressions: parsed once, evaluated often."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from hybridmandate.orchestration.expressions import functions as _registered  # noqa: F401
from hybridmandate.orchestration.expressions.bounds import Bounds, Frame
from hybridmandate.orchestration.expressions.compiling import (
    Evaluate,
    call_function,
    compile_node,
)
from hybridmandate.orchestration.expressions.errors import (
    ExpressionError,
    ExpressionEvaluationError,
    FunctionFault,
)
from hybridmandate.orchestration.expressions.registry import find
from hybridmandate.orchestration.expressions.scope import Scope
from hybridmandate.orchestration.expressions.syntax import (
    Access,
    Call,
    Interpolated,
    Literal,
    Node,
    Whole,
    parse,
)
from hybridmandate.orchestration.expressions.values import as_json, text_of, weigh

DEFAULT_BOUNDS = Bounds()
_CACHED_TEXT = 16_384

# Functions whose first argument is the name of something in the definition.
_REFERRING = {
    "actions": "action",
    "actionbody": "action",
    "actionoutputs": "action",
    "body": "action",
    "outputs": "action",
    "result": "action",
    "formdatavalue": "action",
    "formdatamultivalues": "action",
    "multipartbody": "action",
    "variables": "variable",
    "parameters": "parameter",
    "items": "items",
    "iterationindexes": "iterationIndexes",
}

# Functions that may give numbers that JSON has not: decimals, and doubles that are not finite.
_MAKE_NUMBERS = frozenset({"add", "decimal", "div", "float", "mul", "sub", "xpath"})


class Template:
    """A parsed text. ``text`` is its source; ``is_literal`` says that no expression is in it."""

    __slots__ = ("_bounds", "_builds", "_not_json", "_run", "is_literal", "nodes", "text")

    def __init__(self, text: str, bounds: Bounds) -> None:
        parsed = parse(text, bounds)
        self.text = text
        self._bounds = bounds
        self.is_literal = isinstance(parsed, str)
        self.nodes: tuple[Node, ...] = ()
        if isinstance(parsed, str):
            literal = parsed
            self._run: Evaluate = lambda frame: literal
        elif isinstance(parsed, Whole):
            self.nodes = (parsed.node,)
            self._run = compile_node(parsed.node, text)
        else:
            self.nodes = tuple(part for part in parsed.parts if not isinstance(part, str))
            self._run = _join(parsed, text)
        names = {node.name.lower() for node in self._walk() if isinstance(node, Call)}
        self._not_json = not names.isdisjoint(_MAKE_NUMBERS)
        self._builds = bool(names - _REFERRING.keys())

    def evaluate(self, scope: Scope) -> Any:
        """The value of the text, a JSON value.

        :raises ExpressionEvaluationError: when the expression has no value; nothing else is
            raised, whatever the scope holds.
        """
        frame = Frame(scope, self._bounds)
        try:
            value = self._run(frame)
            if self._builds and type(value) in (list, dict):
                weigh(frame, value)
            return as_json(value) if self._not_json else value
        except ExpressionError:
            raise
        except Exception as problem:
            raise _other(problem) from problem

    def references(self) -> frozenset[tuple[str, str]]:
        """The (kind, name) pairs that the text looks at by a literal name."""
        return frozenset(
            (_REFERRING[node.name.lower()], node.arguments[0].value)
            for node in self._walk()
            if isinstance(node, Call)
            and node.name.lower() in _REFERRING
            and node.arguments
            and isinstance(node.arguments[0], Literal)
            and isinstance(node.arguments[0].value, str)
        )

    def unknown_functions(self) -> list[str]:
        """The functions that the text calls and the language has not, in order."""
        names = dict.fromkeys(node.name for node in self._walk() if isinstance(node, Call))
        return [name for name in names if find(name) is None]

    def function_names(self) -> frozenset[str]:
        """The functions that the text calls, as it writes them."""
        return frozenset(node.name for node in self._walk() if isinstance(node, Call))

    def _walk(self) -> Iterator[Node]:
        waiting = list(self.nodes)
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node, Call):
                waiting.extend(node.arguments)
            elif isinstance(node, Access):
                waiting.extend((node.target, node.key))


def parse_template(value: str, bounds: Bounds = DEFAULT_BOUNDS) -> Template:
    """The template of a text: literal, ``@expression``, text with ``@{…}``, or ``@@`` escaped.

    :raises ExpressionSyntaxError: with the position of what is wrong.
    """
    if bounds is DEFAULT_BOUNDS and len(value) <= _CACHED_TEXT:
        return _cached(value)
    return Template(value, bounds)


def evaluate_json(value: Any, scope: Scope, bounds: Bounds = DEFAULT_BOUNDS) -> Any:
    """A JSON structure with each string, also each property name, replaced by its value.

    :raises ExpressionError: for the first text that is wrong or has no value.
    """
    if type(value) is str:
        return parse_template(value, bounds).evaluate(scope) if "@" in value else value
    return _evaluate_json(value, scope, bounds, 0)


def references(template: Template) -> frozenset[tuple[str, str]]:
    """What a template looks at, for static analysis.

    Kinds: ``action``, ``variable``, ``parameter``, ``items``, ``iterationIndexes``.
    """
    return template.references()


def evaluate_function(
    name: str, arguments: list[Any], scope: Scope, bounds: Bounds = DEFAULT_BOUNDS
) -> Any:
    """A function of the language on values that are already evaluated.

    :raises ExpressionEvaluationError: when there is no such function or it does not take them.
    """
    try:
        return as_json(call_function(Frame(scope, bounds), name, arguments))
    except ExpressionError:
        raise
    except Exception as problem:
        raise _other(problem) from problem


@lru_cache(maxsize=8_192)
def _cached(value: str) -> Template:
    return Template(value, DEFAULT_BOUNDS)


def _join(parsed: Interpolated, source: str) -> Evaluate:
    runs: list[str | Evaluate] = [
        part if isinstance(part, str) else compile_node(part, source) for part in parsed.parts
    ]

    def run(frame: Frame) -> str:
        texts = [part if isinstance(part, str) else text_of(frame, part(frame)) for part in runs]
        frame.admit_text(sum(map(len, texts)))
        return "".join(texts)

    return run


def _evaluate_json(value: Any, scope: Scope, bounds: Bounds, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        if "@" not in value:
            return value
        return parse_template(value, bounds).evaluate(scope)
    if kind is not dict and kind is not list:
        return value
    if depth > bounds.depth * 2:
        raise ExpressionEvaluationError(f"The value is nested deeper than {bounds.depth * 2}.")
    if kind is list:
        return [_evaluate_json(each, scope, bounds, depth + 1) for each in value]
    return {
        _property_name(key, scope, bounds): _evaluate_json(each, scope, bounds, depth + 1)
        for key, each in value.items()
    }


def _property_name(key: str, scope: Scope, bounds: Bounds) -> str:
    if "@{" not in key and not key.startswith("@"):
        return key
    name = parse_template(key, bounds).evaluate(scope)
    if type(name) is str:
        return name
    return text_of(Frame(scope, bounds), name)


def _other(problem: Exception) -> ExpressionEvaluationError:
    if isinstance(problem, FunctionFault):
        return ExpressionEvaluationError(f"The template language expression failed: {problem}.")
    if isinstance(problem, RecursionError):
        return ExpressionEvaluationError("The value is nested too deeply to be evaluated.")
    return ExpressionEvaluationError(
        f"The template language expression cannot be evaluated: {type(problem).__name__}: "
        f"{str(problem)[:300]}."
    )
