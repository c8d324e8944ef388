"""One call through the gateway as a workload, followed to its outcome when it becomes a job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridmandate.cli.job_progress import ShowProgress

if TYPE_CHECKING:
    import httpx

    from hybridmandate.identity.client_certificate import CertificateTokens

CHUNK_BYTES = 256 * 1024
POLL_SECONDS = 1.0
"""Between two looks at a job whose answer names no time."""


@dataclass(frozen=True, slots=True)
class GatewayCaller:
    """A workload at the gateway; ``origin`` is the gateway's, ``audience`` of its tokens."""

    http: httpx.AsyncClient
    tokens: CertificateTokens
    origin: str
    audience: str
    correlation_id: str

    async def call(
        self,
        path: str,
        headers: Mapping[str, str],
        content: bytes | Path,
        on_bytes: Callable[[bytes], None],
    ) -> Answer:
        """Send one request; a file is streamed both ways, the bytes of one go to ``on_bytes``."""
        if isinstance(content, bytes):
            return await self._ask("POST", path, headers, content, on_bytes)
        size = (await asyncio.to_thread(content.stat)).st_size
        sent = {**headers, "content-length": str(size)}
        return await self._ask("POST", path, sent, _chunks(content), on_bytes)

    async def follow(self, answer: Answer, wait: float, show: ShowProgress) -> Answer:
        """The last answer of a job: its outcome, or ``accepted`` once the wait is over.

        ``wait`` is in seconds; ``show`` is told each progress that the job tells.
        """
        deadline = time.monotonic() + wait
        while answer.status == 202 and answer.location is not None:
            if answer.progress is not None:
                show(answer.progress)
            pause = POLL_SECONDS if answer.retry_after is None else answer.retry_after
            if time.monotonic() + pause > deadline:
                return answer
            await asyncio.sleep(pause)
            answer = await self._ask("GET", answer.location, {}, b"", lambda _: None)
        return answer

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes],
        on_bytes: Callable[[bytes], None],
    ) -> Answer:
        sent = {
            **headers,
            "x-correlation-id": self.correlation_id,
            "authorization": f"Bearer {await self.tokens.token(self.audience)}",
        }
        async with self.http.stream(
            method, self.origin + path, headers=sent, content=body
        ) as response:
            if response.headers.get("content-type", "").startswith("application/json"):
                await response.aread()
                outcome = response.json()
            else:
                outcome = None
                async for chunk in response.aiter_bytes():
                    on_bytes(chunk)
        return Answer(response.status_code, outcome, dict(response.headers))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: ``outcome`` is its JSON, None when it was a file. Header names are lower case."""

    status: int
    outcome: Any
    headers: Mapping[str, str]

    @property
    def location(self) -> str | None:
        """Where a job is asked for."""
        return self.headers.get("location")

    @property
    def retry_after(self) -> float | None:
        """Seconds until the next look, as the answer asks for."""
        text = self.headers.get("retry-after", "")
        return float(text) if text.isdigit() else None

    @property
    def progress(self) -> Mapping[str, Any] | None:
        """What a running job told last."""
        data = self.outcome.get("data") if isinstance(self.outcome, dict) else None
        found = data.get("progress") if isinstance(data, dict) else None
        return found if isinstance(found, dict) else None


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
