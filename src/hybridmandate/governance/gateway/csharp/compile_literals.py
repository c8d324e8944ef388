"""Literals: numbers, characters, plain, verbatim, raw and interpolated strings."""

from __future__ import annotations

import re
from decimal import Decimal

from tree_sitter import Node

from hybridmandate.governance.gateway.csharp.compiler import (
    Code,
    Compiler,
    Joined,
    expression,
)
from hybridmandate.governance.gateway.csharp.numbers import (
    RANGES,
    Char,
    Long,
    Single,
    UInt,
    ULong,
)
from hybridmandate.governance.gateway.csharp.parse import named, text_of
from hybridmandate.governance.gateway.csharp.text import aligned, formatted

_ESCAPE = re.compile(
    r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{1,4})|(.))", re.DOTALL
)
_SIMPLE = {
    "'": "'", '"': '"', "\\": "\\", "0": "\0", "a": "\a", "b": "\b",
    "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "e": "\x1b",
}  # fmt: skip


def _unescape(c: Compiler, node: Node, text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code is not None:
            return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"
        if match[4] not in _SIMPLE:
            raise c.error(node, f"Unrecognized escape sequence '\\{match[4]}'")
        return _SIMPLE[match[4]]

    unescaped = _ESCAPE.sub(one, text)
    if any("\ud800" <= sign <= "\udfff" for sign in unescaped):
        unescaped = unescaped.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return unescaped


@expression("integer_literal")
def integer_literal(c: Compiler, node: Node) -> Code:
    """``1``, ``0xFF``, ``0b1``, ``1L``, ``1u``: the first type that holds it (C# 6.4.5.3)."""
    text = text_of(node).replace("_", "").lower()
    digits = text.rstrip("ul") if not text.startswith("0x") else re.sub("[ul]+$", "", text)
    suffix = text[len(digits) :]
    value = int(digits, 0) if digits[:2] in ("0x", "0b") else int(digits)
    if "l" in suffix:
        kinds: tuple[tuple[type, str], ...] = ((Long, "long"), (ULong, "ulong"))
    else:
        kinds = ((int, "int"), (UInt, "uint"), (Long, "long"), (ULong, "ulong"))
    if "u" in suffix:
        kinds = tuple(pair for pair in kinds if pair[1].startswith("u"))
    for kind, name in kinds:
        if value <= RANGES[kind][1]:
            return c.constant(kind(value), name)
    raise c.error(node, "Integral constant is too large")


@expression("real_literal")
def real_literal(c: Compiler, node: Node) -> Code:
    """``1.5``, ``1e3``, ``1f``, ``1m``."""
    text = text_of(node).replace("_", "").lower()
    if text.endswith("m"):
        return c.constant(Decimal(text[:-1]), "decimal")
    if text.endswith("f"):
        return c.constant(Single(float(text[:-1])), "float")
    return c.constant(float(text.rstrip("d")), "double")


@expression("boolean_literal")
def boolean_literal(c: Compiler, node: Node) -> Code:
    """``true`` and ``false``."""
    return c.constant(text_of(node) == "true", "bool")


@expression("null_literal")
def null_literal(c: Compiler, node: Node) -> Code:
    """``null``."""
    return c.constant(None, "null")


@expression("character_literal")
def character_literal(c: Compiler, node: Node) -> Code:
    """``'a'``."""
    text = _unescape(c, node, text_of(node)[1:-1])
    if len(text) != 1:
        raise c.error(node, "A character literal holds one character")
    return c.constant(Char(text), "char")


@expression("string_literal")
def string_literal(c: Compiler, node: Node) -> Code:
    """``"…"``."""
    return c.constant(_unescape(c, node, text_of(node)[1:-1]), "string")


@expression("verbatim_string_literal")
def verbatim_string_literal(c: Compiler, node: Node) -> Code:
    """``@"…"``."""
    return c.constant(text_of(node)[2:-1].replace('""', '"'), "string")


@expression("raw_string_literal")
def raw_string_literal(c: Compiler, node: Node) -> Code:
    """``\"\"\"…\"\"\"``, on one line or several; the closing line's indentation is cut off."""
    text = text_of(node)
    quotes = len(text) - len(text.lstrip('"'))
    inner = text[quotes:-quotes]
    if "\n" not in inner:
        return c.constant(inner, "string")
    lines = inner.split("\n")
    indent = lines[-1]
    if lines[0].strip() or indent.strip():
        raise c.error(node, "A raw string of several lines begins and ends on lines of its own")
    body = [line.removeprefix(indent) for line in lines[1:-1]]
    return c.constant("\n".join(body), "string")


@expression("interpolated_string_expression")
def interpolated_string(c: Compiler, node: Node) -> Code:
    """``$"…{value,width:format}…"``."""
    start = text_of(node).split('"', 1)[0]
    verbatim = "@" in start
    if text_of(node).startswith(("$$", '$"""')):
        raise c.error(node, "Raw interpolated strings are not supported in policy expressions")
    pieces: list[Code] = []
    for part in node.children:
        if part.type in ("string_content", "escape_sequence"):
            text = text_of(part)
            text = text.replace('""', '"') if verbatim else _unescape(c, part, text)
            pieces.append(c.constant(_unbraced(c, part, text), "string"))
        elif part.type == "interpolation":
            pieces.append(_hole(c, part))
    return Joined(c, pieces)


def _unbraced(c: Compiler, node: Node, text: str) -> str:
    """Literal text with doubled braces as one.

    The grammar takes a hole that follows a doubled brace for text (``{{{1}``): refused, so that
    nothing is left out in silence.
    """
    if "{" in text.replace("{{", ""):
        raise c.error(node, 'Write a brace before a hole as a hole of its own: {"{"}{…}')
    return text.replace("{{", "{").replace("}}", "}")


def _hole(c: Compiler, node: Node) -> Code:
    parts = [part for part in named(node) if part.type != "interpolation_brace"]
    value = c.expression(parts[0])
    width: Code | None = None
    form: str | None = None
    for clause in parts[1:]:
        if clause.type == "interpolation_alignment_clause":
            width = c.expression(named(clause)[-1])
        else:
            form = text_of(clause)[1:]
    if width is None and form is None:
        return c.text(value)
    text = c.write(
        "make(A, B)", "string", exact=True, make=formatted, A=value, B=c.constant(form, "")
    )
    if width is None:
        return text
    return c.write("fit(A, B, run)", "string", exact=True, fit=aligned, A=text, B=width)
