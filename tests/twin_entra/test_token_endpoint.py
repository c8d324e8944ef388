"""The token endpoint, spoken to directly: what official clients do not send, attackers do."""

from __future__ import annotations

import base64
import hmac
import json
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from entra_kit import ADA, GATEWAY, TENANT, claims_of
from joserfc import jwt
from joserfc.jwk import RSAKey
from running_tenant import Tenant

from hybridmandate.twin.certificates import issue_client_certificate
from hybridmandate.twin.entra.assertions import AssertionCheck, AssertionReuse
from hybridmandate.twin.entra.errors import AadError

CORRELATION = "2f6d0c1e-6c2e-4a5b-8f0e-0d1c2b3a4f5e"


@pytest.fixture
def http(tenant: Tenant) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=tenant.ca)
    with httpx.Client(verify=trust, base_url=f"{tenant.authority}/{TENANT}") as client:
        yield client


class Signer:
    """A service principal's certificate, and the assertions that it signs."""

    def __init__(self, tenant: Tenant, folder: Path) -> None:
        self.tenant = tenant
        self.client_id = tenant.workload("flow").client_id
        pem = issue_client_certificate(folder, "flow").read_bytes()
        tenant.store.add_certificate(self.client_id, pem.decode())
        self.certificate = x509.load_pem_x509_certificate(pem)
        self.key = RSAKey.import_key(pem)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.tenant.clock())
        usual = {
            "aud": self.tenant.settings.token_endpoint,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": str(uuid.uuid4()),
            "nbf": now,
            "exp": now + 300,
        }
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def sign(self, key: Any = None, alg: str = "PS256", **changes: Any) -> str:
        header = {"alg": alg, "typ": "JWT", "x5t#S256": _thumbprint(self.certificate)}
        return jwt.encode(header, self.claims(**changes), key or self.key, algorithms=[alg])

    def post(self, http: httpx.Client, assertion: str) -> httpx.Response:
        return http.post(
            "/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "scope": f"{GATEWAY}/.default",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion,
            },
        )


def _thumbprint(certificate: x509.Certificate) -> str:
    return _segment(certificate.fingerprint(hashes.SHA256()))


@pytest.fixture
def signer(tenant: Tenant, tmp_path: Path) -> Signer:
    return Signer(tenant, tmp_path)


def test_a_good_assertion_gets_a_token(signer: Signer, http: httpx.Client) -> None:
    answer = signer.post(http, signer.sign())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expires_in"] == 3599


BAD_ASSERTIONS: list[tuple[str, dict[str, Any], int]] = [
    ("another endpoint's audience", {"aud": "https://login.example/token"}, 700023),
    ("no audience", {"aud": None}, 700023),
    ("another subject", {"sub": "someone-else"}, 700021),
    ("expired", {"exp": 1000, "nbf": 1}, 700024),
    ("no expiry", {"exp": None}, 700024),
    ("expiry as text", {"exp": "soon"}, 700024),
    ("not yet valid", {"nbf": 9_999_999_999, "exp": 9_999_999_999}, 700024),
    ("no jti", {"jti": None}, 700027),
]


@pytest.mark.parametrize(("changes", "code"), [(c, n) for _, c, n in BAD_ASSERTIONS])
def test_a_bad_assertion_is_refused_with_its_code(
    signer: Signer, http: httpx.Client, changes: dict[str, Any], code: int
) -> None:
    answer = signer.post(http, signer.sign(**changes))
    assert answer.json()["error_codes"] == [code]


def test_an_assertion_signed_by_another_key_is_refused(signer: Signer, http: httpx.Client) -> None:
    answer = signer.post(http, signer.sign(RSAKey.generate_key(2048)))
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [700027])


def test_an_hmac_of_the_public_certificate_is_refused(signer: Signer, http: httpx.Client) -> None:
    header = {"alg": "HS256", "typ": "JWT", "x5t#S256": _thumbprint(signer.certificate)}
    parts = [_segment(json.dumps(each).encode()) for each in (header, signer.claims())]
    signed = ".".join(parts).encode()
    public = signer.certificate.public_bytes(Encoding.PEM)
    parts.append(_segment(hmac.digest(public, signed, "sha256")))
    assert signer.post(http, ".".join(parts)).json()["error_codes"] == [700027]


def _segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.mark.parametrize("text", ["", "a.b.c", "..", "é.é.é", "x" * 40_000, "e30.e30.e30"])
def test_garbage_is_no_assertion(signer: Signer, http: httpx.Client, text: str) -> None:
    answer = signer.post(http, text)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] in ("invalid_client", "invalid_request")


def test_a_jti_in_a_second_assertion_is_refused(signer: Signer, http: httpx.Client) -> None:
    assert signer.post(http, signer.sign(jti="one")).status_code == 200
    answer = signer.post(http, signer.sign(jti="one", iat=5))
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [50013])


def test_reuse_once_refuses_the_same_assertion_twice(signer: Signer) -> None:
    store, endpoint = signer.tenant.store, signer.tenant.settings.token_endpoint
    check = AssertionCheck(store, audiences=frozenset({endpoint}), reuse=AssertionReuse.ONCE)
    text, credentials = signer.sign(), store.credentials(signer.client_id)
    check.check(text, signer.client_id, credentials)
    with pytest.raises(AadError) as refused:
        check.check(text, signer.client_id, credentials)
    assert refused.value.code == 50013


def test_an_ended_certificate_is_refused(signer: Signer, http: httpx.Client) -> None:
    signer.tenant.store.end_certificates(signer.client_id, at=signer.tenant.clock() - 1, but="")
    assert signer.post(http, signer.sign()).json()["error_codes"] == [700027]


def _password(tenant: Tenant, http: httpx.Client, password: str, scope: str) -> httpx.Response:
    form = {"grant_type": "password", "client_id": tenant.workload("flow").client_id}
    form |= {"username": ADA, "password": password, "scope": scope}
    return http.post("/oauth2/v2.0/token", data=form)


def test_a_person_gets_a_delegated_token(tenant: Tenant, http: httpx.Client) -> None:
    ada = tenant.directory.user(ADA)
    assert ada is not None
    password = tenant.store.new_password(ada)
    scope = f"openid {GATEWAY}/Files.Store {GATEWAY}/Files.Read"
    claims = claims_of(_password(tenant, http, password, scope).json()["access_token"])
    assert (claims["scp"], claims["idtyp"]) == ("Files.Read Files.Store", "user")
    assert (claims["upn"], claims["name"]) == (ADA, "Ada Submitter")
    assert claims["oid"] == ada.object_id != claims["sub"]
    assert "roles" not in claims


def test_a_wrong_password_is_50126(tenant: Tenant, http: httpx.Client) -> None:
    answer = _password(tenant, http, "wrong", f"{GATEWAY}/Files.Read")
    assert (answer.json()["error"], answer.json()["error_codes"]) == ("invalid_grant", [50126])


def test_scopes_of_two_resources_are_refused(tenant: Tenant, http: httpx.Client) -> None:
    answer = _password(tenant, http, "x", f"{GATEWAY}/A https://graph.microsoft.com/B")
    assert answer.json()["error_codes"] == [70011]


BAD_REQUESTS: list[tuple[str, dict[str, Any], int, int]] = [
    ("POST", {"data": {"client_id": "x"}}, 400, 900144),
    ("POST", {"data": {"grant_type": "device_code"}}, 400, 70003),
    ("POST", {"json": {"grant_type": "client_credentials"}}, 400, 90013),
    ("POST", {"data": {"grant_type": ["password", "password"]}}, 400, 90013),
    ("POST", {"data": {"grant_type": "x" * 70_000}}, 413, 90013),
    ("GET", {}, 405, 900561),
]


@pytest.mark.parametrize(("method", "options", "status", "code"), BAD_REQUESTS)
def test_a_bad_request_gets_entras_error_shape(
    http: httpx.Client, method: str, options: dict[str, Any], status: int, code: int
) -> None:
    answer = http.request(method, "/oauth2/v2.0/token", **options)
    body = answer.json()
    assert (answer.status_code, body["error_codes"]) == (status, [code])
    assert set(body) == {
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
        "error_uri",
    }


def test_an_address_that_is_not_served_says_so(http: httpx.Client) -> None:
    answer = http.get("/oauth2/v2.0/devicecode")
    assert answer.status_code == 404
    assert "does not serve" in answer.json()["error_description"]


def test_another_tenant_is_90002(tenant: Tenant, http: httpx.Client) -> None:
    answer = http.get(f"{tenant.authority}/{uuid.uuid4()}/v2.0/.well-known/openid-configuration")
    assert answer.json()["error_codes"] == [90002]


@pytest.mark.parametrize(
    ("path", "issuer"),
    [("/v2.0", "{authority}/" + TENANT + "/v2.0"), ("", f"https://sts.windows.net/{TENANT}/")],
)
def test_discovery_names_this_server_and_the_keys(
    tenant: Tenant, http: httpx.Client, path: str, issuer: str
) -> None:
    document = http.get(f"{path}/.well-known/openid-configuration").json()
    assert document["issuer"] == issuer.format(authority=tenant.authority)
    assert document["token_endpoint"] == tenant.settings.token_endpoint
    keys = http.get(document["jwks_uri"]).json()["keys"]
    assert keys
    for key in keys:
        assert {"kty", "use", "kid", "x5t", "n", "e", "x5c"} <= key.keys()
        assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()


def test_evidence_tells_who_got_or_was_refused_what(
    tenant: Tenant, signer: Signer, http: httpx.Client
) -> None:
    http.headers["client-request-id"] = CORRELATION
    secretless = signer.sign()
    signer.post(http, secretless)
    refused = signer.post(http, signer.sign(exp=1))
    assert refused.json()["correlation_id"] == CORRELATION
    given, denied = tenant.evidence.records
    assert (given.kind, given.tier, given.principal) == ("token.issued", "identity", "flow")
    assert (given.subject, given.correlation_id) == (GATEWAY, CORRELATION)
    assert (denied.kind, denied.outcome) == ("token.refused", "refused")
    assert denied.detail["code"] == "AADSTS700024"
    assert denied.failure_type == "unauthorized"
    assert secretless not in str(tenant.evidence.records)


APP_SERVICE: list[tuple[dict[str, str], dict[str, str], int]] = [
    ({}, {"api-version": "2019-08-01", "resource": GATEWAY}, 401),
    ({"X-IDENTITY-HEADER": "header-of-gateway"}, {"resource": GATEWAY}, 400),
    ({"X-IDENTITY-HEADER": "header-of-gateway"}, {"api-version": "2019-08-01"}, 400),
]


@pytest.mark.parametrize(("headers", "query", "status"), APP_SERVICE)
def test_app_service_errors_have_its_shape(
    tenant: Tenant, headers: dict[str, str], query: dict[str, str], status: int
) -> None:
    answer = httpx.get(f"{tenant.identity}/msi/token", headers=headers, params=query)
    assert answer.status_code == status
    assert set(answer.json()) == {"statusCode", "message"}
    assert answer.json()["statusCode"] == status


def test_imds_needs_the_metadata_header(tenant: Tenant) -> None:
    query = {"api-version": "2018-02-01", "resource": GATEWAY}
    answer = httpx.get(f"{tenant.identity}/metadata/identity/oauth2/token", params=query)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "error_description"}
