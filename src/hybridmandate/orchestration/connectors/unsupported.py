"""What a stand-in does not have: answered with 501, and never tried again.

The platform would try a 501 again, as any status of 500 and more. Here another attempt cannot help:
the action fails at once and says what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.engine import Answer

UNSUPPORTED = 501


def refused_when_unsupported(answer: Answer) -> Answer:
    """The refusal in place of a 501; every other answer as it is."""
    if answer.fault is not None or answer.status != UNSUPPORTED:
        return answer
    return Answer.refused(f"not simulated: {_message(answer.body)}")


def _message(body: Any) -> str:
    """The message of an error of Graph, Dataverse or SharePoint's REST interface."""
    whole = body if isinstance(body, Mapping) else {}
    error = whole.get("error") or whole.get("odata.error")
    message = error.get("message") if isinstance(error, Mapping) else None
    found = message.get("value") if isinstance(message, Mapping) else message
    return str(found or "the service answered 501")
