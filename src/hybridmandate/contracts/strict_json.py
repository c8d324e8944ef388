"""Reading a JSON body so that it can mean one thing only (requirement A4).

JSON readers differ on duplicate keys, NaN, huge numbers and lone surrogates; what two readers can
understand in two ways is refused, as RFC 7493 (I-JSON) recommends.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import orjson

from hybridmandate.contracts.failures import FailureType
from hybridmandate.contracts.outcome import Refused

MAX_DEPTH = 64
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


def parse_json(body: bytes) -> Any:
    """The JSON value of a body.

    :raises Refused: ``malformed_request`` with a reason: ``json.encoding``, ``json.syntax``,
        ``json.duplicate_key``, ``json.number``, ``json.depth`` or ``json.surrogate``.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused("json.encoding", f"byte {error.start} is not valid UTF-8") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _refused("json.syntax", f"{error.msg} at {where}") from None
    except RecursionError:
        raise _too_deep() from None
    if _deeper_than(value, MAX_DEPTH):
        raise _too_deep()
    return value


def json_digest(value: Any) -> str:
    """Lower-case hex SHA-256 of a parsed value; the order of keys and the spacing do not count.

    :raises Refused: ``malformed_request`` for text that no UTF-8 can carry.
    """
    try:
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        raise _refused("json.surrogate", "a string holds half of a surrogate pair") from None
    return hashlib.sha256(canonical).hexdigest()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _refused("json.duplicate_key", f"the key {json.dumps(twice)} occurs twice")
    return found


def _constant(text: str) -> Any:
    raise _refused("json.number", f"{text} is not a JSON number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _refused("json.number", f"the number {text[:40]} is too large")
    return value


def _int(text: str) -> int:
    if len(text) > 20 or not _INT_MIN <= int(text) <= _INT_MAX:
        raise _refused("json.number", f"the whole number {text[:40]} does not fit 64 bits")
    return int(text)


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)


def _too_deep() -> Refused:
    return _refused("json.depth", f"the body is nested deeper than {MAX_DEPTH} levels")


def _refused(reason: str, message: str) -> Refused:
    return Refused(
        FailureType.MALFORMED_REQUEST, f"the body is not plain JSON: {message}", reason=reason
    )
