"""What the two binary formats (BIFF8 of xls, BIFF12 of xlsb) have in common."""

from __future__ import annotations

import struct

ERROR_TEXTS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
"""Texts of error codes ([MS-XLS] 2.5.10, [MS-XLSB] 2.5.97.2)."""


def error_text(code: int) -> str:
    """What a spreadsheet program shows for an error code."""
    return ERROR_TEXTS.get(code, "#ERROR")


def rk_number(packed: int) -> float:
    """A number packed into 32 bits: an integer or the upper half of a double, maybe hundredths."""
    if packed & 2:
        value = float((packed >> 2) - (1 << 30 if packed >> 31 else 0))
    else:
        (value,) = struct.unpack("<d", struct.pack("<II", 0, packed & 0xFFFFFFFC))
    return value / 100 if packed & 1 else value
