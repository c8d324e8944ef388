"""Names of the headers that cross tiers (lower case, as HTTP/2 has them).

The gateway removes every ``x-mandate-*`` header that a caller sends and sets its own; execution and
data gateway believe them only from the gateway's identity.
"""

CORRELATION_ID = "x-correlation-id"
TRACEPARENT = "traceparent"
IDEMPOTENCY_KEY = "idempotency-key"
PREFER = "prefer"
RETRY_AFTER = "retry-after"
LOCATION = "location"

PRINCIPAL_ID = "x-mandate-principal"
"""Object id of the calling service principal (claim ``oid``)."""
PRINCIPAL_APP = "x-mandate-app"
"""Application id of the caller (claim ``azp`` or ``appid``)."""
PRINCIPAL_ROLES = "x-mandate-roles"
"""Application roles of the caller, comma-separated (claim ``roles``)."""

FILE_NAME = "x-file-name"
"""Name of an uploaded file, percent-encoded UTF-8."""
