"""``switch``, ``throw``, ``try`` and ``using``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.compile_patterns import Matches, pattern
from hybridmandate.governance.gateway.csharp.compile_statements import BREAK, declaration, sequence
from hybridmandate.governance.gateway.csharp.compiler import (
    Compiler,
    Evaluate,
    Execute,
    statement,
)
from hybridmandate.governance.gateway.csharp.failures import (
    EXCEPTION_TYPES,
    as_failure,
    null_reference,
)
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of
from hybridmandate.governance.gateway.csharp.python_code import Frame, truth


@statement("switch_statement")
def switch_statement(c: Compiler, node: Node) -> Execute:
    """``switch``; labels without statements share the next section's."""
    subject = c.expression(field(node, "value"))
    sections: list[tuple[list[tuple[Matches, Evaluate | None]], Execute]] = []
    default: int | None = None
    waiting: list[tuple[Matches, Evaluate | None]] = []
    takes_default = False
    c.scopes.append({})
    for section in named(field(node, "body")):
        label, guard, body, is_default = _section_parts(section)
        if is_default:
            takes_default = True
        elif label is not None:
            matches = pattern(c, label, subject.type)
            waiting.append((matches, None if guard is None else c.expression(guard).run))
        if not body:
            continue
        if takes_default:
            default = len(sections)
            takes_default = False
        sections.append((waiting, sequence(c, body).run))
        waiting = []
    c.scopes.pop()
    value = subject.run

    def run(frame: Frame) -> Any:
        given = value(frame)
        for labels, body in sections:
            for matches, guard in labels:
                if matches(frame, given) and (guard is None or truth(guard(frame))):
                    return _without_break(body(frame))
        return None if default is None else _without_break(sections[default][1](frame))

    return run


def _without_break(signal: Any) -> Any:
    return None if signal is BREAK else signal


def _section_parts(section: Node) -> tuple[Node | None, Node | None, list[Node], bool]:
    label: Node | None = None
    guard: Node | None = None
    body: list[Node] = []
    behind = False
    is_default = False
    for part in section.children:
        if part.type == ":":
            behind = True
        elif part.type == "default" and not behind:
            is_default = True
        elif part.is_named and part.type != "comment":
            if part.type == "when_clause":
                guard = named(part)[-1]
            elif behind:
                body.append(part)
            else:
                label = part
    return label, guard, body, is_default


@statement("throw_statement")
def throw_statement(c: Compiler, node: Node) -> Execute:
    """``throw x;`` and, in a catch block, ``throw;``."""
    parts = named(node)
    if not parts:
        current = c.find(" caught")
        if current is None:
            raise c.error(node, "'throw;' can only stand in a catch block")
        slot = current.slot

        def again(frame: Frame) -> Any:
            raise frame[slot]

        return again
    value = c.expression(parts[0]).run

    def run(frame: Frame) -> Any:
        failure = value(frame)
        if failure is None:
            raise null_reference()
        raise failure

    return run


Catch = tuple[str, Callable[[Frame, Any], None] | None, int, Evaluate | None, Execute]


@statement("try_statement")
def try_statement(c: Compiler, node: Node) -> Execute:
    """``try``, ``catch`` with type, name and filter, ``finally``."""
    body = c.statement(field(node, "body")).run
    catches = [_catch(c, each) for each in named(node) if each.type == "catch_clause"]
    last = next((n for n in named(node) if n.type == "finally_clause"), None)
    final = None if last is None else c.statement(named(last)[-1]).run

    def guarded(frame: Frame) -> Any:
        try:
            return body(frame)
        except Exception as error:
            failure = as_failure(error)
            for type_name, start, slot, guard, handler in catches:
                if not failure.is_a(type_name):
                    continue
                frame[slot] = failure
                if start is not None:
                    start(frame, failure)
                if guard is None or truth(guard(frame)):
                    return handler(frame)
            raise failure from error

    if final is None:
        return guarded
    ending = final

    def run(frame: Frame) -> Any:
        try:
            return guarded(frame)
        finally:
            ending(frame)

    return run


def _catch(c: Compiler, node: Node) -> Catch:
    c.scopes.append({})
    type_name = "Exception"
    start: Callable[[Frame, Any], None] | None = None
    slot = c.declare(node, " caught", "Exception").slot
    guard: Evaluate | None = None
    handler: Execute | None = None
    for part in named(node):
        if part.type == "catch_declaration":
            type_node = field(part, "type")
            type_name = text_of(type_node).rsplit(".", 1)[-1]
            if type_name not in EXCEPTION_TYPES:
                raise c.error(type_node, f"The exception type '{type_name}' is not available")
            name = part.child_by_field_name("name")
            if name is not None:
                start = c.declare(part, text_of(name), "Exception").start()
        elif part.type == "catch_filter_clause":
            guard = c.expression(named(part)[-1]).run
        elif part.type == "block":
            handler = c.statement(part).run
    c.scopes.pop()
    assert handler is not None
    return type_name, start, slot, guard, handler


@statement("using_statement")
def using_statement(c: Compiler, node: Node) -> Execute:
    """``using (…) { … }``; there is nothing to dispose of."""
    c.scopes.append({})
    parts = named(node)
    start: Execute
    if parts[0].type == "variable_declaration":
        start = declaration(c, parts[0]).run
    else:
        start = c.expression(parts[0]).run
    body = c.statement(parts[-1]).run
    c.scopes.pop()

    def run(frame: Frame) -> Any:
        start(frame)
        return body(frame)

    return run
