"""`$orderby` and whole numbers of query options."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement

from hybridmandate.twin.dataverse.errors import bad_request
from hybridmandate.twin.dataverse.row_shape import list_of

MAX_ORDERS = 100


def order_by(text: str | None, columns: Any) -> list[ColumnElement[Any]]:
    """The order of a query.

    :raises DataverseError: 400 for an unknown column or direction, or too many of them.
    """
    parts = list_of(text)
    if len(parts) > MAX_ORDERS:
        raise bad_request(f"$orderby names more than {MAX_ORDERS} columns.")
    return [_order(part, columns) for part in parts]


def whole_number(text: str | None, option: str) -> int | None:
    """The number of an option, None when it is not there. :raises DataverseError: 400."""
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text) is None:
        raise bad_request(f"'{text}' is no value of {option}.")
    return int(text)


def _order(part: str, columns: Any) -> ColumnElement[Any]:
    name, _, direction = part.strip().partition(" ")
    if name not in columns:
        raise bad_request(f"Could not find a property named '{name}'.")
    if direction.strip() not in ("", "asc", "desc"):
        raise bad_request(f"'{direction}' is no direction of $orderby.")
    column = columns[name]
    ordered: ColumnElement[Any] = column.desc() if direction.strip() == "desc" else column.asc()
    return ordered
