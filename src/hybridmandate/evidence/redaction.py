"""What may stand in a record's detail: small, flat enough to read, and without secrets.

Evidence is read by many people and kept for years (requirements L7, P6), so nothing that opens a
door may get into it, whoever hands it in. Keys that name a secret lose their value; values that
look like a token lose it under any key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"
MAX_TEXT = 500
MAX_ITEMS = 30
MAX_DEPTH = 4
MAX_DETAIL_BYTES = 4096
MAX_NAME = 64
"""The most characters of a text that is remembered once it was looked at."""
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

_SECRET_KEY = re.compile(
    r"authorization|secret|password|passwd|pwd|assertion|credential|cookie|"
    r"api-?_?key|subscription-?_?key|access-?_?key|account-?_?key|private-?_?key|connection-?_?string|"
    r"(^|[-_.])(sig|signature|token|bearer|key)$|token$",
    re.IGNORECASE,
)
_SECRET_VALUES = (
    # A JWT (RFC 7519) or JWE: base64url of '{"' and at least two more parts.
    re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(\.[A-Za-z0-9_-]*)*"),
    re.compile(r"\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    # Shared access signatures and keys of Azure Storage and Service Bus, client secrets in forms.
    re.compile(
        r"\b(?:sig|SharedAccessKey|AccountKey|SharedAccessSignature|client_secret|client_assertion|"
        r"refresh_token|access_token|password|pwd)=[^&;\s\"']+",
        re.IGNORECASE,
    ),
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    ),
    # Entra client secrets: 'xxx8Q~' and 34 more characters.
    re.compile(r"\b[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}"),
)


def redacted_text(text: str) -> str:
    """The text without anything that looks like a credential, at most ``MAX_TEXT`` characters."""
    return _redacted_name(text) if len(text) <= MAX_NAME else _redacted(text)


def _redacted(text: str) -> str:
    # Cut after looking: a token must not survive because its end was cut off.
    for pattern in _SECRET_VALUES:
        text = pattern.sub(REDACTED, text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


# Most short texts are names that stand in thousands of records: kinds, subjects, principals.
_redacted_name = lru_cache(maxsize=2048)(_redacted)


def well_formed(text: str) -> str:
    """The text with half surrogates, which no file can hold, replaced by question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def bounded_detail(detail: Mapping[str, Any]) -> str:
    """The detail as canonical JSON that may be stored: redacted, at most ``MAX_DETAIL_BYTES``.

    What does not fit is left out and counted under ``omitted``. Never raises for odd values: they
    become their type's name.
    """
    pairs = [(str(key)[:100], _value(str(key), value, 1)) for key, value in detail.items()]
    if len(pairs) <= MAX_ITEMS:
        whole = canonical_json(dict(pairs))
        # So small that the count below, which adds a little for each item, would keep all of it.
        if len(whole.encode()) <= MAX_DETAIL_BYTES - 40 - 2 * MAX_ITEMS:
            return whole
    return _cut(pairs)


def _cut(pairs: Sequence[tuple[str, Any]]) -> str:
    kept: dict[str, Any] = {}
    size = 2
    omitted = 0
    for key, value in pairs:
        item = {key: value}
        length = len(canonical_json(item).encode())
        if len(kept) >= MAX_ITEMS or size + length > MAX_DETAIL_BYTES - 40:
            omitted += 1
            continue
        kept.update(item)
        size += length
    if omitted:
        kept["omitted"] = omitted
    return canonical_json(kept)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces, no escapes but the necessary ones."""
    return _ENCODER.encode(value)


@lru_cache(maxsize=1024)
def _names_a_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _value(key: str, value: Any, depth: int) -> Any:
    if _names_a_secret(key) and not isinstance(value, bool | None):
        return REDACTED
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, str):
        return redacted_text(well_formed(value))
    if depth >= MAX_DEPTH:
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        pairs = list(value.items())[:MAX_ITEMS]
        return {redacted_text(str(k)[:100]): _value(str(k), v, depth + 1) for k, v in pairs}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(key, each, depth + 1) for each in list(value)[:MAX_ITEMS]]
    return f"<{type(value).__name__}>"
