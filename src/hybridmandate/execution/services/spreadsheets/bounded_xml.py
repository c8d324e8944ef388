"""XML of files from anywhere, as a stream of elements: no entities, bounded depth, flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from xml.parsers import expat

from hybridmandate.execution.services.spreadsheets.table import Unreadable

MAX_DEPTH = 100

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]


def local(name: str) -> str:
    """A name without its namespace prefix."""
    return name.rpartition(":")[2] if ":" in name else name


def walk_xml(
    pieces: Iterable[bytes], start: Start, end: End | None = None, text: Text | None = None
) -> None:
    """Tell elements in order; attribute and element names come with their prefixes.

    :raises Unreadable: ``file.broken_workbook`` for XML that is broken, too deep, or declares a
        document type (spreadsheets never do; entities are how XML is made to explode).
    """
    parser = expat.ParserCreate()
    depth = 0

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise Unreadable("file.broken_workbook", f"XML is nested deeper than {MAX_DEPTH}")
        start(name, attributes)

    def closed(name: str) -> None:
        nonlocal depth
        depth -= 1
        if end is not None:
            end(name)

    def doctype(*_: object) -> None:
        raise Unreadable("file.broken_workbook", "XML declares a document type")

    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.StartDoctypeDeclHandler = doctype
    if text is not None:
        parser.buffer_text = True
        parser.CharacterDataHandler = text
    try:
        for piece in pieces:
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise Unreadable("file.broken_workbook", f"XML is broken: {error}") from None
