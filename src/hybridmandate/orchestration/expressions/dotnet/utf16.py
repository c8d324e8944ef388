"""Texts as .NET counts them: in units of UTF-16, of which characters beyond U+FFFF take two."""

from __future__ import annotations

_LAST_OF_ONE_UNIT = "\uffff"


def units(text: str) -> str:
    """The text with a character for each unit: two surrogates for one beyond U+FFFF."""
    if text.isascii() or max(text) <= _LAST_OF_ONE_UNIT:
        return text
    data = text.encode("utf-16-le", "surrogatepass")
    return "".join(
        chr(int.from_bytes(data[at : at + 2], "little")) for at in range(0, len(data), 2)
    )


def joined(text: str) -> str:
    """The text of units; a surrogate without its other half becomes U+FFFD, as .NET writes it."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
