"""What rate limits and quotas share: how a limit is judged and how its answer is announced."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hybridmandate.governance.gateway.counters import Reading
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import ElementReader


@dataclass(frozen=True, slots=True)
class Announcement:
    """Names of the headers and variables that tell the caller and later policies of a limit."""

    retry_header: str
    retry_variable: str | None
    remaining_header: str | None
    remaining_variable: str | None
    total_header: str | None

    @classmethod
    def read(cls, reader: ElementReader) -> Announcement:
        """The attributes as rate-limit and rate-limit-by-key have them."""
        return cls(
            retry_header=reader.literal("retry-after-header-name", "Retry-After"),
            retry_variable=reader.optional_literal("retry-after-variable-name"),
            remaining_header=reader.optional_literal("remaining-calls-header-name"),
            remaining_variable=reader.optional_literal("remaining-calls-variable-name"),
            total_header=reader.optional_literal("total-calls-header-name"),
        )

    def passed(self, exchange: Exchange, limit: int, used: float) -> None:
        """Say what is left; headers go on the response when there is one."""
        remaining = max(limit - int(used), 0)
        if self.remaining_variable is not None:
            exchange.variables[self.remaining_variable] = remaining
        if self.remaining_header is not None:
            exchange.answer_header(self.remaining_header, str(remaining))
        if self.total_header is not None:
            exchange.answer_header(self.total_header, str(limit))

    def refused(self, exchange: Exchange, limit: int, wait: float) -> PolicyError:
        """The 429 of a rate limit, with the time until it can be tried again."""
        seconds = max(math.ceil(wait), 1)
        if self.retry_variable is not None:
            exchange.variables[self.retry_variable] = seconds
        headers = [(self.retry_header, str(seconds))]
        if self.remaining_header is not None:
            headers.append((self.remaining_header, "0"))
        if self.total_header is not None:
            headers.append((self.total_header, str(limit)))
        return PolicyError(
            429,
            "RateLimitExceeded",
            f"Rate limit is exceeded. Try again in {seconds} seconds.",
            headers=headers,
        )


def quota_exceeded(reading: Reading, what: str) -> PolicyError:
    """The 403 of a quota; ``what`` is ``call volume`` or ``bandwidth``."""
    if math.isinf(reading.wait):
        return PolicyError(403, "QuotaExceeded", f"Out of {what} quota.")
    seconds = max(math.ceil(reading.wait), 1)
    hours, rest = divmod(seconds, 3600)
    clock = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    return PolicyError(
        403,
        "QuotaExceeded",
        f"Out of {what} quota. Quota will be replenished in {clock}.",
        headers=[("Retry-After", str(seconds))],
    )


def judge_bandwidth(
    exchange: Exchange, key: str, kilobytes: int, start: float, period: float
) -> None:
    """Ask whether a byte is left. :raises PolicyError: QuotaExceeded when none is."""
    # A counter asks for room for 1, here a kilobyte; all but one byte of it need not be free.
    limit = kilobytes + 1 - 1 / 1024
    reading = exchange.services.counters.fixed(key, limit, start, period, 0)
    if not reading.allowed:
        raise quota_exceeded(reading, "bandwidth")


def count_bandwidth_at_end(exchange: Exchange, key: str, start: float, period: float) -> None:
    """Count the kilobytes of both bodies when the response has been sent."""

    def count(ended: Exchange) -> None:
        kilobytes = (ended.bytes_in + ended.bytes_out) / 1024
        ended.services.counters.add_fixed(key, start, period, kilobytes)

    exchange.after_sent.append(count)
