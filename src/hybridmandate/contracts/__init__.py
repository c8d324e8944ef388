"""The seam: what crosses the tiers, and nothing else.

Outcomes, failures, correlation, operation declarations and their OpenAPI documents live here. This
package imports nothing of ours; every other package may import it.
"""

from hybridmandate.contracts.call import (
    Call,
    Caller,
    DataGateway,
    Download,
    Files,
    StoredFile,
    Upload,
)
from hybridmandate.contracts.correlation import is_correlation_id, trace_id, traceparent
from hybridmandate.contracts.declaration import Answer, Limits, Operation, operation
from hybridmandate.contracts.failures import FAILURES, Failure, FailureType, Retry
from hybridmandate.contracts.outcome import (
    ContractRef,
    Outcome,
    Refused,
    RowError,
    Status,
    Versions,
    refusal,
    response_headers,
)
from hybridmandate.contracts.registry import Registry
from hybridmandate.contracts.wire import WireModel

__all__ = [
    "Answer",
    "Call",
    "Caller",
    "ContractRef",
    "DataGateway",
    "Download",
    "FAILURES",
    "Failure",
    "FailureType",
    "Files",
    "Limits",
    "Operation",
    "Outcome",
    "Refused",
    "Registry",
    "Retry",
    "RowError",
    "Status",
    "StoredFile",
    "Upload",
    "Versions",
    "WireModel",
    "is_correlation_id",
    "operation",
    "refusal",
    "response_headers",
    "trace_id",
    "traceparent",
]
