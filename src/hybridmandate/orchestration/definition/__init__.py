"""A cloud flow as exported: loaded whole, checked, and written back byte for byte."""

from hybridmandate.orchestration.definition.document import FlowDocument
from hybridmandate.orchestration.definition.errors import DefinitionError, DefinitionInvalid
from hybridmandate.orchestration.definition.loading import load_flow, read_flow
from hybridmandate.orchestration.definition.model import (
    Action,
    Branch,
    ConnectionReference,
    Flow,
    Graph,
    Parameter,
    Status,
    Trigger,
)

__all__ = [
    "Action",
    "Branch",
    "ConnectionReference",
    "DefinitionError",
    "DefinitionInvalid",
    "Flow",
    "FlowDocument",
    "Graph",
    "Parameter",
    "Status",
    "Trigger",
    "load_flow",
    "read_flow",
]
