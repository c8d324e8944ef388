"""Entra's refusals: AADSTS codes in the JSON body that its clients parse.

Shape and codes: learn.microsoft.com/entra/identity-platform/reference-error-codes ('Handling error
codes in your application'). Status and OAuth ``error`` of a code are as seen in public reports
where the page does not give them: 501051 docs.nais.io 'FAQ / Troubleshooting' (400 invalid_grant),
7000112 Worklytics/psoxy pull 74 (unauthorized_client), 70021 Azure/azure-workload-identity issue
616 (400 invalid_request), 700211 the same, issue 1200 (invalid_client); 700024, 700212, 700213 and
90002 from general knowledge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(eq=False)
class AadError(Exception):
    """A refusal of the issuer: AADSTS ``code``, OAuth ``error``, HTTP ``status``, a message."""

    code: int
    error: str
    status: int
    message: str

    def body(self, *, now: float, trace_id: str, correlation_id: str) -> dict[str, Any]:
        """The JSON body; ``now`` is epoch seconds."""
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        description = (
            f"AADSTS{self.code}: {self.message} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {stamp}"
        )
        return {
            "error": self.error,
            "error_description": description,
            "error_codes": [self.code],
            "timestamp": stamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }


def bad_secret(client_id: str) -> AadError:
    return AadError(
        7000215,
        "invalid_client",
        401,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client "
        f"secret value, not the client secret ID, for a secret added to app '{client_id}'.",
    )


def expired_secret(client_id: str) -> AadError:
    return AadError(
        7000222,
        "invalid_client",
        401,
        f"The provided client secret keys for app '{client_id}' are expired.",
    )


def unknown_application(client_id: str, tenant: str) -> AadError:
    return AadError(
        700016,
        "unauthorized_client",
        400,
        f"Application with identifier '{client_id}' was not found in the directory '{tenant}'.",
    )


def disabled_application(client_id: str, name: str) -> AadError:
    return AadError(
        7000112, "unauthorized_client", 400, f"Application '{client_id}'({name}) is disabled."
    )


def unknown_resource(resource: str, tenant: str) -> AadError:
    return AadError(
        500011,
        "invalid_resource",
        400,
        f"The resource principal named {resource} was not found in the tenant named {tenant}.",
    )


def not_assigned(client_id: str, name: str, resource: str, resource_name: str) -> AadError:
    return AadError(
        501051,
        "invalid_grant",
        400,
        f"Application '{client_id}'({name}) is not assigned to a role for the application "
        f"'{resource}'({resource_name}).",
    )


def bad_assertion(reason: str) -> AadError:
    return AadError(
        700027,
        "invalid_client",
        401,
        f"The client assertion cannot be verified with a key of the application: {reason}",
    )


def assertion_time() -> AadError:
    return AadError(
        700024, "invalid_client", 401, "Client assertion is not within its valid time range."
    )


def assertion_audience() -> AadError:
    return AadError(
        700023,
        "invalid_client",
        401,
        "Client assertion audience claim does not match Realm issuer.",
    )


def assertion_reused() -> AadError:
    return AadError(50013, "invalid_client", 401, "Assertion is invalid: its jti was used before.")


def assertion_subject() -> AadError:
    return AadError(
        700021,
        "invalid_client",
        401,
        "Client assertion application identifier doesn't match 'client_id' parameter.",
    )


def federation_mismatch(code: int, what: str, value: str) -> AadError:
    error = "invalid_request" if code == 70021 else "invalid_client"
    status = 400 if code == 70021 else 401
    return AadError(
        code,
        error,
        status,
        f"No matching federated identity record found for presented assertion {what} '{value}'.",
    )


def bad_scope(scope: str) -> AadError:
    return AadError(
        1002012,
        "invalid_scope",
        400,
        f"The provided value for scope {scope} is not valid. Client credential flows must have a "
        "scope value with /.default suffixed to the resource identifier (application ID URI).",
    )


def unknown_tenant(tenant: str) -> AadError:
    return AadError(90002, "invalid_request", 400, f"Tenant '{tenant}' not found.")


def missing_parameter(name: str) -> AadError:
    return AadError(
        900144,
        "invalid_request",
        400,
        f"The request body must contain the following parameter: '{name}'.",
    )


def missing_credential() -> AadError:
    return AadError(
        7000216,
        "invalid_client",
        401,
        "'client_assertion', 'client_secret' or 'request' is required for the "
        "'client_credentials' grant type.",
    )


def malformed_request(message: str, *, status: int = 400) -> AadError:
    return AadError(90013, "invalid_request", status, message)


def unsupported_grant(grant: str) -> AadError:
    return AadError(
        70003,
        "unsupported_grant_type",
        400,
        f"The app requested an unsupported grant type '{grant}': this stand-in serves "
        "client_credentials and password.",
    )


def bad_password() -> AadError:
    return AadError(
        50126,
        "invalid_grant",
        400,
        "Error validating credentials due to invalid username or password.",
    )


def bad_delegated_scope(scope: str) -> AadError:
    return AadError(
        70011,
        "invalid_scope",
        400,
        f"The provided value for the input parameter 'scope' isn't valid. The scope {scope} must "
        "name the scopes of one resource.",
    )


def wrong_method(method: str, allowed: str) -> AadError:
    return AadError(
        900561,
        "invalid_request",
        405,
        f"The endpoint only accepts {allowed} requests. Received a {method} request.",
    )
