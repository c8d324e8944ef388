"""The function reference, one module a family; importing this package registers all of it."""

from hybridmandate.orchestration.expressions.functions import (
    collections,
    content,
    conversion,
    dates,
    form_data,
    logical,
    math,
    objects,
    strings,
    time_zone_dates,
    uris,
    workflow,
    xml_documents,
)

__all__ = [
    "collections",
    "content",
    "conversion",
    "dates",
    "form_data",
    "logical",
    "math",
    "objects",
    "strings",
    "time_zone_dates",
    "uris",
    "workflow",
    "xml_documents",
]
