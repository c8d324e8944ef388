"""What the execution service is told about where it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

INVOKE_ROLE = "Execution.Invoke"
"""The application role on the internal audience that only the gateway holds."""


@dataclass(frozen=True, slots=True)
class ExecutionSettings:
    """Settings of one execution process; times in seconds.

    ``gateway_app_id`` is the application id of the gateway's managed identity: no other principal
    is served. ``process_id`` names this process among all that share the database and must be new
    at each start. ``spool_folder`` takes uploads while they arrive. ``location_prefix`` is the path
    under which the gateway's callers see this service. ``lease_seconds`` is how long a sync call of
    a process that died blocks a repeat; ``wait_seconds`` how long a repeat waits for a first call
    that is still running before it is answered ``accepted``; ``grace_seconds`` how long a stop
    waits for calls in flight.
    """

    gateway_app_id: str
    process_id: str
    spool_folder: Path
    service_version: str
    build: str | None = None
    title: str = "Execution"
    server_url: str = "/exec"
    location_prefix: str = "/exec"
    lease_seconds: float = 15.0
    wait_seconds: float = 2.0
    poll_after_seconds: int = 2
    grace_seconds: float = 20.0
    file_bytes: int = 32 * 1024 * 1024
    file_retention_seconds: float = 90 * 86400.0
    file_readers: frozenset[str] = frozenset()
    """Application ids that may read every file, besides who stored it (manifest [files])."""


@dataclass(frozen=True, slots=True)
class DataGatewaySettings:
    """Where the data gateway is reached: through the gateway, never directly (N1, D1).

    ``gateway_url`` is the gateway's origin, ``resource`` the audience of its tokens, ``views`` and
    ``commits`` the declared names with the version that this build was written against.
    """

    gateway_url: str
    resource: str
    views: Mapping[str, int] = field(default_factory=dict)
    commits: Mapping[str, int] = field(default_factory=dict)
    timeout_seconds: float = 30.0
