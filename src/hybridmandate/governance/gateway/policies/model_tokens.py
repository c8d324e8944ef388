"""llm-token-limit and llm-emit-token-metric, also under their azure-openai names (their pages).

Tokens are read from ``usage`` of the answer. Where they must be estimated (prompts, when asked for;
streamed answers without usage always) it is one token for four bytes and 1200 for an image: the
service's own tokenizer is not published.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hybridmandate.governance.gateway.counters import Reading
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.model_messages import (
    answer_usage,
    completion_text,
    estimated_tokens,
    prompt_tokens,
    wants_stream,
)
from hybridmandate.governance.gateway.policies.telemetry import Dimensions
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import Constant, boolean_of, integer_of, text_of

_PERIODS = ("Hourly", "Daily", "Weekly", "Monthly", "Yearly")
_MINUTE = 60.0


@policy("llm-token-limit", "azure-openai-token-limit", sections=INBOUND)
class TokenLimit(Policy):
    """The call that crosses the limit passes when prompts are not estimated; later ones do not."""

    def __init__(self, reader: ElementReader) -> None:
        self._key = reader.value("counter-key")
        self._rate = (
            reader.number_value("tokens-per-minute", least=1)
            if reader.has("tokens-per-minute")
            else None
        )
        self._quota = (
            reader.number_value("token-quota", least=1) if reader.has("token-quota") else None
        )
        if self._rate is None and self._quota is None:
            reader.refuse(f"<{reader.name}> needs tokens-per-minute or token-quota")
        self._period = (
            reader.choice_value("token-quota-period", _PERIODS)
            if self._quota is not None
            else Constant("")
        )
        self._estimate = reader.value("estimate-prompt-tokens")
        self._retry_header = reader.literal("retry-after-header-name", "Retry-After")
        self._retry_variable = reader.optional_literal("retry-after-variable-name")
        self._remaining = _names(reader, "remaining-tokens")
        self._remaining_quota = _names(reader, "remaining-quota-tokens")
        self._consumed = _names(reader, "tokens-consumed")

    async def act(self, exchange: Exchange) -> None:
        key = text_of(self._key.get(exchange))
        body = await exchange.request.body.buffer()
        estimated = boolean_of(self._estimate.get(exchange)) or wants_stream(body)
        estimate = prompt_tokens(body) if estimated else 0
        counters = exchange.services.counters
        rate = None if self._rate is None else integer_of(self._rate.get(exchange))
        quota = None if self._quota is None else integer_of(self._quota.get(exchange))
        # A counter asks for room for 1: of what is estimated the rest must be free too.
        rest = max(estimate, 1) - 1
        if rate is not None:
            reading = counters.slide(f"tokens|{key}", rate - rest, _MINUTE, 0)
            if not reading.allowed:
                raise self._refused(exchange, 429, "TokenLimitExceeded", reading)
            _keep(exchange, self._remaining, rate - int(reading.used) - estimate)
        period = self._period.get(exchange)
        if quota is not None:
            start, length = _window(period, exchange.services.clock())
            reading = counters.fixed(_quota_key(key, period), quota - rest, start, length, 0)
            if not reading.allowed:
                raise self._refused(exchange, 403, "TokenQuotaExceeded", reading)
            _keep(exchange, self._remaining_quota, quota - int(reading.used) - estimate)
        _keep(exchange, self._consumed, estimate)
        exchange.when_response(lambda ended: self._count(ended, key, rate, quota))

    def _refused(
        self, exchange: Exchange, status: int, reason: str, reading: Reading
    ) -> PolicyError:
        seconds = max(math.ceil(reading.wait), 1)
        if self._retry_variable is not None:
            exchange.variables[self._retry_variable] = seconds
        what = "Token limit" if status == 429 else "Token quota"
        return PolicyError(
            status,
            reason,
            f"{what} is exceeded. Try again in {seconds} seconds.",
            headers=[(self._retry_header, str(seconds))],
        )

    async def _count(
        self, exchange: Exchange, key: str, rate: int | None, quota: int | None
    ) -> None:
        used = (await usage(exchange)).get("total_tokens", 0)
        counters = exchange.services.counters
        _tell(exchange, self._consumed, used)
        if rate is not None:
            total = counters.add_sliding(f"tokens|{key}", _MINUTE, used)
            _tell(exchange, self._remaining, max(rate - int(total), 0))
        if quota is not None:
            period = self._period.get(exchange)
            start, length = _window(period, exchange.services.clock())
            total = counters.add_fixed(_quota_key(key, period), start, length, used)
            _tell(exchange, self._remaining_quota, max(quota - int(total), 0))


@policy("llm-emit-token-metric", "azure-openai-emit-token-metric", sections=INBOUND)
class EmitTokenMetric(Policy):
    """Prompt, completion and total tokens as three metrics; the response does not change."""

    def __init__(self, reader: ElementReader) -> None:
        self._namespace = reader.literal("namespace", "API Management")
        self._dimensions = Dimensions(reader)

    def act(self, exchange: Exchange) -> None:
        dimensions = self._dimensions.values(exchange)
        exchange.when_response(lambda ended: self._emit(ended, self._namespace, dimensions))

    @staticmethod
    async def _emit(exchange: Exchange, namespace: str, dimensions: dict[str, str]) -> None:
        used = await usage(exchange)
        for name, title in (
            ("prompt_tokens", "Prompt Tokens"),
            ("completion_tokens", "Completion Tokens"),
            ("total_tokens", "Total Tokens"),
        ):
            detail = {"namespace": namespace, "value": used.get(name, 0), **dimensions}
            exchange.services.telemetry("policy.metric", title, detail)


async def usage(exchange: Exchange) -> dict[str, int]:
    """Tokens of the answer by name of ``usage``; estimated for a stream that tells none.

    Empty for an answer that is neither JSON nor a stream of events.
    """
    response = exchange.response
    kind = response.headers.get("content-type") or ""
    if "json" not in kind and "event-stream" not in kind:
        return {}
    body = await response.body.buffer()
    told = answer_usage(body)
    if told or "event-stream" not in kind:
        return told
    prompt = prompt_tokens(exchange.request.body.content)
    completion = estimated_tokens(completion_text(body))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


Names = tuple[str | None, str | None]


def _names(reader: ElementReader, prefix: str) -> Names:
    return (
        reader.optional_literal(f"{prefix}-header-name"),
        reader.optional_literal(f"{prefix}-variable-name"),
    )


def _tell(exchange: Exchange, names: Names, number: int) -> None:
    """Say a number in the header of the response and in the variable."""
    if names[0] is not None:
        exchange.response.headers.set(names[0], [str(number)])
    _keep(exchange, names, number)


def _keep(exchange: Exchange, names: Names, number: int) -> None:
    """Say a number in the variable: what is known before the model has answered."""
    if names[1] is not None:
        exchange.variables[names[1]] = number


def _quota_key(key: str, period: str) -> str:
    """Quotas of one key over several periods stand side by side."""
    return f"token-quota|{period}|{key}"


def _window(period: str, now: float) -> tuple[float, float]:
    """Start and length in seconds of the quota period that holds ``now``, cut at UTC."""
    moment = datetime.fromtimestamp(now, UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "Hourly":
        start = moment.replace(minute=0, second=0, microsecond=0)
        end = start + timedelta(hours=1)
    elif period == "Daily":
        start, end = midnight, midnight + timedelta(days=1)
    elif period == "Weekly":
        start = midnight - timedelta(days=midnight.weekday())
        end = start + timedelta(days=7)
    elif period == "Monthly":
        start = midnight.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    else:
        start = midnight.replace(month=1, day=1)
        end = start.replace(year=start.year + 1)
    return start.timestamp(), (end - start).total_seconds()
