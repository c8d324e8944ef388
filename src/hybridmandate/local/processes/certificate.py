"""A process's server certificate, made by the supervisor before the process starts."""

from __future__ import annotations

from hybridmandate.local.boot import Boot
from hybridmandate.local.serving import Certificate


def certificate(boot: Boot) -> Certificate:
    """Certificate and key of what this process serves."""
    folder = boot.state.tls
    return Certificate(folder / f"{boot.role}.pem", folder / f"{boot.role}-key.pem")
