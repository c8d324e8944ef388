"""The audiences of a solution: which resource a token is for (docs/architecture.md, 'Calls').

One audience a door and environment, so that a token for one never opens another (requirement V5).
"""

from __future__ import annotations

GRAPH_AUDIENCE = "https://graph.microsoft.com"
"""Microsoft Graph; also the office stand-in."""


def gateway_audience(solution: str, environment: str) -> str:
    """The gateway's API: where principals with ``roles`` call operations, views and commits."""
    return f"api://{solution}/{environment}"


def internal_audience(solution: str, environment: str) -> str:
    """The services behind the gateway; only the gateway's identity holds roles on it."""
    return f"api://{solution}-internal/{environment}"


def flows_audience(solution: str, environment: str) -> str:
    """The triggers of flows."""
    return f"api://{solution}-flows/{environment}"
