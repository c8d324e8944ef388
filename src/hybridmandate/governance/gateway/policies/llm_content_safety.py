"""llm-content-safety: prompts and answers judged by Azure AI Content Safety (its policy page).

The service is a declared back end. It is asked as its REST reference says: ``text:shieldPrompt``
for attacks, ``text:analyze`` for categories and blocklists, in windows of what one call may hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.model_messages import completion_text, prompt_messages
from hybridmandate.governance.gateway.policies.service_call import ServiceCallFailed, call_service
from hybridmandate.governance.gateway.registry import (
    INBOUND,
    OUTBOUND,
    ElementReader,
    Policy,
    Section,
    policy,
)
from hybridmandate.governance.gateway.values import Value, boolean_of, integer_of, text_of

_CATEGORIES = ("Hate", "SelfHarm", "Sexual", "Violence")
_OUTPUTS = ("FourSeverityLevels", "EightSeverityLevels")
_VERSION = "2024-09-01"
MOST_CHARACTERS = 10_000
"""What one call of ``text:analyze`` takes (Content Safety, input requirements)."""


@dataclass(frozen=True, slots=True)
class _Category:
    name: str
    threshold: Value


@policy("llm-content-safety", sections=INBOUND | OUTBOUND)
class LlmContentSafety(Policy):
    """A severity at or over its category's threshold is refused with 403.

    In inbound prompts are judged, in outbound answers.

    When the service does not answer, the call is refused too: nothing passes unjudged.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._on_answer = reader.preparation.section is Section.OUTBOUND
        self._backend = reader.value("backend-id")
        self._shield = reader.value("shield-prompt", False)
        self._completions = reader.value("enforce-on-completions", False)
        self._window = reader.number_value("window-size", MOST_CHARACTERS, least=1)
        self._overlap = reader.number_value("window-overlap-size", 0)
        self._output = "FourSeverityLevels"
        self._categories: list[_Category] = []
        categories = reader.child("categories")
        if categories is not None:
            self._output = categories.choice("output-type", _OUTPUTS, self._output)
            self._categories = [
                _Category(
                    each.choice("name", _CATEGORIES),
                    each.number_value("threshold", least=0, most=7),
                )
                for each in categories.children("category")
            ]
        self._blocklists = [each.content() for each in reader.listed("blocklists", "id")]

    async def act(self, exchange: Exchange) -> None:
        if self._on_answer:
            await self._judge_answer(exchange)
            return
        body = await exchange.request.body.buffer()
        messages = prompt_messages(body)
        text = "\n".join(each.text for each in messages)
        if not messages:
            # The model may read what has not the form of a prompt: it is judged as it stands.
            text = body.decode("utf-8", "replace")
        await self._judge(exchange, text, shield=boolean_of(self._shield.get(exchange)))
        if boolean_of(self._completions.get(exchange)):
            exchange.when_response(self._judge_answer)

    async def _judge_answer(self, exchange: Exchange) -> None:
        body = await exchange.response.body.buffer()
        await self._judge(exchange, completion_text(body), shield=False)

    async def _judge(self, exchange: Exchange, text: str, *, shield: bool) -> None:
        backend = text_of(self._backend.get(exchange))
        size = min(integer_of(self._window.get(exchange)), MOST_CHARACTERS)
        overlap = integer_of(self._overlap.get(exchange))
        try:
            for piece in windows(text, size, overlap):
                if shield:
                    await self._shielded(exchange, backend, piece)
                if self._categories or self._blocklists:
                    await self._analyzed(exchange, backend, piece)
        except ServiceCallFailed as error:
            raise PolicyError(
                500, "ContentSafetyFailure", f"Content safety could not be checked: {error}."
            ) from error

    @staticmethod
    async def _shielded(exchange: Exchange, backend: str, text: str) -> None:
        path, asked = "/contentsafety/text:shieldPrompt", {"userPrompt": text, "documents": []}
        found = await call_service(exchange, backend, path, asked, _VERSION)
        analysis = found.get("userPromptAnalysis")
        if not isinstance(analysis, dict) or not isinstance(analysis.get("attackDetected"), bool):
            raise ServiceCallFailed("the service's answer holds no userPromptAnalysis")
        if analysis["attackDetected"]:
            raise _blocked("an attack on the model was detected")

    async def _analyzed(self, exchange: Exchange, backend: str, text: str) -> None:
        asked: dict[str, Any] = {"text": text, "outputType": self._output}
        if self._categories:
            asked["categories"] = [each.name for each in self._categories]
        if self._blocklists:
            asked["blocklistNames"] = [text_of(each.get(exchange)) for each in self._blocklists]
            asked["haltOnBlocklistHit"] = True
        path = "/contentsafety/text:analyze"
        found = await call_service(exchange, backend, path, asked, _VERSION)
        if found.get("blocklistsMatch"):
            raise _blocked("a blocklist matches")
        severities = _severities(found)
        for each in self._categories:
            severity = severities.get(each.name, 0)
            if severity and severity >= integer_of(each.threshold.get(exchange)):
                raise _blocked(f"category {each.name} has severity {severity}")


def windows(text: str, size: int, overlap: int) -> Iterator[str]:
    """The text in pieces of ``size`` characters, each beginning with the end of the one before.

    Sizes that would leave something out (no size, an overlap below 0 or as large as a piece) are
    taken as the nearest that do not.
    """
    size = max(size, 1)
    overlap = min(max(overlap, 0), size - 1)
    step = size - overlap
    for start in range(0, max(len(text) - overlap, 1), step):
        piece = text[start : start + size]
        if piece:
            yield piece


def _severities(found: Any) -> dict[str, int]:
    try:
        return {each["category"]: int(each["severity"]) for each in found["categoriesAnalysis"]}
    except (KeyError, TypeError, ValueError) as error:
        raise ServiceCallFailed("the service's answer holds no categoriesAnalysis") from error


def _blocked(why: str) -> PolicyError:
    return PolicyError(
        403, "ContentSafetyViolation", f"Request failed content safety check: {why}."
    )
