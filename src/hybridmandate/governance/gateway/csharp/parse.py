"""From policy text to a syntax tree, with positions in the document."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_c_sharp
from tree_sitter import Language, Node, Parser

from hybridmandate.governance.gateway.csharp.failures import ExpressionSyntaxError

MAX_LENGTH = 64 * 1024
"""Characters of one expression."""
MAX_NESTING = 100
"""Levels of brackets, blocks, calls and conditions inside each other."""
_LANGUAGE = Language(tree_sitter_c_sharp.language())


class Source:
    """One expression: its tree and where it stands in its document.

    ``line`` and ``column`` count from 1 and are those of the ``@``.

    :raises ExpressionSyntaxError: when the text is no C#, too long or nested too deep.
    """

    def __init__(self, text: str, line: int, column: int) -> None:
        self._line = line
        self._column = column
        code = text.strip()
        self._shift_start(text[: len(text) - len(text.lstrip())])
        self.is_block = code.startswith("@{")
        if not (self.is_block and code.endswith("}")) and not (
            code.startswith("@(") and code.endswith(")")
        ):
            raise ExpressionSyntaxError("An expression is @(…) or @{…}", line, column)
        if len(code) > MAX_LENGTH:
            raise ExpressionSyntaxError(
                f"An expression has at most {MAX_LENGTH} characters", line, column
            )
        inner = code[2:-1]
        self._prefix = "class E{object M(){" if self.is_block else "class E{object M(){return ("
        suffix = "\n}}" if self.is_block else "\n);}}"
        self._bytes = (self._prefix + inner + suffix).encode()
        root = Parser(_LANGUAGE).parse(self._bytes).root_node
        self._refuse_errors(root)
        self.body = self._method_body(root)
        self._refuse_depth()

    def error(self, node: Node, reason: str) -> ExpressionSyntaxError:
        """An error at a node, in document coordinates."""
        row = node.start_point[0]
        start = self._bytes.rfind(b"\n", 0, node.start_byte) + 1
        column = len(self._bytes[start : node.start_byte].decode(errors="replace"))
        if row:
            return ExpressionSyntaxError(reason, self._line + row, column + 1)
        return ExpressionSyntaxError(
            reason, self._line, max(self._column, self._column + 2 + column - len(self._prefix))
        )

    def _shift_start(self, blank: str) -> None:
        lines = blank.count("\n")
        if lines:
            self._line += lines
            self._column = len(blank) - blank.rfind("\n")
        else:
            self._column += len(blank)

    def _method_body(self, root: Node) -> Node:
        classes = root.named_children
        members = classes[0].child_by_field_name("body") if len(classes) == 1 else None
        methods = [] if members is None else members.named_children
        body = methods[0].child_by_field_name("body") if len(methods) == 1 else None
        if body is None or (not self.is_block and len(statements(body)) != 1):
            raise self.error(root, "The expression is not one complete piece of C#")
        return body

    def _refuse_errors(self, root: Node) -> None:
        if not root.has_error:
            return
        node = root
        while True:
            if node.is_missing:
                raise self.error(node, f"C# syntax: '{node.type}' is missing")
            wrong = next((n for n in node.children if n.has_error or n.is_missing), None)
            if wrong is None:
                break
            node = wrong
        near = text_of(node).strip().split("\n")[0][:40]
        raise self.error(node, f"C# syntax: '{near}' is not understood here")

    def _refuse_depth(self) -> None:
        cursor = self.body.walk()
        weights: list[int] = []
        depth = 0
        while True:
            if depth > MAX_NESTING:
                assert cursor.node is not None
                raise self.error(
                    cursor.node, f"The expression is nested deeper than {MAX_NESTING} levels"
                )
            weight = _weight(cursor.node)
            if cursor.goto_first_child():
                weights.append(weight)
                depth += weight
                continue
            while not cursor.goto_next_sibling():
                if not cursor.goto_parent():
                    return
                depth -= weights.pop()


def _weight(parent: Node | None) -> int:
    """1 for a step down, 0 for the sides of an operator, which are compiled flat.

    It is asked on the way down: finding a node's parent starts at the root each time.
    """
    return 0 if parent is None or parent.type == "binary_expression" else 1


def text_of(node: Node | None) -> str:
    """The source text of a node."""
    if node is None or node.text is None:
        return ""
    return node.text.decode()


def named(node: Node) -> list[Node]:
    """The named children without comments and preprocessor lines."""
    return [n for n in node.named_children if n.type != "comment"]


def field(node: Node, name: str) -> Node:
    """A child that the grammar promises."""
    found = node.child_by_field_name(name)
    assert found is not None, f"{node.type} without {name}"
    return found


def statements(block: Node) -> list[Node]:
    """The statements of a block."""
    return [n for n in named(block) if n.type != "empty_statement"]


def walk(node: Node) -> Iterator[Node]:
    """The node and everything in it."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(current.children)
