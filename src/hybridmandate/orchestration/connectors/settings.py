"""What stands behind a connection reference in an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridmandate.identity.principal import TokenSource


@dataclass(frozen=True, slots=True)
class ConnectorSettings:
    """One connection reference (``hm_dataverse``) in this environment.

    ``connector`` is the API name (``shared_office365``) or the folder of a custom connector
    (``mandate``), ``base_address`` the origin that it calls (``https://localhost:4302``),
    ``resource`` what its tokens are for, ``tokens`` where the connection's principal gets them,
    ``ca_file`` a CA to trust besides the system's, ``definition`` the OpenAPI 2 document of a
    custom connector, ``options`` what the platform knows by itself (``sender`` of mail, ``site``).
    """

    connector: str
    base_address: str
    resource: str
    tokens: TokenSource
    ca_file: str | None = None
    definition: Mapping[str, Any] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
