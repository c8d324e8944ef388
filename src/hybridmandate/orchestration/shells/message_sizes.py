"""How large a message is, as the limit of messages counts it (limits page: 100 MB).

A body is measured as it is sent: text and files in bytes, JSON in its compact form. A file that
flows see as a ``$content`` object counts as the file, not as its base64 text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.engine import Answer


def answer_size(answer: Answer) -> int:
    """Bytes of an answer's body: as its headers say, else as it is (it came in chunks)."""
    said = next((v for k, v in answer.headers.items() if k.lower() == "content-length"), "")
    return int(said) if said.isascii() and said.isdigit() else body_size(answer.body)


def body_size(body: Any) -> int:
    """Bytes of a body as flows see it."""
    if body is None:
        return 0
    if isinstance(body, str):
        return len(body.encode("utf-8", "surrogatepass"))
    if isinstance(body, Mapping) and isinstance(body.get("$content"), str):
        text: str = body["$content"]
        return len(text) * 3 // 4 - text[-2:].count("=")
    sent = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return len(sent.encode("utf-8", "surrogatepass"))
