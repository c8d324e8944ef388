"""The server certificate of a stand-in, made by the supervisor before the stand-in starts."""

from __future__ import annotations

from hybridmandate.local.boot import Boot
from hybridmandate.local.serving import Certificate


def certificate(boot: Boot) -> Certificate:
    """Certificate and key of this process."""
    folder = boot.state.tls
    return Certificate(folder / f"{boot.name}.pem", folder / f"{boot.name}-key.pem")
