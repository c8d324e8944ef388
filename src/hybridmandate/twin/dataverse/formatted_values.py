"""Values as people read them: labels of choices, names of rows, dates and numbers (en-US).

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/query/select-columns
('Formatted values').
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hybridmandate.twin.dataverse.table import ColumnDefinition

_SYSTEM_TYPES = {"createdon": "datetime", "modifiedon": "datetime", "versionnumber": "integer"}


def formatted_value(column: ColumnDefinition, value: Any) -> str | None:
    """The formatted value; None for types that have none, such as texts."""
    if value is None:
        return None
    if column.type == "choice":
        return column.options.get(int(value), str(value))
    if column.type == "choices":
        return "; ".join(column.options.get(int(each), each) for each in str(value).split(","))
    if column.type == "boolean":
        return column.options.get(int(value), "Yes" if value else "No")
    if column.type == "integer":
        return f"{value:,}"
    if column.type in ("decimal", "money"):
        return f"{value:,.2f}"
    if column.type in ("date", "datetime"):
        return _moment(str(value), column.type)
    return None


def system_column(name: str) -> ColumnDefinition | None:
    """The definition of a system column that has formatted values."""
    kind = _SYSTEM_TYPES.get(name)
    return None if kind is None else ColumnDefinition(name, kind)


def _moment(text: str, kind: str) -> str:
    moment = datetime.fromisoformat(text)
    day = f"{moment.month}/{moment.day}/{moment.year}"
    if kind == "date":
        return day
    half = "AM" if moment.hour < 12 else "PM"
    return f"{day} {moment.hour % 12 or 12}:{moment.minute:02d} {half}"
