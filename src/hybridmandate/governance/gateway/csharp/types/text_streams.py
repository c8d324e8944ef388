"""StringReader and StringWriter.

Source: learn.microsoft.com, .NET API browser, System.IO.
"""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import argument_null
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.strings import format_text
from hybridmandate.governance.gateway.csharp.types.table import OBJECT, ClrType, Run


class Reader:
    """System.IO.StringReader: a text and the place up to which it was read."""

    __slots__ = ("at", "text")

    def __init__(self, s: Any) -> None:
        if s is None:
            raise argument_null("s")
        self.text = str(s)
        self.at = 0


def read_line(reader: Reader) -> str | None:
    """``ReadLine``: up to a line end, null behind the last line."""
    if reader.at >= len(reader.text):
        return None
    ends = [found for sign in "\r\n" if (found := reader.text.find(sign, reader.at)) >= 0]
    end = min(ends, default=len(reader.text))
    line = reader.text[reader.at : end]
    reader.at = end + (2 if reader.text.startswith("\r\n", end) else 1)
    return line


def read_to_end(reader: Reader) -> str:
    """``ReadToEnd``."""
    rest = reader.text[reader.at :]
    reader.at = len(reader.text)
    return rest


def peek(reader: Reader) -> int:
    """``Peek``: the next character's number, -1 at the end."""
    return ord(reader.text[reader.at]) if reader.at < len(reader.text) else -1


def read(reader: Reader) -> int:
    """``Read``: as ``Peek``, and past it."""
    found = peek(reader)
    reader.at += 1
    return found


class Writer:
    """System.IO.StringWriter."""

    __slots__ = ("parts",)

    def __init__(self, *_: Any) -> None:
        self.parts: list[str] = []

    def clr_text(self) -> str:
        """What was written."""
        return "".join(self.parts)


def write(run: Run, writer: Writer, *values: Any) -> None:
    """``Write``: a value, or a format with its values."""
    text = format_text(run, *values) if len(values) > 1 else as_text(values[0])
    run.budget.allocate(len(text))
    writer.parts.append(text)


def write_line(run: Run, writer: Writer, *values: Any) -> None:
    """``WriteLine``."""
    write(run, writer, *(values or ("",)))
    writer.parts.append("\n")


READER: Final = ClrType("StringReader", "System.IO.StringReader", Reader, base=OBJECT)
READER.constructed_by(Reader)
READER.method("ReadLine", read_line, "string")
READER.method("ReadToEnd", read_to_end, "string")
READER.method("Peek", peek, "int")
READER.method("Read", read, "int")
READER.method("Dispose", lambda reader: None)
READER.method("Close", lambda reader: None)

WRITER: Final = ClrType("StringWriter", "System.IO.StringWriter", Writer, base=OBJECT)
WRITER.constructed_by(Writer)
WRITER.method("Write", write)
WRITER.method("WriteLine", write_line)
WRITER.method("ToString", lambda writer: writer.clr_text(), "string")
WRITER.method("Dispose", lambda writer: None)
WRITER.method("Close", lambda writer: None)
