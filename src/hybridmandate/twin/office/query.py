"""Numbers in Graph's query options, and the tokens of its change feeds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hybridmandate.twin.office.errors import GraphError

_NUMBER = re.compile(r"[0-9]{1,9}")


def whole_number(query: Mapping[str, str], name: str, default: int, *, code: str) -> int:
    """A whole number of the query. :raises GraphError: 400 with that code when it is none."""
    text = query.get(name)
    if text is None:
        return default
    if _NUMBER.fullmatch(text) is None:
        raise GraphError(400, code, f"{name} must be a whole number.")
    return int(text)


def change_after(query: Mapping[str, str], last: int) -> int:
    """The point of the feed after which changes are wanted; ``last`` is its newest one.

    :raises GraphError: 410 for a token that is none.
    """
    since = query.get("token", "0")
    if since == "latest":
        return last
    if _NUMBER.fullmatch(since) is None:
        raise GraphError(410, "resyncRequired", "The delta token is not valid: start again.")
    return int(since)
