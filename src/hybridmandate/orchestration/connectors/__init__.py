"""Connectors: what actions of flows call, over the services' real protocols.

A class per connector, found by the API name of the action's ``apiId``. An operation that no class
knows is refused with 'not simulated', never guessed.
"""

from hybridmandate.orchestration.connectors.host import ConnectorHost
from hybridmandate.orchestration.connectors.settings import ConnectorSettings

__all__ = ["ConnectorHost", "ConnectorSettings"]
