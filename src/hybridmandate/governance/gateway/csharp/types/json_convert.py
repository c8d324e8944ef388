"""JsonConvert and its settings."""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import (
    argument_null,
)
from hybridmandate.governance.gateway.csharp.json_text import write_json
from hybridmandate.governance.gateway.csharp.json_tokens import (
    JObject,
    JToken,
    JValue,
)
from hybridmandate.governance.gateway.csharp.types.json_types import deserialize, made_of, parsed
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    Run,
    enumeration,
)


class Settings:
    """JsonSerializerSettings: which nulls to write and how to indent."""

    __slots__ = ("formatting", "ignore_null")

    def __init__(self) -> None:
        self.ignore_null = False
        self.formatting: EnumValue | None = None


def _set_null_handling(settings: Settings, handling: EnumValue) -> None:
    settings.ignore_null = handling.label == "Ignore"


def _set_formatting(settings: Settings, formatting: EnumValue) -> None:
    settings.formatting = formatting


NULLS: Final = enumeration(
    "NullValueHandling", "Newtonsoft.Json.NullValueHandling", ["Include", "Ignore"]
)
SETTINGS: Final = ClrType(
    "JsonSerializerSettings", "Newtonsoft.Json.JsonSerializerSettings", Settings, base=OBJECT
)
SETTINGS.constructed_by(Settings)
SETTINGS.setter("NullValueHandling", _set_null_handling)
SETTINGS.setter("Formatting", _set_formatting)


def serialize(run: Run, value: Any, *options: Any) -> str:
    """``JsonConvert.SerializeObject``: on one line unless told otherwise."""
    settings = next((o for o in options if isinstance(o, Settings)), None)
    formatting = next((o for o in options if isinstance(o, EnumValue)), None)
    token = JValue(None) if value is None else made_of(run, value)
    if settings is not None:
        formatting = formatting or settings.formatting
        if settings.ignore_null:
            _drop_nulls(token)
    return write_json(token, indent=formatting is not None and formatting.label == "Indented")


def _drop_nulls(token: JToken) -> None:
    for item in [token, *token.descendants()]:
        if isinstance(item, JObject):
            for name in [n for n, p in item.members.items() if p.content.kind == "Null"]:
                del item.members[name]


def deserialize_text(
    run: Run, value: Any, *options: Any, types: tuple[str, ...] = ("object",)
) -> Any:
    """``JsonConvert.DeserializeObject``; without a type it gives a token."""
    if value is None:
        raise argument_null("value")
    if not value.strip():
        return None
    return deserialize(run, parsed(run, value), types[0], 0)


JSON: Final = ClrType("JsonConvert", "Newtonsoft.Json.JsonConvert", base=OBJECT)
JSON.static("SerializeObject", serialize, "string")
JSON.static("DeserializeObject", deserialize_text, "T")
JSON.static("ToString", lambda run, value: serialize(run, value), "string")
