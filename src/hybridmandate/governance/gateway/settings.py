"""Settings of a gateway process; passed in, never read from the environment here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hybridmandate.governance.gateway.pace import PaceLimits


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Limits and names of one gateway.

    ``max_body_bytes`` bounds request bodies as they stream in; ``body_limits`` gives other bounds
    by ``api`` or ``api/operation`` (ids). ``max_header_bytes`` and ``max_header_count`` bound the
    request's header block. ``pace`` is the least that is asked of a caller who sends a body or
    takes an answer; ``disconnect_after`` seconds of waiting for the back end after which a call
    ends with its caller's departure. ``client_address_header`` names a header in which a trusted
    proxy in front puts the caller's address; None takes the connection's. ``key_refetch_seconds``
    is how often an unknown signing key may make the gateway ask its issuer again (API Management:
    300).
    """

    max_body_bytes: int = 1024 * 1024
    body_limits: Mapping[str, int] = field(default_factory=dict)
    max_header_bytes: int = 32 * 1024
    max_header_count: int = 100
    pace: PaceLimits = field(default_factory=PaceLimits)
    disconnect_after: float = 1.0
    client_address_header: str | None = None
    key_refetch_seconds: float = 300.0
    region: str = "local"
    service_name: str = "gateway"

    def body_limit(self, api: str, operation: str | None) -> int:
        """The bound of a request body in bytes for an operation."""
        if operation is not None:
            own = self.body_limits.get(f"{api}/{operation}")
            if own is not None:
                return own
        return self.body_limits.get(api, self.max_body_bytes)
