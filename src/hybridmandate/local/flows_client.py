"""The operator's view of the flows process on this machine: runs, resubmission, cancellation."""

from __future__ import annotations

from typing import Any

import httpx

ENDED = frozenset({"Succeeded", "Failed", "Cancelled", "TimedOut"})


class FlowsRefused(Exception):
    """The flows process refused; the message holds its answer."""


class FlowsClient:
    """Asks the flows process with the operator token of this run."""

    def __init__(self, origin: str, operator_token: str, http: httpx.AsyncClient) -> None:
        self._origin = origin
        self._headers = {"authorization": f"Bearer {operator_token}"}
        self._http = http

    async def runs(self, flow: str | None = None) -> list[dict[str, Any]]:
        """Runs, newest first."""
        query = {} if flow is None else {"flow": flow}
        return list((await self._ask("GET", "/runs", params=query))["runs"])

    async def run(self, run_id: str) -> dict[str, Any]:
        """One run with its actions."""
        return await self._ask("GET", f"/runs/{run_id}")

    async def resubmit(self, run_id: str) -> str:
        """Run the same trigger again under the same correlation id; returns the new run's id."""
        return str((await self._ask("POST", f"/runs/{run_id}/resubmit"))["runId"])

    async def cancel(self, run_id: str, reason: str) -> None:
        """End a run. :raises FlowsRefused: when it has ended already, or there is none."""
        await self._ask("POST", f"/runs/{run_id}/cancel", params={"reason": reason})

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = await self._http.request(
            method, self._origin + path, headers=self._headers, **options
        )
        if answer.status_code >= 400:
            raise FlowsRefused(_refusal(answer) or f"{method} {path}: {answer.status_code}")
        value: dict[str, Any] = answer.json()
        return value


def _refusal(answer: httpx.Response) -> str | None:
    """What the outcome in an answer says of its failure; None when it is no outcome."""
    try:
        return str(answer.json()["failure"]["message"])
    except (ValueError, KeyError, TypeError):
        return None
