"""Statements. Executing one gives None, BREAK, CONTINUE, or a tuple with the returned value."""

from __future__ import annotations

from collections.abc import Callable
from operator import setitem
from typing import Any, Final

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.collections import items_of
from hybridmandate.governance.gateway.csharp.compile_assignments import (
    check_assignable,
    deconstruction,
    new_place,
)
from hybridmandate.governance.gateway.csharp.compile_functions import function_code
from hybridmandate.governance.gateway.csharp.compiler import (
    Code,
    Compiler,
    Evaluate,
    Execute,
    Local,
    elements_of,
    statement,
)
from hybridmandate.governance.gateway.csharp.conversions import cast_to, declared
from hybridmandate.governance.gateway.csharp.parse import field, named, text_of
from hybridmandate.governance.gateway.csharp.python_code import Frame, truth

VOID: Final = "void"
"""The type of statements that never give a signal."""
BREAK: Final = object()
CONTINUE: Final = object()
_EFFECTS = frozenset({
    "assignment_expression", "invocation_expression", "prefix_unary_expression",
    "postfix_unary_expression", "object_creation_expression", "conditional_access_expression",
})  # fmt: skip


def sequence(c: Compiler, nodes: list[Node]) -> Code:
    """Statements one after the other; local functions can be called before their place."""
    for node in nodes:
        if node.type == "local_function_statement":
            returns = (
                c.type_name(field(node, "type")) if text_of(field(node, "type")) != "void" else ""
            )
            c.declare(node, text_of(field(node, "name")), f"Func<{returns}>")
    compiled = [(node, c.statement(node)) for node in nodes]
    first = [step for node, step in compiled if node.type == "local_function_statement"]
    steps = first + [step for node, step in compiled if node.type != "local_function_statement"]
    return _in_order(c, steps)


def _in_order(c: Compiler, steps: list[Code]) -> Code:
    """One step after the other until one gives a signal; by halves, so that nothing gets deep."""
    if not steps:
        return c.constant(None, VOID)
    if len(steps) == 1:
        return steps[0]
    middle = len(steps) // 2
    before, after = _in_order(c, steps[:middle]), _in_order(c, steps[middle:])
    if before.type == VOID:
        return c.write("B if A is None else None", after.type, A=before, B=after)
    return c.write("B if (V := A) is None else V", A=before, B=after)


@statement("block")
def block(c: Compiler, node: Node) -> Code:
    """``{ … }``."""
    c.scopes.append({})
    code = sequence(c, named(node))
    c.scopes.pop()
    return code


@statement("checked_statement")
def checked_statement(c: Compiler, node: Node) -> Code:
    """``checked { … }`` and ``unchecked { … }``."""
    return c.statement(named(node)[-1])


@statement("empty_statement")
def empty(c: Compiler, node: Node) -> Code:
    """``;``."""
    return c.constant(None, VOID)


@statement("return_statement")
def return_statement(c: Compiler, node: Node) -> Code:
    """``return x;``."""
    parts = named(node)
    code = c.expression(parts[0]) if parts else c.constant(None, "null")
    if parts and c.functions:
        c.functions[-1].returns.append(code.type)
    return c.write("(A,)", A=code)


@statement("break_statement")
def break_statement(c: Compiler, node: Node) -> Execute:
    """``break;``."""
    return lambda frame: BREAK


@statement("continue_statement")
def continue_statement(c: Compiler, node: Node) -> Execute:
    """``continue;``."""
    return lambda frame: CONTINUE


@statement("expression_statement")
def expression_statement(c: Compiler, node: Node) -> Code:
    """An expression for its effect."""
    inner = named(node)[0]
    if inner.type not in _EFFECTS:
        raise c.error(node, "Only assignments, calls, increments and new objects can be statements")
    return c.write("None if (V := A) is V else None", VOID, A=c.expression(inner))


@statement("local_declaration_statement")
def local_declaration(c: Compiler, node: Node) -> Code:
    """``var x = …;``, ``int a = 1, b;``."""
    if any(text_of(n) in ("using", "await") for n in node.children if not n.is_named):
        return declaration(c, named(node)[-1])
    return declaration(c, next(n for n in named(node) if n.type == "variable_declaration"))


def declaration(c: Compiler, node: Node) -> Code:
    """The variables of a declaration, without its semicolon."""
    type_name = c.type_name(field(node, "type"))
    declarators = [each for each in named(node) if each.type == "variable_declarator"]
    return _in_order(c, [_declarator(c, each, type_name) for each in declarators])


def _declarator(c: Compiler, node: Node, type_name: str) -> Code:
    parts = named(node)
    target, value_node = parts[0], parts[-1] if len(parts) > 1 else None
    if target.type == "tuple_pattern":
        assert value_node is not None
        code = c.expression(value_node)
        places = []
        for part in named(target):
            local = c.declare(part, text_of(part), "")
            places.append(new_place(local))
        taken = deconstruction(places, code)
        return c.write("None if (V := A) is V else None", VOID, A=taken)
    name = text_of(target).removeprefix("@")
    if value_node is None:
        return _start(c, c.declare(node, name, type_name), c.constant(None, "null"))
    code = c.expression(value_node)
    check_assignable(c, node, code.type, type_name)
    inferred = type_name or ("" if code.type in ("null", "throw") else code.type)
    local = c.declare(node, name, inferred)
    # What is dynamic is converted as by a cast (C# specification, 10.2.10).
    by_cast = code.type == "dynamic" and type_name not in ("", "dynamic")
    convert = cast_to(type_name, "") if by_cast else declared(type_name) if type_name else None
    if convert is not None:
        code = c.write("k(A)", type_name, k=convert, A=code)
    return _start(c, local, code)


def _start(c: Compiler, local: Local, value: Code) -> Code:
    """Give a variable its first value, afresh each time its declaration runs."""
    first = "[A]" if local.shared else "A"
    slot = c.constant(local.slot, "int")
    return c.write(f"k(f, B, {first})", VOID, k=setitem, A=value, B=slot)


@statement("local_function_statement")
def local_function(c: Compiler, node: Node) -> Execute:
    """A function inside of the body; its name was declared by the enclosing block."""
    local = c.find(text_of(field(node, "name")))
    assert local is not None
    parameters, defaults = [], []
    for each in named(field(node, "parameters")):
        type_node = each.child_by_field_name("type")
        type_name = "" if type_node is None else c.type_name(type_node)
        parameters.append((each, text_of(field(each, "name")), type_name))
        children = named(each)
        if "=" in [child.type for child in each.children]:
            defaults.append(c.expression(children[-1]).run([None]))
    body = field(node, "body")
    inner = named(body)[0] if body.type == "arrow_expression_clause" else body
    make = function_code(c, parameters, inner, defaults, snapshot=False).run
    start = local.start()

    def run(frame: Frame) -> None:
        start(frame, make(frame))

    return run


@statement("if_statement")
def if_statement(c: Compiler, node: Node) -> Code:
    """``if``; ``else if`` chains are compiled without recursion."""
    branches: list[tuple[Code, Code]] = []
    otherwise: Code = c.constant(None, VOID)
    current: Node | None = node
    while current is not None:
        test = c.condition(c.expression(field(current, "condition")))
        branches.append((test, c.statement(field(current, "consequence"))))
        following = current.child_by_field_name("alternative")
        current = None
        if following is not None and following.type == "if_statement":
            current = following
        elif following is not None:
            otherwise = c.statement(following)
    code: Code = otherwise
    for test, then in reversed(branches):
        quiet = VOID if then.type == code.type == VOID else ""
        code = c.write("B if A else C", quiet, A=test, B=then, C=code)
    return code


@statement("while_statement")
def while_statement(c: Compiler, node: Node) -> Execute:
    """``while``."""
    test = c.expression(field(node, "condition")).run
    return _loop(test, c.statement(field(node, "body")).run, None)


@statement("do_statement")
def do_statement(c: Compiler, node: Node) -> Execute:
    """``do … while``."""
    body = c.statement(field(node, "body")).run
    again = _loop(c.expression(field(node, "condition")).run, body, None)

    def run(frame: Frame) -> Any:
        frame[0].budget.step()
        signal = body(frame)
        if signal is BREAK:
            return None
        if type(signal) is tuple:
            return signal
        return again(frame)

    return run


def _loop(test: Evaluate | None, body: Execute, update: Execute | None) -> Execute:
    def run(frame: Frame) -> Any:
        step = frame[0].budget.step
        while test is None or truth(test(frame)):
            step()
            signal = body(frame)
            if signal is not None:
                if signal is BREAK:
                    return None
                if signal is not CONTINUE:
                    return signal
            if update is not None:
                update(frame)
        return None

    return run


@statement("for_statement")
def for_statement(c: Compiler, node: Node) -> Execute:
    """``for``."""
    c.scopes.append({})
    starts: list[Execute] = []
    for index, part in enumerate(node.children):
        if node.field_name_for_child(index) == "initializer":
            is_declaration = part.type == "variable_declaration"
            starts.append((declaration(c, part) if is_declaration else c.expression(part)).run)
    condition = node.child_by_field_name("condition")
    test = None if condition is None else c.expression(condition).run
    updates = [
        c.expression(part).run for part in node.children_by_field_name("update") if part.is_named
    ]

    def update(frame: Frame) -> None:
        for each in updates:
            each(frame)

    loop = _loop(test, c.statement(field(node, "body")).run, update)
    c.scopes.pop()

    def run(frame: Frame) -> Any:
        for start in starts:
            start(frame)
        return loop(frame)

    return run


@statement("foreach_statement")
def foreach_statement(c: Compiler, node: Node) -> Execute:
    """``foreach``, also over tuples that are taken apart."""
    source = c.expression(field(node, "right"))
    c.scopes.append({})
    left = field(node, "left")
    assign: Callable[[Frame, Any], None]
    if left.type in ("tuple_pattern", "tuple_expression"):
        names = [text_of(named(n)[-1]) if named(n) else text_of(n) for n in named(left)]
        starts = [c.declare(left, name, "").start() for name in names]

        def assign(frame: Frame, value: Any) -> None:
            parts = value if isinstance(value, tuple) else (value.key, value.value)
            for begin, part in zip(starts, parts, strict=True):
                begin(frame, part)
    else:
        type_node = node.child_by_field_name("type")
        type_name = "" if type_node is None else c.type_name(type_node)
        convert = declared(type_name) if type_name else None
        start = c.declare(left, text_of(left), type_name or elements_of(source.type)).start()

        def assign(frame: Frame, value: Any) -> None:
            start(frame, value if convert is None else convert(value))

    body = c.statement(field(node, "body")).run
    c.scopes.pop()
    items = source.run

    def run(frame: Frame) -> Any:
        step = frame[0].budget.step
        for item in items_of(items(frame)):
            step()
            assign(frame, item)
            signal = body(frame)
            if signal is not None:
                if signal is BREAK:
                    return None
                if signal is not CONTINUE:
                    return signal
        return None

    return run
