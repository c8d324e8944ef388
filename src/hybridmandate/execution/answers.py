"""Outcomes and files as HTTP responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import quote

import orjson
from starlette.responses import Response, StreamingResponse

from hybridmandate.contracts import Download, Outcome, headers, response_headers


def outcome_response(outcome: Outcome, extra: Mapping[str, str]) -> Response:
    """The response that carries an outcome."""
    return Response(
        orjson.dumps(outcome.to_json()),
        status_code=outcome.http_status,
        headers={**response_headers(outcome), **extra},
    )


def accepted_headers(prefix: str, job: str, poll_after_seconds: int) -> dict[str, str]:
    """Where and when to poll, as the gateway's caller sees it."""
    return {
        headers.LOCATION: f"{prefix}/jobs/{job}",
        headers.RETRY_AFTER: str(poll_after_seconds),
    }


def file_response(
    download: Download, extra: Mapping[str, str], ended: Callable[[int, bool], None]
) -> Response:
    """A file, streamed; ``ended`` is told the bytes sent and whether that was all of it."""
    sent = {
        "content-type": download.content_type,
        "content-length": str(download.size),
        "x-content-type-options": "nosniff",
        **download.headers,
        **extra,
    }
    if download.file_name is not None:
        # RFC 6266 and RFC 8187: the name is data of the sender, so it goes percent-encoded.
        name = quote(download.file_name, safe="")
        sent["content-disposition"] = f"attachment; filename*=UTF-8''{name}"
    return StreamingResponse(_counted(download, ended), headers=sent)


async def _counted(download: Download, ended: Callable[[int, bool], None]) -> AsyncIterator[bytes]:
    sent = 0
    try:
        async for chunk in download.stream:
            sent += len(chunk)
            yield chunk
    finally:
        ended(sent, sent == download.size)
