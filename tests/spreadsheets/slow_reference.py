"""An independent, slow reading of clean CSV by the invoice profile: row by row, standard library.

It shares no code with the product; the tests compare rejected lines and reasons.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from datetime import date
from decimal import Decimal, InvalidOperation

Reason = tuple[int, str, str]

_FORMS = (r"(\d{4})-(\d{2})-(\d{2})", r"(\d{2})\.(\d{2})\.(\d{4})", r"(\d{2})/(\d{2})/(\d{4})")
_MONEY = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")


def _day(text: str) -> date | None:
    for number, form in enumerate(_FORMS):
        found = re.fullmatch(form, text, re.ASCII)
        if found:
            parts = [int(each) for each in found.groups()]
            try:
                return date(*(parts if number == 0 else parts[::-1]))
            except ValueError:
                return None
    return None


def rejected(content: str) -> set[Reason]:
    """(line, field, code) for every broken rule; records must not span lines."""
    rows = list(csv.DictReader(io.StringIO(content)))
    found: set[Reason] = set()
    keys: list[tuple[str, str] | None] = []
    for line, row in enumerate(rows, start=2):
        cells = {name: (value or "").strip() for name, value in row.items() if name is not None}
        vendor, invoice = cells["Vendor No"], cells["Invoice No"]
        keys.append((vendor, invoice) if vendor and invoice else None)
        for name, field in (
            ("Vendor No", "vendorNumber"), ("Invoice No", "invoiceNumber"),
            ("Invoice date", "invoiceDate"), ("Amount", "amount"), ("Currency", "currency"),
        ):  # fmt: skip
            if not cells[name]:
                found.add((line, field, "required"))
        if vendor and not re.fullmatch(r"V-\d{5}", vendor):
            found.add((line, "vendorNumber", "pattern"))
        if len(invoice) > 32:
            found.add((line, "invoiceNumber", "length.long"))
        dated, due = _day(cells["Invoice date"]), _day(cells["Due date"])
        if cells["Invoice date"] and dated is None:
            found.add((line, "invoiceDate", "date.format"))
        if cells["Due date"] and due is None:
            found.add((line, "dueDate", "date.format"))
        if dated and due and due < dated:
            found.add((line, "dueDate", "rule.due_before_invoice"))
        found |= _amount(line, cells["Amount"])
        known = {"eur", "usd", "gbp", "€", "euro", "$"}
        if cells["Currency"] and cells["Currency"].lower() not in known:
            found.add((line, "currency", "enum.value"))
    counts = Counter(key for key in keys if key is not None)
    for line, key in enumerate(keys, start=2):
        if key is not None and counts[key] > 1:
            found.add((line, "invoiceNumber", "duplicate"))
    return found


def _amount(line: int, text: str) -> set[Reason]:
    if not text:
        return set()
    if not _MONEY.fullmatch(text):
        return {(line, "amount", "decimal.format")}
    try:
        value = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return {(line, "amount", "decimal.format")}
    fraction = text.partition(".")[2].rstrip("0")
    digits = re.sub(r"\D", "", text).lstrip("0")
    if len(fraction) > 2 or len(digits) > 15:
        return {(line, "amount", "decimal.precision")}
    if value < Decimal("0.01"):
        return {(line, "amount", "range.minimum")}
    return {(line, "amount", "range.maximum")} if value > Decimal("1000000.00") else set()
