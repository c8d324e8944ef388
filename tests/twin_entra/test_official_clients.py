"""The stand-in held to `msal` and `azure-identity`, unmodified, over TLS."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from entra_kit import DATAVERSE, GATEWAY, GATEWAY_ROLE, MODERN, TENANT, claims_of, header_of
from joserfc import jwt
from joserfc.jwk import RSAKey
from running_tenant import Tenant

from hybridmandate.twin.certificates import issue_client_certificate
from hybridmandate.twin.entra.credentials import FederatedCredential

SCOPE = f"{GATEWAY}/.default"
ISSUER = "https://token.actions.example"
AUDIENCE = "api://AzureADTokenExchange"


def confidential(
    tenant: Tenant, name: str, credential: object
) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        tenant.workload(name).client_id,
        client_credential=credential,
        authority=f"{tenant.authority}/{TENANT}",
        instance_discovery=False,
        verify=tenant.ca,
    )


def azure(tenant: Tenant) -> dict[str, Any]:
    return {
        "authority": tenant.authority,
        "disable_instance_discovery": True,
        "connection_verify": tenant.ca,
    }


@pytest.fixture
def certificate(tenant: Tenant, tmp_path: Path) -> Path:
    path = issue_client_certificate(tmp_path, "flow")
    tenant.store.add_certificate(tenant.workload("flow").client_id, path.read_text())
    return path


@pytest.fixture
def subject_key(tenant: Tenant) -> RSAKey:
    key = RSAKey.generate_key(2048, {"kid": "outside"})
    tenant.store.add_federation(
        tenant.workload("federated").client_id,
        FederatedCredential(ISSUER, "repo:a", AUDIENCE, {"keys": [key.as_dict(private=False)]}),
    )
    return key


def outside_token(tenant: Tenant, key: RSAKey, **changes: Any) -> str:
    now = int(tenant.clock())
    claims = {"iss": ISSUER, "sub": "repo:a", "aud": AUDIENCE, "nbf": now, "exp": now + 300}
    header = {"alg": "RS256", "kid": "outside", "typ": "JWT"}
    return jwt.encode(header, claims | changes, key)


def test_msal_gets_a_v1_token_with_a_secret(tenant: Tenant) -> None:
    flow = tenant.workload("flow")
    app = confidential(tenant, "flow", tenant.store.add_secret(flow.client_id))
    token = app.acquire_token_for_client([SCOPE])["access_token"]
    claims, header = claims_of(token), header_of(token)
    assert claims["aud"] == GATEWAY
    assert claims["iss"] == f"https://sts.windows.net/{TENANT}/"
    assert claims["ver"] == "1.0"
    assert claims["oid"] == claims["sub"] == flow.object_id
    assert (claims["appid"], claims["appidacr"]) == (flow.client_id, "1")
    assert (claims["roles"], claims["idtyp"]) == ([GATEWAY_ROLE], "app")
    assert claims["tid"] == TENANT
    assert {"aio", "rh", "uti", "nbf", "exp", "iat"} <= claims.keys()
    assert "scp" not in claims
    assert "azp" not in claims
    assert header["x5t"] == header["kid"]


def test_a_v2_api_gets_a_v2_token(tenant: Tenant) -> None:
    flow = tenant.workload("flow")
    app = confidential(tenant, "flow", tenant.store.add_secret(flow.client_id))
    claims = claims_of(app.acquire_token_for_client([f"{MODERN}/.default"])["access_token"])
    modern = tenant.directory.api(MODERN)
    assert modern is not None
    assert (claims["aud"], claims["ver"]) == (modern.client_id, "2.0")
    assert claims["iss"] == f"{tenant.authority}/{TENANT}/v2.0"
    assert (claims["azp"], claims["azpacr"]) == (flow.client_id, "1")
    assert "appid" not in claims


def test_msal_gets_a_token_with_certificate_and_thumbprint(
    tenant: Tenant, certificate: Path
) -> None:
    pem = certificate.read_text()
    sha1 = x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA1()).hex()
    app = confidential(tenant, "flow", {"private_key": pem, "thumbprint": sha1})
    assert claims_of(app.acquire_token_for_client([SCOPE])["access_token"])["appidacr"] == "2"


def test_msal_gets_a_token_with_a_public_certificate(tenant: Tenant, certificate: Path) -> None:
    pem = certificate.read_text()
    app = confidential(tenant, "flow", {"private_key": pem, "public_certificate": pem})
    assert "access_token" in app.acquire_token_for_client([SCOPE])


def test_msal_sends_one_assertion_for_two_resources(tenant: Tenant, certificate: Path) -> None:
    pem = certificate.read_text()
    app = confidential(tenant, "flow", {"private_key": pem, "public_certificate": pem})
    for resource in (GATEWAY, DATAVERSE, MODERN):
        assert "access_token" in app.acquire_token_for_client([f"{resource}/.default"])


def test_dataverse_gets_a_v1_token_for_its_origin(tenant: Tenant) -> None:
    app = confidential(tenant, "flow", tenant.store.add_secret(tenant.workload("flow").client_id))
    claims = claims_of(app.acquire_token_for_client([f"{DATAVERSE}/.default"])["access_token"])
    assert (claims["aud"], claims["ver"]) == (DATAVERSE, "1.0")
    assert "roles" not in claims


def test_azure_identity_gets_a_token_with_a_secret(tenant: Tenant) -> None:
    flow = tenant.workload("flow")
    secret = tenant.store.add_secret(flow.client_id)
    with ClientSecretCredential(TENANT, flow.client_id, secret, **azure(tenant)) as credential:
        assert claims_of(credential.get_token(SCOPE).token)["oid"] == flow.object_id


def test_azure_identity_gets_a_token_with_a_certificate(tenant: Tenant, certificate: Path) -> None:
    flow = tenant.workload("flow")
    with CertificateCredential(
        TENANT, flow.client_id, str(certificate), **azure(tenant)
    ) as credential:
        assert claims_of(credential.get_token(SCOPE).token)["appid"] == flow.client_id


def test_azure_identity_gets_a_token_with_an_assertion(tenant: Tenant, subject_key: RSAKey) -> None:
    federated = tenant.workload("federated")
    with ClientAssertionCredential(
        TENANT,
        federated.client_id,
        lambda: outside_token(tenant, subject_key),
        **azure(tenant),
    ) as credential:
        assert claims_of(credential.get_token(SCOPE).token)["oid"] == federated.object_id


def test_azure_identity_gets_a_token_with_workload_identity(
    tenant: Tenant, subject_key: RSAKey, tmp_path: Path
) -> None:
    federated = tenant.workload("federated")
    file = tmp_path / "token"
    file.write_text(outside_token(tenant, subject_key))
    with WorkloadIdentityCredential(
        tenant_id=TENANT,
        client_id=federated.client_id,
        token_file_path=str(file),
        **azure(tenant),
    ) as credential:
        assert claims_of(credential.get_token(SCOPE).token)["appid"] == federated.client_id


@pytest.fixture
def app_service(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{tenant.identity}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", tenant.headers["gateway"])
    return monkeypatch


@pytest.mark.usefixtures("app_service")
def test_app_service_gives_the_process_its_identity(tenant: Tenant) -> None:
    with ManagedIdentityCredential() as credential:
        claims = claims_of(credential.get_token(SCOPE).token)
    assert claims["oid"] == tenant.workload("gateway").object_id
    assert claims["roles"] == [GATEWAY_ROLE]


@pytest.mark.usefixtures("app_service")
def test_app_service_refuses_another_client_id(tenant: Tenant) -> None:
    other = tenant.workload("flow").client_id
    with (
        ManagedIdentityCredential(client_id=other) as credential,
        pytest.raises(
            (ClientAuthenticationError, CredentialUnavailableError), match="User Assigned"
        ),
    ):
        credential.get_token(SCOPE)


@pytest.mark.parametrize("header", ["unknown", "header-of-batch"])
def test_app_service_refuses_a_header_that_is_no_identity(
    app_service: pytest.MonkeyPatch, header: str
) -> None:
    app_service.setenv("IDENTITY_HEADER", header)
    with (
        ManagedIdentityCredential() as credential,
        pytest.raises((ClientAuthenticationError, CredentialUnavailableError)),
    ):
        credential.get_token(SCOPE)


def test_imds_gives_the_machine_its_identity(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IDENTITY_ENDPOINT", raising=False)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", tenant.identity)
    with ManagedIdentityCredential() as credential:
        claims = claims_of(credential.get_token(SCOPE).token)
    assert claims["oid"] == tenant.workload("gateway").object_id
    client = msal.ManagedIdentityClient(
        msal.SystemAssignedManagedIdentity(), http_client=requests.Session()
    )
    assert "access_token" in client.acquire_token_for_client(resource=GATEWAY)


def test_wrong_secret_is_7000215(tenant: Tenant) -> None:
    answer = confidential(tenant, "flow", "not-the-secret").acquire_token_for_client([SCOPE])
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [7000215])
    assert answer["error_description"].startswith("AADSTS7000215: ")
    for part in ("Trace ID: ", "Correlation ID: ", "Timestamp: "):
        assert part in answer["error_description"]


def test_expired_secret_is_7000222(tenant: Tenant) -> None:
    secret = tenant.store.add_secret(tenant.workload("flow").client_id, seconds=-1)
    answer = confidential(tenant, "flow", secret).acquire_token_for_client([SCOPE])
    assert answer["error_codes"] == [7000222]


def test_unknown_application_is_700016(tenant: Tenant) -> None:
    with (
        ClientSecretCredential(TENANT, str(uuid.uuid4()), "x", **azure(tenant)) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS700016"),
    ):
        credential.get_token(SCOPE)


def test_unknown_resource_is_500011(tenant: Tenant) -> None:
    secret = tenant.store.add_secret(tenant.workload("flow").client_id)
    answer = confidential(tenant, "flow", secret).acquire_token_for_client(["api://no/.default"])
    assert (answer["error"], answer["error_codes"]) == ("invalid_resource", [500011])


def test_a_workload_without_a_role_gets_no_token_501051(tenant: Tenant) -> None:
    secret = tenant.store.add_secret(tenant.workload("stranger").client_id)
    answer = confidential(tenant, "stranger", secret).acquire_token_for_client([SCOPE])
    assert (answer["error"], answer["error_codes"]) == ("invalid_grant", [501051])


def test_a_scope_that_is_not_default_is_1002012(tenant: Tenant) -> None:
    secret = tenant.store.add_secret(tenant.workload("flow").client_id)
    answer = confidential(tenant, "flow", secret).acquire_token_for_client([f"{GATEWAY}/Read"])
    assert answer["error_codes"] == [1002012]


def test_a_disabled_principal_gets_no_new_token_7000112(tenant: Tenant) -> None:
    flow = tenant.workload("flow")
    secret = tenant.store.add_secret(flow.client_id)
    assert "access_token" in confidential(tenant, "flow", secret).acquire_token_for_client([SCOPE])
    tenant.store.set_enabled(flow.client_id, False)
    answer = confidential(tenant, "flow", secret).acquire_token_for_client([SCOPE])
    assert (answer["error"], answer["error_codes"]) == ("unauthorized_client", [7000112])


@pytest.mark.usefixtures("app_service")
def test_a_disabled_managed_identity_gets_no_new_token(tenant: Tenant) -> None:
    tenant.store.set_enabled(tenant.workload("gateway").client_id, False)
    with (
        ManagedIdentityCredential() as credential,
        pytest.raises(
            (ClientAuthenticationError, CredentialUnavailableError), match="AADSTS7000112"
        ),
    ):
        credential.get_token(SCOPE)


def test_an_unregistered_certificate_is_700027(tenant: Tenant, tmp_path: Path) -> None:
    stranger = issue_client_certificate(tmp_path, "stranger")
    client_id = tenant.workload("flow").client_id
    with (
        CertificateCredential(TENANT, client_id, str(stranger), **azure(tenant)) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS700027"),
    ):
        credential.get_token(SCOPE)


FEDERATION: list[tuple[Callable[[], dict[str, Any]], int]] = [
    (lambda: {"iss": "https://other.example"}, 700211),
    (lambda: {"sub": "repo:A"}, 700213),
    (lambda: {"aud": "api://other"}, 700212),
    (lambda: {"nbf": 1, "exp": 2}, 700024),
]


@pytest.mark.parametrize(("changes", "code"), FEDERATION)
def test_a_federated_assertion_must_match_exactly(
    tenant: Tenant, subject_key: RSAKey, changes: Callable[[], dict[str, Any]], code: int
) -> None:
    text = outside_token(tenant, subject_key, **changes())
    with (
        ClientAssertionCredential(
            TENANT, tenant.workload("federated").client_id, lambda: text, **azure(tenant)
        ) as credential,
        pytest.raises(ClientAuthenticationError, match=f"AADSTS{code}:"),
    ):
        credential.get_token(SCOPE)


def test_a_workload_without_federation_is_70021(tenant: Tenant, subject_key: RSAKey) -> None:
    with (
        ClientAssertionCredential(
            TENANT,
            tenant.workload("stranger").client_id,
            lambda: outside_token(tenant, subject_key),
            **azure(tenant),
        ) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS70021:"),
    ):
        credential.get_token(SCOPE)
